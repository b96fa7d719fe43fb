"""Centres at a real broker, and a device that does what a bad network makes of one."""

from __future__ import annotations

import json
import logging
import random
import sqlite3
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from edge_runtime.alerts.chain import digest
from edge_runtime.centre import tables
from edge_runtime.centre.database import open_database, reading
from edge_runtime.centre.incoming import Device
from edge_runtime.centre.store import Store
from tests.broker import Broker, Subscriber, publish, wait_for
from tests.centre import (
    Chain,
    EmulatedDevice,
    centre_and_device,
    database_in,
    running_centre,
    seen,
)
from tests.postgresql import PostgreSQL


def held(url: str, device: str = "atm-1") -> list[str]:
    """The payloads of a device's alerts, in their order."""
    engine = open_database(url)
    with reading(engine) as connection:
        rows = connection.scalars(
            select(tables.alerts.c.payload)
            .join(tables.chains, tables.alerts.c.chain == tables.chains.c.id)
            .where(tables.chains.c.device == device)
            .order_by(tables.alerts.c.sequence)
        ).all()
    engine.dispose()
    return [bytes(each).decode() for each in rows]


def payloads(chain: Chain) -> list[str]:
    return [each.to_json() for each in chain.alerts]


def test_each_alert_is_held_once_in_order_however_it_came(broker: Broker, tmp_path: Path) -> None:
    chain, dice = Chain(), random.Random(7)
    alerts = chain.grow(60)
    sent = alerts + dice.sample(alerts, 30)
    dice.shuffle(sent)
    url = database_in(tmp_path)
    with centre_and_device(broker, url, chain) as device:
        device.send(sent)
        device.acknowledged_to(60)
        told = [each["sequence"] for each in device.acknowledged]
    assert told == sorted(told)
    assert device.acknowledged[-1] == {
        "epoch": chain.epoch,
        "sequence": 60,
        "hash": alerts[-1].hash,
    }
    assert held(url) == payloads(chain)


def test_the_acknowledgement_is_kept_for_a_device_that_comes_later(
    broker: Broker, tmp_path: Path
) -> None:
    chain = Chain()
    with running_centre(broker, database_in(tmp_path)):
        with EmulatedDevice(broker, chain) as device:
            device.send(chain.grow(3))
            device.acknowledged_to(3)
        with EmulatedDevice(broker, chain) as device:
            device.acknowledged_to(3)


def test_an_alert_that_comes_again_is_acknowledged_again(broker: Broker, tmp_path: Path) -> None:
    chain = Chain()
    with centre_and_device(broker, database_in(tmp_path), chain) as device:
        device.send(chain.grow(3))
        device.acknowledged_to(3)
        device.acknowledged.clear()
        device.send(chain.alerts[:1])
        device.acknowledged_to(3)


def test_a_gap_is_asked_for_and_filled(broker: Broker, tmp_path: Path) -> None:
    chain = Chain()
    alerts = chain.grow(9)
    with centre_and_device(broker, database_in(tmp_path), chain) as device:
        device.send([*alerts[:3], *alerts[5:]])
        command = wait_for(lambda: device.commands, "a command")[0]
        assert command["arguments"] == {"epoch": chain.epoch, "from": 4, "to": 5}
        assert device.acknowledged[-1]["sequence"] == 3
        device.send(alerts[3:5])
        device.acknowledged_to(9)
    assert held(database_in(tmp_path)) == payloads(chain)


