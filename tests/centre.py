"""The centre's side of tests: a device that is told what to do, and a centre in a thread."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties

from edge_runtime.alerts.alert import (
    CONTENT_TYPE,
    Alert,
    AlertEvent,
    Origin,
    event,
    rfc3339,
)
from edge_runtime.alerts.chain import BEGINNING
from edge_runtime.centre.centre import Centre, Pace
from edge_runtime.centre.database import open_database
from edge_runtime.centre.store import Store
from edge_runtime.centre.view import DeviceView, look
from edge_runtime.messaging.settings import MqttSettings
from edge_runtime.messaging.topics import Topics
from edge_runtime.messaging.wire import DROPPED_TYPE
from tests.alerts import ALERT
from tests.broker import Broker, wait_for

EPOCH = 1795416937655337
QUICK = Pace(patience=0.3, ask_every=0.5, ask_longest=2.0)
NOON = 1.79e9


def an_alert(number: int, **changes: Any) -> Alert:
    """One that differs by its number."""
    plain: dict[str, Any] = {
        "wall_time": NOON + number,
        "incident": f"front/{number}",
        "boxes": ((0.1, 0.2, 0.3, 0.4),),
    }
    return replace(ALERT, **plain | changes)


class Chain:
    """The alerts of one epoch of a device, made one after another.

    Attributes:
        alerts: those that were made, from number 1.
    """

    def __init__(self, device: str = "atm-1", site: str = "paris-12", epoch: int = EPOCH) -> None:
        self.site, self.device, self.epoch = site, device, epoch
        self.topics = Topics(site, device)
        self.alerts: list[AlertEvent] = []

    def grow(self, count: int, **changes: Any) -> list[AlertEvent]:
        """Make `count` more."""
        made = []
        for _ in range(count):
            number = len(self.alerts) + 1
            before = self.alerts[-1].hash if self.alerts else BEGINNING
            alert = event(
                an_alert(number, **changes),
                origin=Origin(self.site, self.device),
                epoch=self.epoch,
                sequence=number,
                model=None,
                clock_synchronised=True,
            ).chained(before or "")
            self.alerts.append(alert)
            made.append(alert)
        return made

    def dropped(self, first: int, last: int) -> str:
        """What the device says when it has given up these."""
        data = {
            "from": first,
            "to": last,
            "severity": "high",
            "count": {"high": last - first + 1},
            "previoushash": self.alerts[first - 1].previoushash,
            "hash": self.alerts[last - 1].hash,
        }
        return json.dumps(
            {
                "specversion": "1.0",
                "id": f"{self.device}/{self.epoch}/dropped/{first}-{last}",
                "source": f"{self.site}/{self.device}",
                "type": DROPPED_TYPE,
                "time": rfc3339(NOON),
                "datacontenttype": "application/json",
                "data": {"epoch": self.epoch, "ranges": [data]},
            }
        )

    def health(self, now: float, **changes: Any) -> str:
        """What the device says of itself, as far as a centre looks at it."""
        last = self.alerts[-1] if self.alerts else None
        plain: dict[str, Any] = {
            "state": "online",
            "time": rfc3339(now),
            "started": rfc3339(NOON),
            "reasons": [],
            "outbox": {"depth": 0, "epoch": self.epoch, "committed": len(self.alerts)},
            "chain": {
                "site": self.site,
                "device": self.device,
                "epoch": self.epoch,
                "first": 1,
                "sequence": len(self.alerts),
                "hash": (last.hash if last else None) or BEGINNING,
                "time": rfc3339(now),
            },
            "cameras": [{"name": "front", "state": "live", "last_frame_age": 0.1}],
        }
        return json.dumps(plain | changes)


class EmulatedDevice:
    """A client that publishes what it is told to, and keeps what it hears; a context manager.

    Attributes:
        acknowledged: the acknowledgements that came, in their order.
        commands: the commands that came.
    """

    def __init__(self, broker: Broker, chain: Chain) -> None:
        self.chain = chain
        self.acknowledged: list[dict[str, Any]] = []
        self.commands: list[dict[str, Any]] = []
        self._broker = broker
        self._client = Client(
            CallbackAPIVersion.VERSION2, f"{chain.site}-{chain.device}", protocol=MQTTv5
        )
        self._client.on_message = self._heard
        self._subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_connect = lambda *_: self._subscribe()
        self._client.reconnect_delay_set(1, 1)

    def __enter__(self) -> EmulatedDevice:
        self._client.connect(self._broker.host, self._broker.port)
        self._client.loop_start()
        assert self._subscribed.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, alerts: Iterable[AlertEvent]) -> None:
        """Publish these, and wait until the broker has them."""
        for alert in alerts:
            data = alert.data
            self.publish(self.chain.topics.alert(data.camera, data.rule), alert.to_json())

    def connected(self) -> bool:
        """Whether it is at the broker, and hears what comes."""
        return self._client.is_connected()

    def publish(self, topic: str, payload: str | bytes, *, retain: bool = False) -> None:
        """Publish with QoS 1, and wait until the broker has it."""
        properties: Any = Properties(3)  # type: ignore[no-untyped-call]
        properties.ContentType = CONTENT_TYPE
        told = self._client.publish(topic, payload, 1, retain, properties)
        told.wait_for_publish(10)

    def publish_all(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Publish all of these with QoS 1, and wait for the broker once, at the end."""
        last = None
        for topic, payload in messages:
            last = self._client.publish(topic, payload, 1)
        if last is not None:
            last.wait_for_publish(120)

    def tell(self, kind: str, payload: str, *, retain: bool = False) -> None:
        """Publish on one of the device's own topics."""
        self.publish(f"{self.chain.topics.root}/{kind}", payload, retain=retain)

    def acknowledged_to(self, sequence: int, timeout: float = 15.0) -> None:
        """Wait until the centre has acknowledged exactly so far.

        Of two centres the one may say late what the other has said more of.
        """
        wait_for(
            lambda: max((a["sequence"] for a in self.acknowledged), default=0) == sequence,
            f"the acknowledgement of {sequence}; there is {self.acknowledged[-1:]}",
            timeout,
        )

    def _subscribe(self) -> None:
        self._client.subscribe([(self.chain.topics.ack, 1), (self.chain.topics.command("+"), 1)])

    def _heard(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        told = json.loads(message.payload)
        kept = self.acknowledged if message.topic == self.chain.topics.ack else self.commands
        kept.append(told)


def database_in(folder: Path) -> str:
    """The URL of an SQLite file in `folder`."""
    return f"sqlite:///{folder / 'centre.sqlite'}"


def seen(url: str) -> DeviceView:
    """How the only device in that database is shown."""
    engine = open_database(url)
    (view,) = look(engine, time.time())
    engine.dispose()
    return view


@contextmanager
def running_centre(
    broker: Broker,
    url: str,
    client_id: str = "edge-centre-1",
    pace: Pace = QUICK,
    session_expiry: int = 300,
) -> Iterator[Centre]:
    """A centre in a thread, that listens when this is entered."""
    with Store(url) as store:
        settings = MqttSettings(broker.host, client_id, port=broker.port)
        centre = Centre(settings, store, pace=pace, session_expiry=session_expiry)
        known = broker.log.count("Sending SUBACK")
        thread = threading.Thread(target=centre.run)
        thread.start()
        try:
            wait_for(lambda: broker.log.count("Sending SUBACK") >= known + 2, "the centre listens")
            yield centre
        finally:
            centre.stop()
            thread.join(10)
            assert not thread.is_alive()


@contextmanager
def centre_and_device(broker: Broker, url: str, chain: Chain) -> Iterator[EmulatedDevice]:
    """A centre that runs, and the device of `chain`."""
    with running_centre(broker, url), EmulatedDevice(broker, chain) as device:
        yield device
