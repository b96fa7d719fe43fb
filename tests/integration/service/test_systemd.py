"""What systemd is told, and what it says of our unit."""

from __future__ import annotations

import re
import shutil
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests import units
from tests.broker import Broker, wait_for
from tests.conftest import ROOT
from tests.daemon import Daemon, Notifications, camera, edge_runtime, mqtt
from tests.rtsp import free_port

UNIT = ROOT / "deploy" / "systemd" / "edge-runtime.service"
WATCHDOG_SECONDS = 1.5
MOST_EXPOSURE = 2.0


def test_ready_comes_after_the_first_inference_then_life_signs_then_the_end(
    small_model: str, tmp_path: Path
) -> None:
    with Notifications(tmp_path / "notify") as told:
        daemon = Daemon(
            tmp_path,
            [small_model, camera("atm", "synthetic:")],
            environment={
                "NOTIFY_SOCKET": str(told.path),
                "WATCHDOG_USEC": str(int(WATCHDOG_SECONDS * 1e6)),
            },
        )
        with daemon:
            wait_for(lambda: "READY=1" in told, "it is ready")
            assert "[atm] first inference" in daemon.log
            assert "STATUS=first inference" in told
            wait_for(lambda: len(told.moments("WATCHDOG=1")) > 6, "it is alive")
            daemon.reload()
            wait_for(lambda: len(told.moments("READY=1")) == 2, "it is ready again")
            assert told.moments("RELOADING=1")[0] <= told.moments("READY=1")[1]
            assert "MONOTONIC_USEC=" not in told  # only Type=notify-reload asks for it
            daemon.stop()
            wait_for(lambda: "STOPPING=1" in told, "it says that it ends")
        lives = [m for m in told.moments("WATCHDOG=1") if m > told.moments("READY=1")[0]]
        assert max(b - a for a, b in pairwise(lives)) < WATCHDOG_SECONDS
        assert told.received[-1][1] == "STOPPING=1"


def test_a_camera_that_is_away_neither_starves_the_watchdog_nor_holds_the_start_up(
    small_model: str, tmp_path: Path
) -> None:
    """Ready after ten seconds: who restarts a daemon for a camera that is away helps nobody."""
    began = time.monotonic()
    url = f"rtsp://127.0.0.1:{free_port()}/stream"
    with Broker() as broker, Notifications(tmp_path / "notify") as told:
        daemon = Daemon(
            tmp_path,
            [small_model, camera("atm", url), mqtt(broker)],
            environment={
                "NOTIFY_SOCKET": str(told.path),
                "WATCHDOG_USEC": str(int(WATCHDOG_SECONDS * 1e6)),
            },
        )
        with daemon:
            wait_for(lambda: "STATUS=camera atm is failed" in told, "its status says why")
            assert "READY=1" not in told
            wait_for(lambda: "READY=1" in told, "it is ready all the same")
            assert 9.0 < told.moments("READY=1")[0] - began < 13.0
            assert "STATUS=no camera gives frames" in told
            lives = told.moments("WATCHDOG=1")
            assert max(b - a for a, b in pairwise(lives)) < WATCHDOG_SECONDS


def test_a_service_manager_that_is_gone_does_not_end_the_daemon(
    small_model: str, tmp_path: Path
) -> None:
    environment = {"NOTIFY_SOCKET": str(tmp_path / "nobody")}
    tables = [small_model, camera("atm", "synthetic:")]
    with Daemon(tmp_path, tables, environment=environment) as daemon:
        daemon.wait_for_log(" ready ")
        daemon.wait_for_log("the service manager does not listen at NOTIFY_SOCKET: ")
        assert daemon.ask()["state"] == "online"
        assert daemon.stop()[0] == 0
    assert daemon.log.count("does not listen at NOTIFY_SOCKET") == 1


def test_the_unit_is_correct(tmp_path: Path) -> None:
    units.verify(units.with_a_program(UNIT, tmp_path))


def test_the_unit_is_exposed_by_two_of_ten_at_most(tmp_path: Path) -> None:
    assert units.exposure(units.with_a_program(UNIT, tmp_path)) <= MOST_EXPOSURE


def test_the_unit_runs_the_program_as_the_package_installs_it() -> None:
    text = UNIT.read_text()
    assert "Type=notify\n" in text
    command = re.search(r"(?m)^ExecStart=(\S+) (.*)$", text)
    assert command
    assert Path(command[1]).name == "edge-runtime"
    assert command[2].split()[:3] == ["run", "--log", "json"]
    assert re.search(r"(?m)^WatchdogSec=\d+$", text)


@pytest.mark.parametrize("name", ["edge-provision-renew", "edge-runtime-certificate"])
def test_a_timer_and_what_it_starts_are_correct(name: str, tmp_path: Path) -> None:
    program = "/opt/edge-runtime/bin/edge-runtime"
    text = (UNIT.parent / f"{name}.service").read_text()
    (tmp_path / f"{name}.service").write_text(text.replace(program, "/bin/true"))
    timer = Path(shutil.copy(UNIT.parent / f"{name}.timer", tmp_path))
    units.verify(timer, tmp_path / f"{name}.service")
    command = re.search(rf"(?m)^ExecStart={program} ((?:.*\\\n)*.*)$", text)
    assert command
    asked = command[1].replace("\\\n", " ").split()
    assert edge_runtime(*asked).returncode == 1  # It has the arguments, and not the files.
