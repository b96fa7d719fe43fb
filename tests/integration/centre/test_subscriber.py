"""A subscriber of one's own: the iterator, and the example that uses it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_runtime.alerts.chain import digest
from edge_runtime.centre import ReceivedAlert, Subscriber
from edge_runtime.messaging.settings import MqttSettings
from tests.broker import Broker, wait_for
from tests.centre import Chain, EmulatedDevice

EXAMPLE = Path(__file__).parents[3] / "examples" / "subscriber.py"


@contextmanager
def subscribing(broker: Broker, subscriber: Subscriber) -> Iterator[list[ReceivedAlert]]:
    """All that comes, unacknowledged."""
    came: list[ReceivedAlert] = []
    known = broker.log.count("Sending SUBACK")

    def collect() -> None:
        with subscriber as alerts:
            for alert in alerts:
                came.append(alert)

    thread = threading.Thread(target=collect)
    thread.start()
    try:
        wait_for(lambda: broker.log.count("Sending SUBACK") > known, "it is subscribed")
        yield came
    finally:
        subscriber.stop()
        thread.join(10)
        assert not thread.is_alive()


def subscriber_at(broker: Broker) -> Subscriber:
    return Subscriber(MqttSettings(broker.host, "my-store", port=broker.port))


def collect(broker: Broker, count: int, *, keep: int) -> list[str]:
    """Take `count` alerts and acknowledge the first `keep` of them."""
    came = []
    with subscriber_at(broker) as alerts:
        for number, alert in enumerate(alerts, 1):
            came.append(alert.event.sequence)
            if number <= keep:
                alert.ack()
            if number == count:
                break
    return came


def test_only_what_is_acknowledged_is_told_to_the_device_and_the_rest_comes_again(
    broker: Broker,
) -> None:
    chain = Chain()
    with EmulatedDevice(broker, chain) as device:
        with subscribing(broker, subscriber_at(broker)):
            pass  # From now on the broker keeps what comes.
        device.send(chain.grow(5))
        assert collect(broker, 5, keep=3) == ["1", "2", "3", "4", "5"]
        device.acknowledged_to(3)
        with subscribing(broker, subscriber_at(broker)) as came:
            wait_for(lambda: len(came) == 2, "the other two")
            assert [each.sequence for each in came] == [4, 5]
            for each in came:
                each.ack()
            device.acknowledged_to(5)


def test_what_is_acknowledged_out_of_order_waits_for_what_is_before_it(broker: Broker) -> None:
    chain = Chain()
    with (
        subscribing(broker, subscriber_at(broker)) as came,
        EmulatedDevice(broker, chain) as device,
    ):
        device.send(chain.grow(3))
        wait_for(lambda: len(came) == 3, "all came")
        came[2].ack()
        came[1].ack()
        assert device.acknowledged == []
        came[0].ack()
        device.acknowledged_to(3)


def test_what_the_device_dropped_is_told_and_passed(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    chain = Chain()
    alerts = chain.grow(5)
    with (
        subscribing(broker, subscriber_at(broker)) as came,
        EmulatedDevice(broker, chain) as device,
    ):
        device.send([alerts[0], alerts[4]])
        wait_for(lambda: len(came) == 2, "both came")
        for each in came:
            each.ack()
        device.tell("dropped", chain.dropped(2, 4))
        device.acknowledged_to(5)
        device.acknowledged.clear()
        device.tell("dropped", chain.dropped(2, 4))
        device.acknowledged_to(5)
    assert caplog.text.count("gave up the alerts 2 to 4") == 1


def test_a_broken_chain_is_acknowledged_no_further_until_it_is_accepted(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    chain = Chain()
    alerts = chain.grow(3)
    document = {**json.loads(alerts[1].to_json()), "previoushash": "e" * 64}
    document["hash"] = digest(document)
    own = subscriber_at(broker)
    with subscribing(broker, own) as came, EmulatedDevice(broker, chain) as device:
        device.send(alerts[:1])
        device.publish(chain.topics.alert("front", "presence"), json.dumps(document))
        device.publish(chain.topics.alert("front", "presence"), b"nothing of the kind")
        wait_for(lambda: len(came) == 2, "both came")
        for each in came:
            each.ack()
        device.acknowledged_to(1)
        assert "alert 2 does not follow" in caplog.text
        own.accept(came[0].chain)
        device.acknowledged_to(2)


def test_the_example_keeps_each_alert_over_a_kill(broker: Broker, tmp_path: Path) -> None:
    chain = Chain()
    file = tmp_path / "alerts.jsonl"
    command = [sys.executable, str(EXAMPLE), broker.host, str(file), "--port", str(broker.port)]
    with EmulatedDevice(broker, chain) as device:
        for last, end in ((20, "kill"), (40, "terminate")):
            known = broker.log.count("Sending SUBACK")
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            wait_for(lambda: broker.log.count("Sending SUBACK") > known, "it is subscribed")  # noqa: B023
            device.send(chain.grow(20))
            device.acknowledged_to(last)
            getattr(process, end)()
            assert process.wait(10) == (-9 if end == "kill" else 0)
    kept = dict.fromkeys(file.read_text().splitlines())
    assert list(kept) == [each.to_json() for each in chain.alerts]
