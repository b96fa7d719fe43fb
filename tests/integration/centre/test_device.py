"""A centre and the real outbox and publisher of a device."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from edge_runtime.alerts.limits import Limits
from edge_runtime.alerts.outbox import Outbox, OutboxFullError
from edge_runtime.backoff import Backoff
from edge_runtime.centre.centre import Centre
from edge_runtime.centre.store import Store
from edge_runtime.messaging.publisher import Publisher
from edge_runtime.messaging.settings import MqttSettings
from edge_runtime.messaging.topics import Topics
from tests.bank import Bank
from tests.broker import Broker, wait_for
from tests.centre import QUICK, database_in, running_centre, seen
from tests.faults.committing import ORIGIN, an_alert


@contextmanager
def publishing(settings: MqttSettings, outbox: Outbox) -> Iterator[Publisher]:
    publisher = Publisher(
        settings,
        outbox,
        Topics(ORIGIN.site, ORIGIN.device),
        resend_after=1.0,
        reconnect=Backoff(0.1, 0.5),
        retry=Backoff(0.1, 0.5),
    )
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.stop(5.0)


def commit(outbox: Outbox, count: int, dice: random.Random) -> None:
    for _ in range(count):
        try:
            outbox.commit(an_alert(dice), model=None, clock_synchronised=True)
        except OutboxFullError:
            continue


def test_all_that_a_device_commits_is_held_and_forgotten_there(
    broker: Broker, tmp_path: Path
) -> None:
    url = database_in(tmp_path)
    settings = MqttSettings(broker.host, "atm-1", port=broker.port)
    with (
        Outbox(tmp_path / "outbox.sqlite", ORIGIN) as outbox,
        running_centre(broker, url),
        publishing(settings, outbox),
    ):
        commit(outbox, 100, random.Random(1))
        wait_for(lambda: outbox.depth() == 0, "all is acknowledged")
        (chain,) = seen(url).chains
    assert (chain.epoch, chain.stored, chain.acknowledged) == (outbox.epoch, 100, 100)
    assert chain.verified


def test_what_a_full_outbox_gave_up_is_known_and_no_gap_is_left(
    broker: Broker, tmp_path: Path
) -> None:
    url = database_in(tmp_path)
    settings = MqttSettings(broker.host, "atm-1", port=broker.port)
    limits = Limits(max_alerts=20)
    with Outbox(tmp_path / "outbox.sqlite", ORIGIN, limits) as outbox:
        commit(outbox, 80, random.Random(2))
        committed = outbox.committed
        assert outbox.depth() <= 20
        with running_centre(broker, url), publishing(settings, outbox):
            wait_for(lambda: outbox.depth() == 0, "all is acknowledged")
            wait_for(lambda: seen(url).chains[0].acknowledged == committed, "it is told of all")
            (chain,) = seen(url).chains
            wait_for(lambda: outbox.given_up().untold == 0, "the device need tell of it no more")
    assert (chain.gaps, chain.missing, chain.verified) == ((), 0, True)
    assert chain.stored + chain.dropped == committed == 80
    assert chain.dropped >= 60


def test_a_centre_of_the_group_that_is_gone_for_good_delays_alerts_and_loses_none(
    broker: Broker, tmp_path: Path
) -> None:
    url = database_in(tmp_path)
    settings = MqttSettings(broker.host, "atm-1", port=broker.port)
    with (
        Outbox(tmp_path / "outbox.sqlite", ORIGIN) as outbox,
        running_centre(broker, url, "centre-1"),
    ):
        with running_centre(broker, url, "centre-2", session_expiry=3):
            pass
        with publishing(settings, outbox):
            commit(outbox, 40, random.Random(4))
            wait_for(lambda: outbox.depth() == 0, "all is acknowledged", 60.0)
    (chain,) = seen(url).chains
    assert (chain.stored, chain.acknowledged, chain.verified) == (40, 40, True)


def test_it_works_with_the_broker_s_rules_and_identities_as_they_are_shipped(
    tmp_path: Path,
) -> None:
    bank = Bank(tmp_path / "bank")
    url = database_in(tmp_path)
    with bank.broker() as broker, Store(url) as store:
        centre = Centre(bank.settings(broker, bank.centre()), store, pace=QUICK)
        thread = Thread(target=centre.run)
        thread.start()
        try:
            device: Any = bank.settings(broker, bank.identity(ORIGIN.device))
            with (
                Outbox(tmp_path / "outbox.sqlite", ORIGIN) as outbox,
                publishing(device, outbox),
            ):
                commit(outbox, 30, random.Random(3))
                wait_for(lambda: outbox.depth() == 0, "all is acknowledged")
        finally:
            centre.stop()
            thread.join(10)
    assert seen(url).chains[0].stored == 30


def test_the_centre_s_certificate_is_used_when_it_is_replaced(tmp_path: Path) -> None:
    bank = Bank(tmp_path / "bank")
    identity = bank.centre()
    with bank.broker() as broker, Store(database_in(tmp_path)) as store:
        centre = Centre(bank.settings(broker, identity), store, pace=QUICK)
        thread = Thread(target=centre.run)
        thread.start()
        try:
            wait_for(lambda: broker.log.count("Sending SUBACK") == 2, "the centre listens")
            identity.certificate.write_bytes(identity.certificate.read_bytes())
            wait_for(lambda: broker.log.count("Sending SUBACK") == 4, "it listens anew", 30)
        finally:
            centre.stop()
            thread.join(10)
