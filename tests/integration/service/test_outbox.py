"""The daemon with an outbox that is full, and with one that is damaged."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_runtime.alerts.alert import Origin, Severity
from edge_runtime.alerts.limits import Limits
from edge_runtime.alerts.outbox import Outbox
from edge_runtime.centre.reading import read_alert
from tests.alerts import ALERT
from tests.broker import Broker, wait_for
from tests.daemon import DEVICE, SITE, Daemon, edge_runtime, mqtt
from tests.small_centre import SmallCentre
from tests.visits import Visits

TABLE = "[outbox]\nmax_alerts = 4\n"
PAGE = 4096


def fill(daemon: Daemon, *severities: Severity, boxes: int = 1) -> int:
    """Commit alerts while the daemon does not run: the epoch."""
    daemon.state.mkdir()
    alert = replace(ALERT, boxes=((0.1, 0.2, 0.3, 0.4),) * boxes)
    with Outbox(daemon.state / "outbox.sqlite", Origin(SITE, DEVICE), Limits()) as outbox:
        for severity in severities:
            what = replace(alert, severity=severity)
            outbox.commit(what, model=None, clock_synchronised=True)
        return outbox.epoch


def urgent(tables: list[str]) -> list[str]:
    """The same tables, whose rule tells of high severity."""
    kind = 'kind = "presence"'
    return [table.replace(kind, f'{kind}\nseverity = "high"') for table in tables]


def damage(path: Path, mark: bytes) -> None:
    """Overwrite the page on which `mark` stands."""
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(content.index(mark) // PAGE * PAGE)
        file.write(os.urandom(PAGE))


def test_a_full_outbox_makes_room_for_the_more_severe_says_so_and_the_camera_goes_on(
    visits: Visits, tmp_path: Path
) -> None:
    with Broker() as broker:
        broker.kill()
        daemon = Daemon(tmp_path, [*urgent(visits()), mqtt(broker), TABLE])
        fill(daemon, Severity.LOW, Severity.MEDIUM)
        with daemon:
            daemon.wait_for_log(" ready ")
            wait_for(lambda: daemon.ask_quickly()["outbox"]["refused"], "one finds no room", 40)
            analysed = daemon.ask()["cameras"][0]["analysed"]
            wait_for(
                lambda: daemon.ask_quickly()["cameras"][0]["analysed"] > analysed + 10,
                "the camera is looked at",
            )
            status = daemon.ask()
            text = edge_runtime("status", daemon.config).stdout
            assert status["outbox"]["evicted"] == {"low": 1, "medium": 1}
            assert status["outbox"]["refused"].keys() == {"high"}
            assert status["state"] == "degraded"
            (reason,) = [each for each in status["reasons"] if "outbox" in each]
            assert reason.startswith("the outbox is full of alerts of high and critical severity: ")
            assert "1 low, 1 medium evicted since the start" in text
            assert "is not kept, and is told as dropped" in daemon.log

            broker.start()
            with SmallCentre(broker, session=3600) as centre:
                last = wait_for(lambda: _brought(daemon), "all is brought, and room again", 40)
                numbers = {*centre.first_arrivals(), *centre.dropped}
                assert numbers >= set(range(1, last + 1))
                assert {1, 2} <= centre.dropped
                assert daemon.stop()[0] == 0


def _brought(daemon: Daemon) -> int:
    """The last number, once nothing is dropped that the centre does not know; 0 before."""
    status = daemon.ask_quickly()
    outbox: dict[str, Any] = status["outbox"]
    whole = not outbox["untold"] and status["state"] == "online" and status["mqtt"]["acknowledged"]
    return int(status["mqtt"]["acknowledged"]["upto"]) if whole else 0


def test_a_damaged_outbox_is_an_alert_and_what_can_be_read_is_brought(
    visits: Visits, tmp_path: Path
) -> None:
    with Broker() as broker, SmallCentre(broker, session=3600) as centre:
        daemon = Daemon(tmp_path, [*visits(), mqtt(broker)])
        old = fill(daemon, *[Severity.MEDIUM] * 60)
        damage(daemon.state / "outbox.sqlite", b'"sequence":"30"')
        with daemon:
            daemon.wait_for_log(" ready ")
            wait_for(lambda: len(centre.received) >= 60, "they come", 40)
            status = daemon.ask()
        saved = [each for each in centre.received if f"/{old}/" in each["id"]]
        lost = 60 - len({each["sequence"] for each in saved})
        told = [each for each in centre.received if each["data"]["rule"] == "outbox"]

    assert 1 <= lost < 15
    assert len(centre.dropped) >= lost
    assert [each["data"]["state"] for each in told[:2]] == ["started", "ended"]
    assert [each["sequence"] for each in told[:2]] == ["1", "2"]
    topic = f"edge/v1/{SITE}/{DEVICE}/alert/device/outbox"
    assert read_alert(json.dumps(told[0]), topic).severity is Severity.HIGH
    assert (
        f"of epoch {old} {60 - lost} alerts are saved, {lost} cannot" in told[0]["data"]["reason"]
    )
    assert told[0]["data"]["reason"] in status["warnings"]
    assert len(list(daemon.state.glob("outbox.sqlite.damaged-*"))) >= 1


def test_an_outbox_that_is_damaged_under_the_daemon_is_made_anew_and_it_goes_on(
    visits: Visits, tmp_path: Path
) -> None:
    with Broker() as broker:
        broker.kill()
        daemon = Daemon(tmp_path, [*visits(), mqtt(broker)])
        old = fill(daemon, *[Severity.HIGH] * 900, boxes=100)  # more than SQLite keeps in memory
        with daemon:
            daemon.wait_for_log(" ready ")
            damage(daemon.state / "outbox.sqlite", b'"sequence":"100"')
            broker.start()
            with SmallCentre(broker, session=3600) as centre:
                daemon.wait_for_log("the outbox was damaged", timeout=40)
                wait_for(lambda: _told_of_damage(centre), "it is told", 40)
                wait_for(lambda: daemon.ask_quickly()["outbox"]["depth"] < 10, "all is brought", 60)
                assert daemon.ask()["outbox"]["epoch"] != old
                assert daemon.stop()[0] == 0
        numbers = {int(each["sequence"]) for each in centre.received if f"/{old}/" in each["id"]}
        assert numbers | centre.dropped >= set(range(1, 901))
        assert 100 not in numbers


def _told_of_damage(centre: SmallCentre) -> bool:
    return any(each["data"]["rule"] == "outbox" for each in tuple(centre.received))
