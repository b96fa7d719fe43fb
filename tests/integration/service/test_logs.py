"""What the daemon writes to standard error: JSON on every line, and never a password."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.broker import Broker, Subscriber, wait_for
from tests.daemon import Daemon, camera, edge_runtime, mqtt, presence
from tests.rtsp import RtspServer, free_port
from tests.visits import Visits

CAMERA_PASSWORD = "Gr8nit3"
BROKER_PASSWORD = "Mart1ni"
DEVICE_USER = "atm-1"


def objects(log: str) -> list[dict[str, object]]:
    """Every line as the JSON object that it has to be."""
    lines = [json.loads(line) for line in log.splitlines()]
    assert all(isinstance(line, dict) for line in lines)
    return lines


def test_every_line_of_a_json_log_is_an_object_whoever_writes_it(
    visits: Visits, tmp_path: Path
) -> None:
    """LiteRT writes a line of its own to standard error."""
    with Daemon(tmp_path, visits(), "--log", "json") as daemon:
        wait_for(lambda: daemon.log.count("alert atm-1/") >= 2, "alerts")
        assert daemon.stop()[0] == 0
    lines = objects(daemon.log)
    assert {"time", "level", "logger", "message"} <= set.intersection(*map(set, lines))
    native = [line for line in lines if line["logger"] == "native"]
    assert any("XNNPACK" in str(line["message"]) for line in native)
    assert {line["camera"] for line in lines if "camera" in line} == {"atm"}
    assert lines[-1]["message"] == "stopped"


def test_a_start_that_fails_is_an_object_too(visits: Visits, tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, [*visits(), "[mqtt]\nhots = 1\n"])
    done = edge_runtime("run", daemon.config, "--log", "json")
    assert done.returncode == 1
    (line,) = objects(done.stderr)
    assert line["level"] == "critical"
    assert "mqtt.hots" in str(line["message"])


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_password_is_seen_anywhere(
    clip: Path, small_model: str, tmp_path: Path, form: str
) -> None:
    """Three cameras (one that works, one that is away, one that refuses) and a broker."""
    with (
        Broker(users={DEVICE_USER: BROKER_PASSWORD, "centre": "centre"}) as broker,
        Subscriber(broker, "#", ("-u", "centre", "-P", "centre")) as subscriber,
        RtspServer(clip, user="admin", password=CAMERA_PASSWORD) as server,
    ):
        good = f"rtsp://admin:{CAMERA_PASSWORD}@{server.host}/stream"
        address = f"127.0.0.1:{free_port()}/stream?token={CAMERA_PASSWORD}"
        away = f"rtsp://admin:{CAMERA_PASSWORD}@{address}"
        wrong = f"rtsp://admin:{CAMERA_PASSWORD}2@{server.host}/stream"
        link = mqtt(broker, f'username = "{DEVICE_USER}"', f'password = "{BROKER_PASSWORD}"')
        names = {"good": good, "away": away, "wrong": wrong}
        tables = [small_model, *(camera(n, url) for n, url in names.items()), presence(), link]
        with Daemon(tmp_path, tables, "--log", form, "--verbose") as daemon:
            for text in ("camera good is live", "camera away is failed", "camera wrong is failed"):
                daemon.wait_for_log(text)
            wait_for(lambda: subscriber.payloads("/health"), "health")
            daemon.configure([*tables[:-1], link.replace(BROKER_PASSWORD, BROKER_PASSWORD + "3")])
            daemon.reload()
            daemon.wait_for_log("MQTT refused")
            seen = edge_runtime("status", daemon.config).stdout + json.dumps(daemon.ask())
            seen += edge_runtime("check", "--live", daemon.config).stdout
            done = edge_runtime("check", "--live", "--json", daemon.config)
            assert daemon.stop()[0] == 0
        seen += done.stdout + done.stderr + json.dumps(subscriber.messages()) + daemon.log
        seen += "".join(path.read_text(errors="replace") for path in daemon.state.iterdir())
    assert "rtsp://***@" in seen
    assert CAMERA_PASSWORD not in seen
    assert BROKER_PASSWORD not in seen
