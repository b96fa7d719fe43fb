"""A publisher with a real outbox, for a real broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.alerts.alert import Alert, Origin
from edge_runtime.alerts.limits import Limits
from edge_runtime.alerts.outbox import Outbox
from edge_runtime.backoff import Backoff
from edge_runtime.messaging.link import LinkState
from edge_runtime.messaging.publisher import Publisher
from edge_runtime.messaging.receipts import AcknowledgedBy
from edge_runtime.messaging.settings import MqttSettings
from edge_runtime.messaging.topics import Topics
from tests.alerts import ALERT
from tests.broker import Broker, wait_for

QUICK = Backoff(0.1, 0.3)
ROOT = "edge/v1/branch-7/atm-1"
BY_CENTRE = {"acknowledged_by": AcknowledgedBy.CENTRE}


def make_alert(camera: str = "front", boxes: int = 1) -> Alert:
    return replace(ALERT, camera=camera, boxes=((0.1, 0.2, 0.3, 0.4),) * boxes)


@dataclass
class Device:
    """A device's outbox and publisher."""

    outbox: Outbox
    publisher: Publisher

    def commit(self, count: int = 1, alert: Alert | None = None) -> list[int]:
        """Commit alerts: their sequences."""
        what = alert or make_alert()
        return [
            int(self.outbox.commit(what, model=None, clock_synchronised=True).sequence)
            for _ in range(count)
        ]

    def waiting(self) -> list[int]:
        """The sequences of the alerts that wait."""
        return [entry.sequence for entry in self.outbox.pending(0, 1000)]

    def wait_for_state(self, state: LinkState) -> None:
        wait_for(lambda: self.publisher.stats().link is state, f"the link is {state}")

    def wait_until_empty(self) -> None:
        wait_for(lambda: self.outbox.depth() == 0, "the outbox is empty")


MakeDevice = Callable[..., Device]


@pytest.fixture
def make_device(tmp_path: Path) -> Iterator[MakeDevice]:
    """Makes a started device for a broker; further arguments are those of the settings."""
    with ExitStack() as stack:

        def make(
            broker: Broker,
            publisher: dict[str, Any] | None = None,
            limits: Limits | None = None,
            start: bool = True,
            **settings: Any,
        ) -> Device:
            outbox = stack.enter_context(
                Outbox(tmp_path / "o.db", Origin("branch-7", "atm-1"), limits)
            )
            options = {
                "acknowledged_by": AcknowledgedBy.BROKER,
                "reconnect": QUICK,
                "retry": QUICK,
                **(publisher or {}),
            }
            made = Publisher(
                MqttSettings(
                    **{"host": broker.host, "port": broker.port, "client_id": "atm-1"} | settings
                ),
                outbox,
                Topics("branch-7", "atm-1"),
                **options,
            )
            stack.callback(made.stop, 2.0)
            if start:
                made.start()
            return Device(outbox, made)

        yield make


def first_arrivals(payloads: list[dict[str, Any]]) -> list[int]:
    """The sequences in the order in which each came for the first time."""
    return list(dict.fromkeys(int(each["sequence"]) for each in payloads if each))