def test_what_the_device_has_no_more_is_missing_and_told(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chain = Chain()
    alerts = chain.grow(9)
    url = database_in(tmp_path)
    with centre_and_device(broker, url, chain) as device:
        device.send([*alerts[:3], *alerts[5:]])
        command = wait_for(lambda: device.commands, "a command")[0]
        answer = {"id": command["id"], "command": "resend", "outcome": "done"}
        answer["result"] = {"sent": 0, "missing": [[4, 5]]}
        device.tell("response/resend", json.dumps(answer))
        device.acknowledged_to(9)
        (view,) = seen(url).chains
    assert "the alerts from 4 to 5 are lost" in caplog.text
    assert (view.missing, view.verified) == (2, False)


def test_what_was_dropped_is_known_and_the_chain_stays_verified(
    broker: Broker, tmp_path: Path
) -> None:
    chain = Chain()
    alerts = chain.grow(9)
    url = database_in(tmp_path)
    with centre_and_device(broker, url, chain) as device:
        device.send([*alerts[:3], *alerts[5:]])
        device.tell("dropped", chain.dropped(4, 5))
        device.acknowledged_to(9)
        (view,) = seen(url).chains
    assert (view.dropped, view.verified) == (2, True)


def test_a_conflict_and_a_broken_chain_are_loud_and_stop_the_acknowledgement(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chain = Chain()
    alerts = chain.grow(4)
    document = {**json.loads(alerts[1].to_json()), "severity": "low"}
    document["hash"] = digest(document)
    url = database_in(tmp_path)
    with centre_and_device(broker, url, chain) as device:
        device.send(alerts[:1])
        device.publish(chain.topics.alert("front", "presence"), json.dumps(document))
        device.send(alerts[1:])
        wait_for(lambda: "alert 3 does not follow" in caplog.text, "the break is told")
        assert "alert 2 came a second time with another content" in caplog.text
        device.acknowledged_to(2)
        with Store(url) as store:
            store.accept(Device(chain.site, chain.device), time.time())
        device.send(alerts[:1])
        device.acknowledged_to(4)
    assert held(url)[1] == json.dumps(document)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_that_share_the_load_hold_all_of_it_once(
    kind: str, broker: Broker, tmp_path: Path, server: PostgreSQL
) -> None:
    url = database_in(tmp_path) if kind == "sqlite" else server.url()
    chains = [Chain(device=f"atm-{number}") for number in range(3)]
    with (
        running_centre(broker, url, "centre-1"),
        running_centre(broker, url, "centre-2"),
        EmulatedDevice(broker, chains[0]) as one,
        EmulatedDevice(broker, chains[1]) as two,
        EmulatedDevice(broker, chains[2]) as three,
    ):
        for device in (one, two, three):
            device.send(device.chain.grow(40))
        for device in (one, two, three):
            device.acknowledged_to(40)
        log = broker.log
    assert all(held(url, chain.device) == payloads(chain) for chain in chains)
    for name in ("centre-1", "centre-2"):
        assert log.count(f"Sending PUBLISH to {name}") > 30, "both have a share of the load"


def test_the_broker_keeps_what_comes_while_the_centre_is_away(
    broker: Broker, tmp_path: Path
) -> None:
    chain = Chain()
    url = database_in(tmp_path)
    with EmulatedDevice(broker, chain) as device:
        with running_centre(broker, url):
            device.send(chain.grow(2))
            device.acknowledged_to(2)
        device.send(chain.grow(5))
        with running_centre(broker, url):
            device.acknowledged_to(7)


def test_a_database_that_is_locked_stops_all_and_nothing_is_lost(
    broker: Broker,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("edge_runtime.centre.database._BUSY_SECONDS", 0.1)
    chain = Chain()
    with centre_and_device(broker, database_in(tmp_path), chain) as device:
        device.send(chain.grow(2))
        device.acknowledged_to(2)
        acknowledged = "Received PUBACK from edge-centre-1"
        wait_for(lambda: broker.log.count(acknowledged) == 2, "the first two")
        other = sqlite3.connect(tmp_path / "centre.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        device.send(chain.grow(5))
        wait_for(lambda: "database is locked" in caplog.text, "that is told")
        assert device.acknowledged[-1]["sequence"] == 2
        assert broker.log.count(acknowledged) == 2, "the broker was told of no more"
        other.close()
        device.acknowledged_to(7)
    assert "the database works again" in caplog.text
    assert held(database_in(tmp_path)) == payloads(chain)


def test_a_postgresql_that_goes_away_and_comes_back_loses_nothing(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    chain = Chain()
    with PostgreSQL() as own:
        url = own.url()
        with centre_and_device(broker, url, chain) as device:
            device.send(chain.grow(2))
            device.acknowledged_to(2)
            own.stop()
            device.send(chain.grow(5))
            wait_for(lambda: "what comes waits at the broker" in caplog.text, "that is told")
            own.start()
            device.acknowledged_to(7)
        assert held(url) == payloads(chain)


def test_a_broker_that_is_killed_is_found_again(broker: Broker, tmp_path: Path) -> None:
    chain = Chain()
    with centre_and_device(broker, database_in(tmp_path), chain) as device:
        device.send(chain.grow(2))
        device.acknowledged_to(2)
        broker.kill()
        broker.start()
        wait_for(lambda: broker.log.count("Sending SUBACK to edge-centre-1") >= 4, "it came back")
        wait_for(device.connected, "the device came back")
        device.send(chain.grow(5))
        device.acknowledged_to(7)


def test_hostile_messages_are_counted_and_those_around_them_are_taken(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chain = Chain()
    with centre_and_device(broker, database_in(tmp_path), chain) as device:
        device.send(chain.grow(1))
        topic = chain.topics.alert("front", "presence")
        for payload in (
            b"",
            b"\xff",
            b"{}",
            b"[" * 10_000,
            chain.alerts[0].to_json()[:-1].encode(),
        ):
            device.publish(topic, payload)
        publish(broker, "edge/v1/%s/atm-1/alert/x/y" % ("a" * 200), b"{}")
        device.send(chain.grow(1))
        device.acknowledged_to(2)
    assert caplog.text.count("a message that is no alert is refused") == 1
    assert len(held(database_in(tmp_path))) == 2


def test_an_acknowledgement_is_retained_and_typed(broker: Broker, tmp_path: Path) -> None:
    chain = Chain()
    with (
        running_centre(broker, database_in(tmp_path)),
        Subscriber(broker, "edge/v1/+/+/ack") as subscriber,
        EmulatedDevice(broker, chain) as device,
    ):
        device.send(chain.grow(1))
        (message,) = wait_for(subscriber.messages, "an acknowledgement")
    assert message["topic"] == chain.topics.ack
    assert message["properties"]["content-type"] == "application/json"
