"""The demo's brokers: what they take, what they tell, and that they come back after a kill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.alerts.alert import Origin
from edge_runtime.alerts.outbox import Outbox
from edge_runtime.backoff import Backoff
from edge_runtime.messaging.publisher import Publisher
from edge_runtime.messaging.settings import MqttSettings
from edge_runtime.messaging.topics import Topics
from edge_runtime.service.demo.brokers import HOST, Broker, BrokerKind, made_broker
from edge_runtime.service.demo.errors import DemoError
from edge_runtime.service.demo.subscriber import Received, Subscriber
from tests.alerts import ALERT
from tests.broker import wait_for


@pytest.fixture(params=[BrokerKind.MOSQUITTO, BrokerKind.PYTHON])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    made = made_broker(request.param, tmp_path)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.sqlite", Origin("demo", "atm-1")) as made:
        yield made


@pytest.fixture
def publisher(broker: Broker, outbox: Outbox) -> Iterator[Publisher]:
    """The daemon's own, only that it waits less."""
    made = Publisher(
        MqttSettings(HOST, "edge-demo-atm-1", broker.port),
        outbox,
        Topics("demo", "atm-1"),
        reconnect=Backoff(0.1, 0.3),
        retry=Backoff(0.2, 0.5),
    )
    made.start()
    yield made
    made.stop(1.0)


def commit(outbox: Outbox, count: int) -> None:
    for _ in range(count):
        outbox.commit(ALERT, model=None, clock_synchronised=False)


def sequences(received: list[Received]) -> list[int]:
    """The alerts that came; a broker that was killed may send one again, which counts once."""
    alerts = [each for each in received if "/alert/" in each.topic]
    return list(dict.fromkeys(int(each.payload["sequence"]) for each in alerts))


def test_alerts_wait_for_the_first_subscriber(
    broker: Broker, publisher: Publisher, outbox: Outbox
) -> None:
    commit(outbox, 3)
    wait_for(lambda: publisher.stats().held, "the broker says that nobody subscribed")
    assert outbox.depth() == 3
    received: list[Received] = []
    subscriber = Subscriber(broker.port, received.append)
    assert subscriber.start(10.0)
    wait_for(lambda: len(sequences(received)) == 3, "all came")
    assert sequences(received) == [1, 2, 3]
    wait_for(lambda: outbox.depth() == 0, "they are delivered")
    subscriber.stop()


def test_what_is_told_while_the_broker_is_dead_comes_when_it_is_back(
    broker: Broker, publisher: Publisher, outbox: Outbox
) -> None:
    received: list[Received] = []
    subscriber = Subscriber(broker.port, received.append)
    assert subscriber.start(10.0)
    commit(outbox, 2)
    wait_for(lambda: sequences(received) == [1, 2], "the first two came")
    broker.kill()
    commit(outbox, 2)
    wait_for(lambda: publisher.stats().last_error, "the publisher noticed")
    broker.start()
    wait_for(lambda: sequences(received) == [1, 2, 3, 4], "the others came, too")
    assert outbox.committed == 4
    publisher.publish_status({"state": "degraded", "reasons": ["a test"]})
    wait_for(lambda: received[-1].payload.get("reasons") == ["a test"], "the status came")
    subscriber.stop()


def test_a_broker_that_does_not_start_is_one_sentence(tmp_path: Path) -> None:
    made = Broker("nothing", ["false"], 1, tmp_path / "log")
    with pytest.raises(DemoError, match="the broker nothing does not start: "):
        made.start()
