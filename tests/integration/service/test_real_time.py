"""The acceptance in real time: the clip over RTSP, alerts at a subscriber that was there before."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from tests.broker import Broker, Subscriber, wait_for
from tests.daemon import Daemon, camera, mqtt, presence
from tests.rtsp import RtspServer
from tests.segments import FPS, FRAMES, assert_are_the_visits

CLIP_SECONDS = FRAMES / FPS


@pytest.mark.timeout(240)
def test_six_visits_over_rtsp_reach_the_subscriber_in_real_time(
    clip: Path, detector: str, tmp_path: Path
) -> None:
    """A server that is new begins the clip when the daemon connects, and ends it once.

    The clip has begun its own length before its end: to connect takes a second of it, which comes
    in a heap afterwards.
    """
    with (
        RtspServer(clip) as server,
        Broker() as broker,
        Subscriber(broker, "edge/v1/+/+/alert/+/+") as subscriber,
    ):
        link = mqtt(broker, 'acknowledgement = "broker"')  # nobody else acknowledges
        tables = [detector, camera("atm", server.url), presence(), link]
        with Daemon(tmp_path, tables) as daemon:
            daemon.wait_for_log("camera atm is failed", timeout=CLIP_SECONDS + 30)
            began = _moment_of(daemon.log, "camera atm is failed") - CLIP_SECONDS
            wait_for(lambda: len(subscriber.payloads("/presence")) >= 12, "the last alert comes")
            assert daemon.stop()[0] == 0
        messages = subscriber.messages()

    others = {each["payload"]["data"]["name"] for each in messages[12:]}
    assert others <= {"no-frames"}  # the clip is over
    messages = messages[:12]
    alerts = [each["payload"] for each in messages]
    assert_are_the_visits(
        [(each["data"]["state"], _moment(each["time"]) - began) for each in alerts]
    )
    assert [each["sequence"] for each in alerts] == [str(n) for n in range(1, 13)]
    assert {each["topic"] for each in messages} == {"edge/v1/paris-12/atm-1/alert/atm/presence"}


def _moment_of(log: str, text: str) -> float:
    """When the first line with `text` in it was logged, in Unix seconds."""
    line = next(line for line in log.splitlines() if text in line)
    return _moment(line.split()[0])


def _moment(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
