"""What the outbox gave up is told over a real broker, until the centre is known to know."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from edge_runtime.alerts.alert import CONTENT_TYPE, Severity
from edge_runtime.alerts.limits import Limits
from edge_runtime.alerts.outbox import OutboxFullError
from edge_runtime.messaging.commands import ResendArguments
from edge_runtime.messaging.wire import Dropped
from edge_runtime.service.linking import resend
from tests.broker import Broker, Subscriber, wait_for
from tests.integration.messaging.conftest import (
    BY_CENTRE,
    ROOT,
    Device,
    MakeDevice,
    make_alert,
)
from tests.small_centre import SmallCentre

LOW, HIGH = Severity.LOW, Severity.HIGH
OF_TWO = Limits(max_alerts=2, min_free_disk=0)
OF_300 = Limits(max_alerts=300, min_free_disk=0)

Told = list[tuple[int, int]]


def commit(device: Device, *severities: Severity) -> None:
    for severity in severities:
        with suppress(OutboxFullError):
            device.commit(1, replace(make_alert(), severity=severity))


def events(subscriber: Subscriber) -> list[Dropped]:
    """What came of dropped alerts, in order."""
    payloads = [each for each in subscriber.payloads("/dropped") if each]
    for each in payloads:
        each["data"]["epoch"] = int(each["data"]["epoch"])  # mosquitto_sub writes some as 1.79e+15
    return [Dropped.read(json.dumps(each)) for each in payloads]


def told(subscriber: Subscriber) -> list[Told]:
    """The ranges of each message, in order."""
    return [[(one.first, one.last) for one in each.data.ranges] for each in events(subscriber)]


def test_what_is_dropped_is_told_with_all_that_bridges_the_gap(make_device: MakeDevice) -> None:
    with Broker() as broker, Subscriber(broker) as centre:
        device = make_device(broker, BY_CENTRE, limits=OF_TWO, start=False)
        made = [
            device.outbox.commit(
                replace(make_alert(), severity=severity), model=None, clock_synchronised=True
            )
            for severity in (LOW, Severity.MEDIUM, HIGH, HIGH)
        ]
        device.publisher.start()
        wait_for(lambda: told(centre), "a range is told")
        (event,) = events(centre)
        (one,) = event.data.ranges
        assert event.source == "branch-7/atm-1"
        assert event.id.startswith(f"atm-1/{device.outbox.epoch}/dropped/1-2/")
        assert (event.data.epoch, one.first, one.last) == (device.outbox.epoch, 1, 2)
        assert (one.severity, one.count) == (Severity.MEDIUM, {LOW: 1, Severity.MEDIUM: 1})
        assert (one.previoushash, one.hash) == (made[0].previoushash, made[1].hash)
        (message,) = [each for each in centre.messages() if "/dropped" in each["topic"]]
        assert message["topic"] == f"{ROOT}/dropped"
        assert message["retain"] == 0
        assert message["properties"]["content-type"] == CONTENT_TYPE


def test_a_range_is_told_as_it_grows_and_no_other_with_it(make_device: MakeDevice) -> None:
    with Broker() as broker, Subscriber(broker) as centre:
        device = make_device(broker, BY_CENTRE, limits=OF_TWO)
        commit(device, LOW, HIGH, HIGH)
        wait_for(lambda: told(centre) == [[(1, 1)]], "the first is told")
        commit(device, LOW, LOW, LOW)
        wait_for(lambda: (told(centre) or [[]])[-1] == [(4, 6)], "the second is told")
        assert all(len(each) == 1 for each in told(centre))


def test_it_is_told_with_each_connection_until_the_centre_acknowledges_beyond_it(
    make_device: MakeDevice,
) -> None:
    with Broker() as broker, SmallCentre(broker, acknowledges=False) as centre:
        with Subscriber(broker) as before:
            device = make_device(broker, BY_CENTRE, limits=OF_TWO)
            commit(device, LOW, HIGH, HIGH, LOW)
            wait_for(lambda: told(before), "it is told")
        broker.kill()
        broker.start()
        with Subscriber(broker) as after:
            wait_for(lambda: [(1, 1), (4, 4)] in told(after), "it is told again")
            centre.acknowledge(ROOT, device.outbox.epoch, 3)
            wait_for(lambda: len(device.outbox.dropped(10)) == 1, "the first is forgotten")
            centre.acknowledge(ROOT, device.outbox.epoch, 4)
            wait_for(lambda: device.outbox.dropped(10) == (), "the second is forgotten")


def test_a_wish_for_what_was_dropped_tells_it_again(make_device: MakeDevice) -> None:
    with Broker() as broker, Subscriber(broker) as centre:
        device = make_device(broker, BY_CENTRE, limits=OF_TWO)
        commit(device, LOW, HIGH, HIGH)
        wait_for(lambda: len(told(centre)) == 1, "it is told")
        assert device.publisher.resend(1, 2).missing == ((1, 1),)
        wait_for(lambda: told(centre) == [[(1, 1)], [(1, 1)]], "it is told again")


def test_where_the_brokers_word_is_enough_it_is_told_until_somebody_listens(
    make_device: MakeDevice,
) -> None:
    with Broker() as broker:
        device = make_device(broker, limits=OF_TWO, start=False)
        commit(device, LOW, HIGH, HIGH)
        assert len(device.outbox.dropped(10)) == 1
        with Subscriber(broker) as centre:
            device.publisher.start()
            wait_for(lambda: told(centre) == [[(1, 1)]], "it is told")
            wait_for(lambda: device.outbox.dropped(10) == (), "it is forgotten")


def test_many_ranges_are_told_in_messages_that_every_broker_takes(make_device: MakeDevice) -> None:
    with Broker() as broker, Subscriber(broker) as centre:
        device = make_device(broker, BY_CENTRE, limits=OF_300, start=False)
        commit(device, *[LOW, HIGH] * 250, *[HIGH] * 50)
        count = len(device.outbox.dropped(1000))
        assert count == 250
        device.publisher.start()
        wait_for(lambda: sum(map(len, told(centre))) == count, "all are told")
        assert [len(each) for each in told(centre)] == [100, 100, 50]
        assert len({event.id for event in events(centre)}) == 3


def test_what_was_saved_of_a_damaged_outbox_comes_first_and_is_acknowledged_in_its_epoch(
    make_device: MakeDevice, tmp_path: Path
) -> None:
    with (
        Broker() as broker,
        SmallCentre(broker, acknowledges=False) as centre,
        Subscriber(broker) as subscriber,
    ):
        first = make_device(broker, BY_CENTRE, start=False)
        first.commit(40)
        old = first.outbox.epoch
        first.outbox.close()
        path = tmp_path / "o.db"
        content = bytearray(path.read_bytes())
        at = content.index(b'"sequence":"21"') // 4096 * 4096
        content[at : at + 4096] = os.urandom(4096)
        path.write_bytes(content)

        device = make_device(broker, BY_CENTRE)
        device.commit(2)
        lost = {n for one in device.outbox.dropped(10) for n in range(one.first, one.last + 1)}
        assert 21 in lost
        saved = [number for number in range(1, 41) if number not in lost]
        wait_for(lambda: len(subscriber.payloads("/alert/")) >= len(saved) + 2, "all come")
        ids = [each["id"] for each in subscriber.payloads("/alert/")]
        new = device.outbox.epoch
        assert ids == [
            *(f"atm-1/{old}/{number}" for number in saved),
            f"atm-1/{new}/1",
            f"atm-1/{new}/2",
        ]
        wait_for(lambda: told(subscriber), "what is lost is told")
        assert events(subscriber)[0].data.epoch == old

        every = ResendArguments.model_validate({"epoch": old, "from": 1, "to": 40})
        answer = resend(every, device.outbox, device.publisher)
        assert answer == {"sent": len(saved), "missing": [[min(lost), max(lost)]]}

        centre.acknowledge(ROOT, new, 2)
        wait_for(lambda: device.outbox.depth() == len(saved), "the new ones are forgotten")
        centre.acknowledge(ROOT, old, 40)
        device.wait_until_empty()
        assert device.outbox.dropped(10) == ()
