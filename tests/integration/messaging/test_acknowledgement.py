"""Only the centre's word lets an alert go: over a real broker that takes and gives and dies."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edge_runtime.backoff import Backoff
from edge_runtime.messaging.link import LinkState
from edge_runtime.messaging.receipts import Acknowledged, AcknowledgedBy
from tests.broker import Broker, Subscriber, wait_for
from tests.integration.messaging.conftest import (
    BY_CENTRE,
    ROOT,
    Device,
    MakeDevice,
    first_arrivals,
)
from tests.small_centre import SmallCentre


@contextmanager
def silent_centre() -> Iterator[tuple[Broker, SmallCentre]]:
    """A broker, and a centre at it that hears all and says nothing by itself."""
    with Broker() as broker, SmallCentre(broker, acknowledges=False) as centre:
        yield broker, centre


def taken(device: Device, count: int) -> None:
    wait_for(lambda: device.publisher.stats().delivered >= count, "the broker took them")


def sent(make_device: MakeDevice, broker: Broker, count: int) -> Device:
    """A device so many of whose alerts the broker took."""
    device = make_device(broker, publisher=BY_CENTRE)
    device.commit(count)
    taken(device, count)
    return device


def acknowledged(device: Device) -> Acknowledged:
    state = device.publisher.stats().acknowledged
    assert state
    return state


def refused(device: Device) -> int:
    return acknowledged(device).refused


def test_what_the_centre_acknowledges_is_forgotten_and_nothing_more(
    make_device: MakeDevice,
) -> None:
    with silent_centre() as (broker, centre):
        device = sent(make_device, broker, 30)
        stats = device.publisher.stats()
        assert (stats.depth, stats.in_flight) == (30, 0)
        state = acknowledged(device)
        assert (state.upto, state.waiting) == (0, 30)
        assert state.seconds is not None

        centre.acknowledge(ROOT, device.outbox.epoch, 12)
        wait_for(lambda: acknowledged(device).upto == 12, "twelve are forgotten")
        assert device.waiting() == [*range(13, 31)]
        assert acknowledged(device).waiting == 18

        centre.acknowledges = True
        device.commit()
        wait_for(lambda: acknowledged(device).upto == 31, "all are forgotten")
        assert device.outbox.depth() == 0
        wait_for(lambda: acknowledged(device).seconds is None, "nothing is waited for")
        assert acknowledged(device).waiting == 0
        assert centre.first_arrivals() == [*range(1, 32)]


def test_a_backlog_longer_than_any_window_goes_out_without_waiting_for_the_centre(
    make_device: MakeDevice,
) -> None:
    with silent_centre() as (broker, centre):
        device = make_device(broker, publisher=BY_CENTRE)
        device.commit(500)
        wait_for(lambda: len(centre.received) == 500, "all come")
        assert device.outbox.depth() == 500
        assert device.publisher.stats().resent == 0


def test_what_is_not_acknowledged_comes_again_with_every_connection(
    make_device: MakeDevice,
) -> None:
    with silent_centre() as (broker, centre):
        device = sent(make_device, broker, 25)
        broker.kill()
        device.wait_for_state(LinkState.WAITING)
        broker.start()
        wait_for(lambda: len(centre.received) >= 50, "they come again")
        assert device.outbox.depth() == 25
        assert centre.first_arrivals() == [*range(1, 26)]
        by_id = {each["id"]: each for each in centre.received}
        assert all(each == by_id[each["id"]] for each in centre.received)
        centre.acknowledge(ROOT, device.outbox.epoch, 25)
        device.wait_until_empty()


def test_a_device_that_starts_hears_what_was_acknowledged_while_it_was_away(
    make_device: MakeDevice,
) -> None:
    with silent_centre() as (broker, centre):
        before = sent(make_device, broker, 40)
        before.publisher.stop(1.0)
        before.outbox.close()
        centre.acknowledge(ROOT, before.outbox.epoch, 40)
        after = make_device(broker, publisher=BY_CENTRE)
        after.wait_until_empty()
        wait_for(lambda: acknowledged(after).waiting == 0, "nothing is waited for")
        assert after.commit() == [41]


def test_what_is_not_acknowledged_in_time_comes_again_less_and_less_often(
    make_device: MakeDevice, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "edge_runtime")
    with silent_centre() as (broker, centre):
        device = make_device(broker, publisher={**BY_CENTRE, "resend_after": 0.5})
        device.commit(30)
        moments = []
        for times in range(1, 4):
            wait_for(lambda times=times: len(centre.received) >= 30 * times, "they come again")
            moments.append(time.monotonic())
        assert moments[1] - moments[0] > 0.3
        assert moments[2] - moments[1] > 0.8
        assert [int(each["sequence"]) for each in centre.received[30:60]] == [*range(1, 31)]
        assert device.publisher.stats().resent >= 60
        assert device.publisher.stats().reconnects == 0
        centre.acknowledge(ROOT, device.outbox.epoch, 30)
        device.wait_until_empty()
        assert "no acknowledgement comes for the alerts: they are sent again" in caplog.text


def test_while_the_centre_acknowledges_nothing_is_sent_twice(make_device: MakeDevice) -> None:
    with Broker() as broker, SmallCentre(broker) as centre:
        device = make_device(broker, publisher={**BY_CENTRE, "resend_after": 1.0})
        for _ in range(20):
            device.commit(10)
            time.sleep(0.1)  # altogether twice as long as `resend_after`
        device.wait_until_empty()
        assert len(centre.received) == 200
        assert device.publisher.stats().resent == 0


def test_an_acknowledgement_that_cannot_be_right_removes_nothing_and_is_told(
    make_device: MakeDevice, caplog: pytest.LogCaptureFixture
) -> None:
    with silent_centre() as (broker, centre):
        device = sent(make_device, broker, 3)
        epoch = device.outbox.epoch
        wrong = [
            (epoch + 1, 3, None, f"this outbox is of epoch {epoch}"),
            (epoch, 4, None, "alert 4 is acknowledged, and the last one is 3"),
            (epoch, 2, "0" * 64, "alert 2 is acknowledged with a hash that is not its own"),
        ]
        for number, (of, sequence, digest, sentence) in enumerate(wrong, start=1):
            for _ in range(2):
                centre.acknowledge(ROOT, of, sequence, digest)
            wait_for(lambda number=number: refused(device) == 2 * number, sentence)
            assert caplog.text.count(sentence) == 1
        assert device.waiting() == [1, 2, 3]
        centre.acknowledge(ROOT, epoch, 2)
        wait_for(lambda: device.waiting() == [3], "a right one is believed all the same")


def test_a_right_acknowledgement_is_not_lost_beside_a_wrong_one(make_device: MakeDevice) -> None:
    with silent_centre() as (broker, centre):
        device = sent(make_device, broker, 3)
        centre.acknowledge(ROOT, device.outbox.epoch, 2)
        centre.acknowledge(ROOT, device.outbox.epoch, 3, "0" * 64)
        wait_for(lambda: device.waiting() == [3], "the right one counts")
        assert refused(device) == 1


HOSTILE: list[bytes] = [
    b"",
    b"\x00\xff\xfe",
    b"[]",
    b"null",
    b'"ack"',
    b"{}",
    b'{"epoch": "1", "sequence": "2"}',
    b'{"epoch": 1, "sequence": 0}',
    b'{"epoch": 1, "sequence": -5}',
    b'{"epoch": 1, "sequence": 1.5}',
    b'{"epoch": 1, "sequence": true}',
    b'{"epoch": 1, "sequence": 1e400}',
    b'{"epoch": 1, "sequence": 99999999999999999999999}',
    b'{"epoch": null, "sequence": 2}',
    b'{"epoch": 1, "sequence": 2, "hash": "x"}',
    b'{"epoch": 1, "sequence": [2]}',
    b'{"epoch": 1, "sequence": 2' + b" " * 5000 + b"}",
    b"[" * 900,
    b"x" * 200_000,
]


def test_whatever_comes_in_place_of_an_acknowledgement_does_nothing(
    make_device: MakeDevice, caplog: pytest.LogCaptureFixture
) -> None:
    with silent_centre() as (broker, centre):
        device = sent(make_device, broker, 3)
        for payload in HOSTILE:
            centre.say(ROOT, payload)
        for number in range(100):
            centre.say(ROOT, f'{{"epoch": {number}, "sequence": {number + 1}}}')
        wait_for(lambda: refused(device) >= len(HOSTILE) + 1, "they are refused")
        assert device.waiting() == [1, 2, 3]
        assert caplog.text.count("an acknowledgement is refused") <= 20
        assert device.publisher.stats().reconnects == 0
        centre.acknowledge(ROOT, device.outbox.epoch, 3)
        device.wait_until_empty()


def test_no_subscriber_is_no_beginning_of_a_wait_for_the_centre(make_device: MakeDevice) -> None:
    with Broker() as broker:
        device = make_device(broker, publisher=BY_CENTRE)
        device.commit(3)
        wait_for(lambda: device.publisher.stats().held, "the alerts are held")
        assert (acknowledged(device).waiting, acknowledged(device).seconds) == (0, None)
        with SmallCentre(broker) as centre:
            device.wait_until_empty()
            assert centre.first_arrivals() == [1, 2, 3]


def test_a_stop_sends_what_was_not_sent_and_does_not_wait_for_the_centre(
    make_device: MakeDevice,
) -> None:
    with silent_centre() as (broker, centre):
        device = make_device(broker, publisher=BY_CENTRE)
        device.wait_for_state(LinkState.ONLINE)
        device.commit(200)
        began = time.monotonic()
        device.publisher.stop(4.0)
        assert time.monotonic() - began < 2.0
        assert device.outbox.depth() == 200
        wait_for(lambda: len(centre.received) == 200, "all came")


def test_what_is_asked_for_is_sent_again_in_order_and_what_is_gone_is_named(
    make_device: MakeDevice,
) -> None:
    with silent_centre() as (broker, centre):
        device = make_device(broker, publisher=BY_CENTRE)
        device.commit(60)
        wait_for(lambda: len(centre.received) == 60, "all come")
        centre.acknowledge(ROOT, device.outbox.epoch, 10)
        wait_for(lambda: device.outbox.depth() == 50, "ten are forgotten")
        device.outbox.delivered([20, 21, 40])

        resent = device.publisher.resend(5, 42)
        assert (resent.count, resent.missing) == (29, ((5, 10), (20, 21), (40, 40)))
        expected = [*range(11, 20), *range(22, 40), 41, 42]
        wait_for(lambda: len(centre.received) == 60 + len(expected), "they come again")
        assert [int(each["sequence"]) for each in centre.received[60:]] == expected
        assert device.publisher.resend(1, 9).count == 0


def test_where_the_brokers_word_is_enough_no_acknowledgement_is_asked_for(
    make_device: MakeDevice,
) -> None:
    with Broker() as broker, Subscriber(broker, "edge/v1/+/+/alert/#") as subscriber:
        device = make_device(broker, publisher={"acknowledged_by": AcknowledgedBy.BROKER})
        device.commit(30)
        device.wait_until_empty()
        assert device.publisher.stats().acknowledged is None
        wait_for(lambda: len(subscriber.payloads()) == 30, "all came")
        assert first_arrivals(subscriber.payloads()) == [*range(1, 31)]
        assert f"{ROOT}/ack" not in broker.log


def test_an_alert_is_not_lost_with_a_broker_that_is_killed_before_it_saves(
    make_device: MakeDevice,
) -> None:
    # The centre is away, and its session holds what the broker has acknowledged: in memory.
    unsaved = ["autosave_on_changes false", "autosave_interval 1800"]
    with Broker(extra=unsaved) as broker:
        with SmallCentre(broker, session=3600) as centre:
            device = make_device(broker, publisher={**BY_CENTRE, "reconnect": Backoff(2.0, 2.0)})
            device.commit(5)
            device.wait_until_empty()
        device.commit(20)
        taken(device, 25)
        broker.kill()
        device.wait_for_state(LinkState.WAITING)
        broker.start()
        with SmallCentre(broker, session=3600) as centre:
            wait_for(lambda: len(centre.first_arrivals()) == 20, "the broker lost what it took")
            assert centre.first_arrivals() == [*range(6, 26)]
