"""A small monitoring centre for tests: it subscribes, keeps in memory what comes, and acknowledges.

It says how far it holds a device's alerts without a gap, at most ten times a second, as a centre
with a database would. It stands for no real one: it forgets all when it ends.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_runtime.messaging.wire import Acknowledgement, Dropped
from tests.broker import Broker, wait_for

_EVERY_SECONDS = 0.1
Epoch = tuple[str, int]
"""The device's part of its topics, and the epoch."""


class SmallCentre:
    """Connects from entering to leaving, again and again while the broker is away.

    Args:
        broker: where the alerts come.
        acknowledges: whether it says how far it holds them; `acknowledges` may be changed.
        session: seconds for which the broker keeps alerts for it while it is away.

    Attributes:
        received: the alerts in the order in which they came, those that came again among them.
        first_at: when the first came, in monotonic seconds; None before.
        dropped: the numbers that devices said they gave up.
    """

    def __init__(self, broker: Broker, *, acknowledges: bool = True, session: int = 0) -> None:
        self._broker = broker
        self._session = session
        self.acknowledges = acknowledges
        self.received: list[dict[str, Any]] = []
        self.first_at: float | None = None
        self.dropped: set[int] = set()
        self._hashes: dict[Epoch, dict[int, str | None]] = defaultdict(dict)
        self._upto: dict[Epoch, int] = defaultdict(int)
        self._news: set[Epoch] = set()
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._subscribed = threading.Event()
        self._threads = [
            threading.Thread(target=each, daemon=True) for each in (self._listen, self._answer)
        ]
        self._client = Client(
            CallbackAPIVersion.VERSION2, "centre", protocol=MQTTv5, reconnect_on_failure=False
        )
        self._client.on_connect = lambda client, *_: client.subscribe(
            [(f"edge/v1/+/+/{topic}", 1) for topic in ("alert/#", "dropped")]
        )
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._take

    def first_arrivals(self) -> list[int]:
        """The sequences in the order in which each came for the first time."""
        return list(dict.fromkeys(int(each["sequence"]) for each in tuple(self.received)))

    def acknowledge(self, root: str, epoch: int, sequence: int, digest: str | None = None) -> None:
        """Say that all up to `sequence` is held, whether it is so or not; retained."""
        said = Acknowledgement(epoch=epoch, sequence=sequence, hash=digest)
        self.say(root, said.to_json())

    def say(self, root: str, payload: str | bytes) -> None:
        """Publish anything to a device's topic `ack`; retained."""
        self._client.publish(f"{root}/ack", payload, qos=1, retain=True)

    def __enter__(self) -> SmallCentre:
        for thread in self._threads:
            thread.start()
        wait_for(self._subscribed.is_set, "the centre has subscribed")
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._client.disconnect()
        for thread in self._threads:
            thread.join(5.0)

    def _listen(self) -> None:
        session: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = self._session
        where = self._broker.host, self._broker.port
        while not self._ending.is_set():
            try:
                self._client.connect(
                    *where, keepalive=5, clean_start=not self._session, properties=session
                )
                self._client.loop_forever()
            except OSError:
                pass  # the broker is away
            self._ending.wait(0.1)

    def _take(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        if message.topic.endswith("/dropped"):
            self._take_dropped(message)
            return
        alert = json.loads(message.payload)
        device = message.topic.partition("/alert/")[0], int(alert["id"].split("/")[1])
        with self._lock:
            self.first_at = self.first_at or time.monotonic()
            self.received.append(alert)
            self._hashes[device][int(alert["sequence"])] = alert["hash"]
            self._news.add(device)

    def _take_dropped(self, message: MQTTMessage) -> None:
        said = Dropped.read(message.payload).data
        device = message.topic.removesuffix("/dropped"), said.epoch
        with self._lock:
            for each in said.ranges:
                for number in range(each.first, each.last + 1):
                    self.dropped.add(number)
                    self._hashes[device].setdefault(number, None)
            self._news.add(device)

    def _answer(self) -> None:
        while not self._ending.wait(_EVERY_SECONDS):
            if self.acknowledges and self._client.is_connected():
                for (root, epoch), upto, digest in self._progress():
                    self.acknowledge(root, epoch, upto, digest)

    def _progress(self) -> list[tuple[Epoch, int, str | None]]:
        with self._lock:
            news, self._news = self._news, set()
            for device in news:
                while self._upto[device] + 1 in self._hashes[device]:
                    self._upto[device] += 1
            held = [(device, self._upto[device]) for device in news if self._upto[device]]
            return [(device, upto, self._hashes[device][upto]) for device, upto in held]
