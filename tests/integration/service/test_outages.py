"""The camera's server and the broker go away while the daemon works, and come back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from tests.broker import Broker, Subscriber, wait_for
from tests.daemon import STATUS_TOPIC, Daemon, camera, mqtt
from tests.rtsp import RtspServer
from tests.small_centre import SmallCentre
from tests.visits import Visits

CAMERA_AWAY = 6.0
"""Seconds for which the RTSP server is away: longer than a camera needs to count as lost."""
BACK_WITHIN = 5.0
BROKER_AWAY = 60.0
"""Seconds."""


def states(subscriber: Subscriber) -> Iterator[str]:
    """The states that were told, each once for as long as it lasted."""
    return (state for state, _ in groupby(each["state"] for each in subscriber.payloads()))


def committed(daemon: Daemon) -> int:
    """How many alerts the log tells as committed."""
    return daemon.log.count(" alert atm-1/")


def test_a_camera_whose_server_is_killed_is_live_again_five_seconds_after_its_return(
    clip: Path, small_model: str, tmp_path: Path
) -> None:
    with (
        Broker() as broker,
        Subscriber(broker, STATUS_TOPIC) as subscriber,
        Subscriber(broker, "edge/v1/+/+/alert/atm/camera-health") as alerts,
        RtspServer(clip) as server,
        Daemon(tmp_path, [small_model, camera("atm", server.url), mqtt(broker)]) as daemon,
    ):
        daemon.wait_for_log("camera atm is live")
        wait_for(subscriber.messages, "the daemon says that it is there")
        server.kill()
        wait_for(lambda: daemon.ask_quickly()["state"] == "degraded", "it notices")
        time.sleep(CAMERA_AWAY)
        away = daemon.ask()
        server.start()
        wait_for(lambda: daemon.ask_quickly()["state"] == "online", "it is back", BACK_WITHIN)
        back = daemon.ask()
        # A connection begins with the status, whether it was told before or not.
        expected = ["online", "degraded", "online"]
        wait_for(lambda: [*states(subscriber)] == expected, "the status is told")
        wait_for(lambda: len(alerts.payloads()) >= 2, "the gap is told, and its end")
        incidents = [(each["data"]["name"], each["data"]["state"]) for each in alerts.payloads()]
        told = [each["reasons"] for each in subscriber.payloads() if each["state"] == "degraded"]

    assert away["reasons"] == ["camera atm is failed"]
    assert server.url in away["cameras"][0]["last_error"]
    assert away["cameras"][0]["conditions"] == ["no-frames"]
    assert back["cameras"][0]["state"] == "live"
    assert back["cameras"][0]["reconnects"] >= 1
    assert back["cameras"][0]["conditions"] == []
    assert incidents == [("no-frames", "started"), ("no-frames", "ended")]
    assert told == [["camera atm is failed"]]


@pytest.mark.timeout(240)
def test_a_broker_that_is_killed_for_a_minute_gets_every_alert_in_order(
    visits: Visits, tmp_path: Path
) -> None:
    with Broker() as broker, SmallCentre(broker, session=3600) as centre:
        with Daemon(tmp_path, [*visits(), mqtt(broker)]) as daemon:
            wait_for(lambda: len(centre.received) >= 3, "alerts come")
            before = committed(daemon)
            broker.kill()
            daemon.wait_for_log("MQTT waiting: ")
            time.sleep(BROKER_AWAY)
            during = committed(daemon) - before
            depth = daemon.ask()["outbox"]["depth"]
            broker.start()
            wait_for(lambda: daemon.ask_quickly()["outbox"]["depth"] == 0, "all is brought", 40)
            assert daemon.stop()[0] == 0
            numbers = list(range(1, committed(daemon) + 1))
        wait_for(lambda: centre.first_arrivals() == numbers, "every alert, in order")
    assert during >= BROKER_AWAY  # one visit a second is two alerts a second
    assert depth >= during


def test_a_broker_that_is_down_at_the_start_gets_every_alert_in_order(
    visits: Visits, tmp_path: Path
) -> None:
    with Broker() as broker:
        broker.kill()
        with Daemon(tmp_path, [*visits(), mqtt(broker)]) as daemon:
            daemon.wait_for_log("MQTT waiting: ")
            wait_for(lambda: committed(daemon) >= 4, "alerts wait")
            assert daemon.ask_quickly()["mqtt"]["link"] in ("waiting", "connecting")
            broker.start()
            with SmallCentre(broker, session=3600) as centre:
                wait_for(lambda: len(centre.first_arrivals()) >= 6, "alerts come", 40)
                assert centre.first_arrivals()[:6] == [1, 2, 3, 4, 5, 6]
