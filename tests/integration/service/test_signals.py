"""SIGTERM ends the daemon in time whatever hangs; SIGHUP takes a new configuration over."""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker import Broker, Subscriber, wait_for
from tests.daemon import STATUS_TOPIC, Daemon, camera, mqtt, presence
from tests.rtsp import RtspServer
from tests.visits import Visits

ENDS_WITHIN = 2.0


@pytest.fixture
def long_visit(data_dir: Path, small_model: str, tmp_path: Path) -> list[str]:
    """Tables of a configuration in which somebody comes after two seconds and stays."""
    folder = tmp_path / "long-visit"
    folder.mkdir()
    for number in range(3000):
        name = "squat.jpg" if number >= 20 else "cat.jpg"
        (folder / f"{number}.jpg").symlink_to(data_dir / "images" / name)
    return [small_model, camera("atm", folder, "fps = 10"), presence("presence", "seconds = 0.2")]


def test_sigterm_ends_what_is_open_and_tells_everybody(
    long_visit: list[str], tmp_path: Path
) -> None:
    with Broker() as broker, Subscriber(broker, "edge/v1/#") as subscriber:
        with Daemon(tmp_path, [*long_visit, mqtt(broker)]) as daemon:
            daemon.wait_for_log("presence started")
            status, took = daemon.stop()
        assert status == 0
        assert took < ENDS_WITHIN
        assert "Traceback" not in daemon.log
        wait_for(lambda: len(subscriber.payloads("/alert/")) == 2, "both alerts came")
        started, ended = subscriber.payloads("/alert/")
        assert (started["data"]["state"], ended["data"]["state"]) == ("started", "ended")
        assert ended["data"]["reason"] == "stopped"
        assert not (daemon.state / "control.sock").exists()
        with Subscriber(broker, STATUS_TOPIC) as late:  # a retained status reaches who comes late
            wait_for(late.messages, "the retained status")
            assert late.payloads()[0]["state"] == "offline"
            assert late.payloads()[0]["reason"] == "stopped"


def test_sigterm_ends_in_time_with_a_broker_that_is_down(
    long_visit: list[str], tmp_path: Path
) -> None:
    with Broker() as broker:
        with Daemon(tmp_path, [*long_visit, mqtt(broker)]) as daemon:
            daemon.wait_for_log("presence started")
            broker.kill()
            daemon.wait_for_log("MQTT waiting: ")
            status, took = daemon.stop()
        assert (status, took < ENDS_WITHIN) == (0, True)
        assert "presence ended" in daemon.log

        # What could not be told then is told by the next life.
        broker.start()
        with Subscriber(broker, "edge/v1/+/+/alert/#") as subscriber:
            daemon.configure([long_visit[0], camera("yard", "synthetic:"), mqtt(broker)])
            daemon.start()
            wait_for(
                lambda: any(each["data"].get("reason") for each in subscriber.payloads()),
                "the ended alert comes",
            )
            assert subscriber.payloads()[-1]["data"]["reason"] == "stopped"
            daemon.kill()


def test_sigterm_ends_in_time_with_a_broker_and_cameras_that_are_frozen(
    clip: Path, small_model: str, tmp_path: Path
) -> None:
    """Five cameras: their threads are all inside FFmpeg when the signal comes."""
    with Broker() as broker, RtspServer(clip) as server:
        names = [f"hall-{number}" for number in range(5)]
        tables = [small_model, *(camera(name, server.url, "fps = 2") for name in names)]
        with Daemon(tmp_path, [*tables, mqtt(broker)]) as daemon:
            for name in names:
                daemon.wait_for_log(f"camera {name} is live")
            broker.freeze()
            server.pause()
            wait_for(lambda: daemon.camera(names[0])["last_frame_age"] > 1.0, "it is silent")
            status, took = daemon.stop()
            broker.thaw()
            server.resume()
    assert (status, took < ENDS_WITHIN) == (0, True), took
    assert "Traceback" not in daemon.log
    assert daemon.log.rstrip().endswith("stopped")


def test_sigint_is_as_good_as_sigterm(visits: Visits, tmp_path: Path) -> None:
    with Daemon(tmp_path, visits()) as daemon:
        daemon.wait_for_log(" ready ")
        daemon.send(signal.SIGINT)
        status, took = daemon.wait(10.0)
    assert (status, took < ENDS_WITHIN) == (0, True)


# SIGHUP


@pytest.fixture
def copy_of_model(data_dir: Path, small_model: str, tmp_path: Path) -> tuple[Path, str]:
    """A model file of our own, and the [model] table that names it."""
    path = tmp_path / "model.tflite"
    shutil.copyfile(data_dir / "models" / "vww_96_int8.tflite", path)
    return path, re.sub(r'path = ".*?"', f'path = "{path}"', small_model, count=1)


@pytest.fixture
def two_cameras(copy_of_model: tuple[Path, str], tmp_path: Path) -> Iterator[Daemon]:
    """A running daemon with the cameras door and hall."""
    tables = [copy_of_model[1], camera("door", "synthetic:"), camera("hall", "synthetic:")]
    with Daemon(tmp_path, tables) as daemon:
        daemon.wait_for_log(" ready ")
        wait_for(lambda: daemon.camera("door")["frames"] > 5, "frames come")
        wait_for(lambda: daemon.camera("hall")["frames"] > 5, "frames come")
        yield daemon


