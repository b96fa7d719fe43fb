"""What a monitoring centre would do: subscribe, take what comes, and say how far it holds it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_runtime.messaging.wire import Acknowledgement
from edge_runtime.ranges import Span, merged
from edge_runtime.service.demo.brokers import HOST

TOPICS = ("alert/#", "status", "health")
"""Those of all devices that are listened to."""
_SESSION_SECONDS = 3600
_KEEPALIVE = 5
_RETRY_SECONDS = 0.1
_STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it arrived.

    Attributes:
        at: when, in monotonic seconds.
        wall: when, in Unix seconds.
        topic: its topic.
        retained: whether the broker had kept it, and it may be old.
        payload: its JSON.
    """

    at: float
    wall: float
    topic: str
    retained: bool
    payload: dict[str, Any]


class Subscriber:
    """Receives all that devices publish, over a session that outlives a connection.

    Each alert that comes is acknowledged, with all before it that came. It connects again and
    again, for as long as it takes, until `stop`.
    """

    def __init__(self, port: int, tell: Callable[[Received], None]) -> None:
        """Prepare; `tell` gets each message, in the subscriber's own thread."""
        self._port = port
        self._tell = tell
        self._stopping = threading.Event()
        self._subscribed = threading.Event()
        self._held: dict[tuple[str, int], list[Span]] = {}
        """Which alerts came, of each device and epoch."""
        self._client = Client(
            CallbackAPIVersion.VERSION2, "demo-centre", protocol=MQTTv5, reconnect_on_failure=False
        )
        filters = [(f"edge/v1/+/+/{topic}", SubscribeOptions(qos=1)) for topic in TOPICS]
        self._client.on_connect = lambda client, *_: client.subscribe(filters)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._thread = threading.Thread(target=self._run, name="demo-subscriber", daemon=True)

    def start(self, timeout: float) -> bool:
        """Begin; whether it had subscribed within `timeout` seconds."""
        self._thread.start()
        return self._subscribed.wait(timeout)

    def stop(self) -> None:
        """Say goodbye."""
        self._stopping.set()
        self._client.disconnect()
        self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        session: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = _SESSION_SECONDS
        while not self._stopping.is_set():
            try:
                self._client.connect(
                    HOST, self._port, _KEEPALIVE, clean_start=False, properties=session
                )
                self._client.loop_forever()  # until the connection ends
            except OSError:
                pass  # the broker is away, which is what the demo is about
            self._stopping.wait(_RETRY_SECONDS)

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        payload: dict[str, Any] = json.loads(message.payload)
        received = Received(time.monotonic(), time.time(), message.topic, message.retain, payload)
        root, is_alert, _ = message.topic.partition("/alert/")
        if is_alert:
            self._acknowledge(root, payload)
        self._tell(received)

    def _acknowledge(self, root: str, alert: dict[str, Any]) -> None:
        """Say how far a device's alerts are here without a gap."""
        epoch, sequence = int(alert["id"].split("/")[1]), int(alert["sequence"])
        held = merged([*self._held.get((root, epoch), []), (sequence, sequence)])
        self._held[root, epoch] = held
        first, last = held[0]
        if first == 1:
            said = Acknowledgement(epoch=epoch, sequence=last).to_json()
            self._client.publish(f"{root}/ack", said, qos=1, retain=True)
