"""The whole demo: a daemon, a broker that is killed, a subscriber, a scene and a real detector."""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import pytest

from edge_runtime.bundle.reading import read
from edge_runtime.bundle.trust import TrustedKeys
from edge_runtime.service.demo.setting import THE_END
from tests.broker import Broker, wait_for
from tests.daemon import Daemon, edge_runtime, mqtt
from tests.small_centre import SmallCentre
from tests.visits import Visits


def shown(folder: Path, *arguments: object) -> dict[str, Any]:
    """The summary of a demo."""
    done = edge_runtime("demo", "--json", "--out", folder, *arguments, timeout=110.0)
    assert done.returncode == 0, done.stderr + done.stdout
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def test_the_whole_demo(person: Path, tmp_path: Path) -> None:
    """Somebody comes and goes, two come, the lens is covered: eight alerts, none lost."""
    summary = shown(tmp_path / "demo")
    received = [json.loads(line) for line in (tmp_path / "demo/received.jsonl").open()]
    everything = [each["data"] for each in received if "specversion" in each]
    alerts = [each for each in everything if each["rule"] == "presence"]
    health = [(each["name"], each["state"]) for each in everything if each not in alerts]
    told = [(each["name"], each["state"]) for each in alerts]
    assert told[:4] == [
        ("somebody-at-machine", "started"),
        ("somebody-at-machine", "ended"),
        ("somebody-at-machine", "started"),
        ("another-beside", "started"),
    ]
    assert sorted(told[4:]) == [("another-beside", "ended"), ("somebody-at-machine", "ended")]
    threshold = read(person, TrustedKeys(demonstration=True)).manifest.threshold
    assert all(each["label"] == "person" and each["score"] >= threshold for each in alerts)
    assert all(each["model"]["name"] == "person" for each in alerts)
    assert health == [("dark", "started"), ("dark", "ended")]  # next to no light comes through

    delivery, outage = summary["delivery"], summary["outage"]
    assert summary["good"]
    assert delivery["committed"] == delivery["received"] == len(everything)
    assert (delivery["lost"], delivery["in_order"]) == ([], True)
    # The first visitor leaves while there is no broker.
    assert outage["seconds"] >= 5
    assert outage["waited"] >= 1
    assert outage["longest_wait"] > 1
    assert summary["covered"] == {"at": 32.0, "ended": 2, "told": True}
    assert "is for demonstrations" in summary["warnings"][0]

    assert summary["frames"] > 300
    assert {"wait", "decode", "invoke", "commit"} <= summary["stages"].keys()
    assert all(0 <= at["p50"] <= at["p95"] for at in summary["stages"].values())
    video = cv2.VideoCapture(summary["files"]["video"])
    assert abs(video.get(cv2.CAP_PROP_FRAME_COUNT) / video.get(cv2.CAP_PROP_FPS) - 40) < 2
    sheet = cv2.imread(summary["files"]["contact sheet"])
    assert sheet is not None
    assert sheet.shape[0] > 1000
    assert json.loads((tmp_path / "demo/summary.json").read_text()) == summary


@pytest.mark.usefixtures("person")
def test_a_visitors_own_clip_over_the_broker_in_python(clip: Path, tmp_path: Path) -> None:
    """Without Mosquitto: the first visitor of the real clip comes while the broker is away."""
    summary = shown(tmp_path, "--source", clip, "--seconds", "14", "--broker", "python")
    assert summary["broker"] == "moat-lib-mqtt"
    assert summary["source"] == str(clip)
    assert summary["good"]
    assert summary["delivery"]["committed"] == 2  # the end of the demo ends what is open
    assert summary["covered"] is None
    assert abs(summary["seconds"] - 14) < 1
    (started, ended) = (
        each["data"]
        for each in map(json.loads, (tmp_path / "received.jsonl").open())
        if "specversion" in each
    )
    assert (started["name"], started["state"]) == ("somebody", "started")
    assert (ended["name"], ended["state"], ended["reason"]) == ("somebody", "ended", "stopped")

    # The daemon comes back by chance up to 20 s after the broker: the end may have to wait, too.
    waited = summary["outage"]["waited"]
    log = (tmp_path / "daemon.log").read_text()
    _, back = map(datetime.fromisoformat, re.findall(r"^(\S+) INFO MQTT online", log, re.M))
    told = [datetime.fromisoformat(at) for at in re.findall(r"^(\S+) INFO .* somebody ", log, re.M)]
    assert told[0] < back
    soon = back + timedelta(seconds=1)  # its first word, by which the demo goes, comes after that
    assert sum(at < back for at in told) <= waited <= sum(at < soon for at in told)


def test_its_daemon_watches_no_longer_than_it_is_told_to_however_long_the_broker_is_away(
    visits: Visits, tmp_path: Path
) -> None:
    """Somebody comes once a second, for ever."""
    watching = sys.executable, "-m", "edge_runtime.service.demo.watching"
    with Broker() as broker:
        broker.kill()
        tables = [*visits(), mqtt(broker)]
        with Daemon(tmp_path, tables, str(tmp_path), command=watching) as daemon:
            daemon.wait_for_log("presence started")
            daemon.send(THE_END)
            daemon.wait_for_log("camera atm is ended: stopped")
            wait_for(lambda: daemon.camera("atm")["state"] == "ended", "it watches no more")
            broker.start()
            with SmallCentre(broker) as centre:
                assert daemon.wait(60.0)[0] == 0
        assert centre.received[-1]["data"]["state"] == "ended"
    committed = daemon.log.count(" presence started") + daemon.log.count(" presence ended")
    assert centre.first_arrivals() == [*range(1, committed + 1)]
    assert committed


@pytest.mark.usefixtures("person")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seconds", "3"], "a demo of 3 s is too short: give it at least 10, for the broker is "),
        (["--source", "no.mp4"], "no.mp4 gives no picture: there is no file "),
        (["--source", "gopher://x"], "'gopher://x' begins with no known kind of source; "),
        (["--source", "7"], "v4l2:7 gives no picture: "),
        (["--source", "rtsp://me:secret@127.0.0.1:9/x"], "rtsp://***@127.0.0.1:9/x gives no pict"),
        (["--out", "/dev/null/x"], "the folder /dev/null/x cannot be made: "),
    ],
    ids=[
        "too short",
        "no clip",
        "no kind of source",
        "no camera",
        "no stream",
        "no folder",
    ],
)
def test_what_cannot_be_shown_is_one_sentence(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    done = edge_runtime("demo", "--out", tmp_path, *arguments)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("edge-runtime: ")
    assert said in line
    assert "secret" not in done.stdout + line