def reload(daemon: Daemon, tables: list[str]) -> None:
    """Write the configuration and wait until the daemon has taken it over."""
    before = daemon.log.count("the configuration is reloaded")
    daemon.configure(tables)
    daemon.reload()
    daemon.wait_for_log("the configuration is reloaded", count=before + 1)


def test_sighup_replaces_adds_and_removes_cameras_and_keeps_the_others(
    two_cameras: Daemon, copy_of_model: tuple[Path, str]
) -> None:
    daemon, model = two_cameras, copy_of_model[1]
    door = daemon.camera("door")
    reload(
        daemon,
        [
            model,
            camera("door", "synthetic:"),
            camera("hall", "synthetic:?width=320&height=240"),
            camera("vault", "synthetic:"),
        ],
    )
    assert daemon.camera("door")["frames"] >= door["frames"]
    assert daemon.camera("door")["state_changes"] == door["state_changes"]
    assert daemon.camera("hall")["frames"] < 20
    wait_for(lambda: daemon.camera("hall")["size"] == [320, 240], "hall is the new one")
    wait_for(lambda: daemon.camera("vault")["state"] == "live", "vault lives")

    reload(daemon, [model, camera("door", "synthetic:")])
    assert [each["name"] for each in daemon.ask_quickly()["cameras"]] == ["door"]
    wait_for(lambda: daemon.camera("door")["frames"] > door["frames"], "door goes on")
    assert daemon.camera("door")["state_changes"] == door["state_changes"]


def test_sighup_takes_a_new_rule_over_and_ends_what_the_old_one_had_open(
    long_visit: list[str], tmp_path: Path
) -> None:
    with Daemon(tmp_path, long_visit) as daemon:
        daemon.wait_for_log("presence started")
        reload(daemon, [*long_visit[:2], presence("after-hours", "seconds = 0.1")])
        assert "presence ended" in daemon.log
        daemon.wait_for_log("after-hours started")


def test_sighup_with_a_wrong_configuration_keeps_the_old_one(
    two_cameras: Daemon, copy_of_model: tuple[Path, str]
) -> None:
    daemon = two_cameras
    before = daemon.camera("door")
    daemon.configure([copy_of_model[1], camera("door", "synthetic:", "fsp = 5", "fps = -1")])
    daemon.reload()
    daemon.wait_for_log("the configuration stays as it was: ")
    assert f"{daemon.config}:" in daemon.log
    assert "cameras[0].fsp" in daemon.log
    assert "cameras[0].fps" in daemon.log
    assert [each["name"] for each in daemon.ask_quickly()["cameras"]] == ["door", "hall"]
    wait_for(lambda: daemon.camera("door")["frames"] > before["frames"], "door goes on")


def test_sighup_with_a_broken_model_keeps_the_old_one_and_loads_a_new_one(
    two_cameras: Daemon, copy_of_model: tuple[Path, str]
) -> None:
    daemon, (path, table) = two_cameras, copy_of_model
    tables = [table, camera("door", "synthetic:")]
    old = daemon.camera("door")["model"]["sha256"]
    whole = path.read_bytes()
    _replace(path, whole[: len(whole) // 2])
    daemon.configure(tables)
    daemon.reload()
    daemon.wait_for_log("the configuration stays as it was: model ")
    assert daemon.camera("hall")["model"]["sha256"] == old

    _replace(path, whole + bytes(16))  # what is appended to a .tflite changes only its hash
    reload(daemon, tables)
    wait_for(lambda: daemon.camera("door")["analysed"] > 0, "the new model works")
    assert daemon.camera("door")["model"]["sha256"] != old


def _replace(path: Path, data: bytes) -> None:
    """Another file in the same place, as an installer puts it there."""
    beside = path.with_suffix(".new")
    beside.write_bytes(data)
    beside.replace(path)


def test_sighup_with_another_broker_goes_there_with_the_cameras_unchanged(
    small_model: str, tmp_path: Path
) -> None:
    tables = [small_model, camera("door", "synthetic:")]
    with (
        Broker() as first,
        Broker() as second,
        Subscriber(first, STATUS_TOPIC) as here,
        Subscriber(second, STATUS_TOPIC) as there,
        Daemon(tmp_path, [*tables, mqtt(first)]) as daemon,
    ):
        wait_for(here.messages, "it says that it is there")
        daemon.wait_for_log("camera door is live")
        before = daemon.camera("door")
        reload(daemon, [*tables, mqtt(second)])
        wait_for(there.messages, "it says so at the new broker")
        wait_for(lambda: here.payloads()[-1]["state"] == "offline", "it leaves the old one")
        assert there.payloads()[0]["state"] == "online"
        assert daemon.camera("door")["state_changes"] == before["state_changes"]

        reload(daemon, tables)
        assert daemon.ask_quickly()["mqtt"] is None


def test_sighup_does_not_rename_the_device(two_cameras: Daemon) -> None:
    daemon = two_cameras
    daemon.config.write_text(daemon.config.read_text().replace('name = "atm-1"', 'name = "atm-2"'))
    daemon.reload()
    daemon.wait_for_log("device and state_dir change only with a restart")
    daemon.wait_for_log("the configuration is reloaded")
    assert daemon.ask_quickly()["device"] == "atm-1"
