"""`edge-runtime status`, and who may ask."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from tests.broker import Broker, Subscriber, wait_for
from tests.daemon import COMMAND, DEVICE, SITE, Daemon, camera, edge_runtime, mqtt
from tests.rtsp import free_port
from tests.visits import Visits


def test_a_running_daemon_says_how_it_is_as_text_and_as_json(
    visits: Visits, tmp_path: Path
) -> None:
    with Broker() as broker, Subscriber(broker, "edge/v1/#") as subscriber:
        with Daemon(tmp_path, [*visits(), mqtt(broker)]) as daemon:
            wait_for(lambda: len(subscriber.payloads("/alert/")) >= 2, "alerts come")
            wait_for(lambda: daemon.ask_quickly()["mqtt"]["delivered"] >= 2, "they are delivered")
            text = edge_runtime("status", daemon.config)
            answer = edge_runtime("status", daemon.config, "--json")
        health = subscriber.payloads("/health")[0]

    lines = text.stdout.splitlines()
    assert text.returncode == 0
    assert re.fullmatch(rf"{SITE}/{DEVICE} is online, edge-runtime \S+, since \S+Z", lines[0]), (
        lines
    )
    assert re.fullmatch(r"  outbox: \d+ alerts wait \([\d.]+ MB\)", lines[1])
    assert re.fullmatch(
        r"  broker: online, \d+ alerts delivered; the centre holds all up to 0, "
        r"\d+ wait for its word",
        lines[2],
    )
    assert re.fullmatch(
        r"  camera atm: live, [\d.]+ frames a second, \d+ of \d+ dropped, last frame [\d.]+ s ago, "
        r"litert-cpu, invoke [\d.]+ ms \(p95 [\d.]+\)",
        lines[3],
    ), lines

    status = json.loads(answer.stdout)
    assert answer.returncode == 0
    assert status["state"] == "online"
    assert status["mqtt"]["link"] == "online"
    (camera_status,) = status["cameras"]
    assert camera_status["analysed"] > 0
    assert {"wait", "decode", "invoke", "rules", "commit"} <= set(camera_status["latency_ms"])
    assert set(status) == set(health)  # the health topic says the same


def test_a_degraded_daemon_is_three_and_says_why(small_model: str, tmp_path: Path) -> None:
    port = free_port()
    tables = [
        small_model,
        camera("atm", "synthetic:"),
        camera("yard", f"rtsp://127.0.0.1:{port}/stream"),
    ]
    with Daemon(tmp_path, tables) as daemon:
        wait_for(lambda: daemon.state.joinpath("control.sock").exists(), "it can be asked")
        wait_for(lambda: daemon.ask_quickly()["state"] == "degraded", "it notices")
        text = edge_runtime("status", daemon.config)
    assert text.returncode == 3
    assert "  ! camera yard is failed\n" in text.stdout
    assert "  broker: none is configured\n" in text.stdout
    assert "camera yard: failed, 0.0 frames a second, 0 of 0 dropped, no frame yet" in text.stdout


def test_where_no_daemon_runs_a_sentence_says_so(visits: Visits, tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, visits())
    asked = edge_runtime("status", daemon.config)
    assert asked.returncode == 1
    assert asked.stderr == (
        f"edge-runtime: no daemon answers at {daemon.state}/control.sock: start it with "
        "`edge-runtime run CONFIG`, or name the configuration that it runs with\n"
    )


def test_a_killed_daemons_socket_neither_answers_nor_stops_the_next(
    visits: Visits, tmp_path: Path
) -> None:
    with Daemon(tmp_path, visits()) as daemon:
        daemon.wait_for_log(" ready ")
        daemon.kill()
        assert (daemon.state / "control.sock").exists()
        assert edge_runtime("status", daemon.config).returncode == 1
        daemon.start_ready()
        assert daemon.ask()["state"] == "online"


def test_a_second_daemon_on_the_same_state_is_refused_and_the_first_goes_on(
    visits: Visits, tmp_path: Path
) -> None:
    with Daemon(tmp_path, visits()) as daemon:
        daemon.wait_for_log(" ready ")
        second = edge_runtime("run", daemon.config)
        assert second.returncode == 1
        assert second.stderr == (
            f"edge-runtime: the outbox {daemon.state}/outbox.sqlite is in use by process "
            f"{daemon.pid}: stop that one, or give this one a state directory of its own\n"
        )
        assert daemon.ask()["state"] == "online"


def test_status_without_a_configuration_finds_the_users_own_daemon(
    visits: Visits, tmp_path: Path
) -> None:
    environment = {"XDG_STATE_HOME": str(tmp_path / "home")}
    daemon = Daemon(tmp_path, visits(), environment=environment)
    daemon.config.write_text(daemon.config.read_text().replace("state_dir", "# state_dir"))
    with daemon:
        daemon.wait_for_log(" ready ")
        asked = subprocess.run(
            [*COMMAND, "status", "--json"],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout)["pid"] > 0
    assert (tmp_path / "home" / "edge-runtime" / "outbox.sqlite").exists()
