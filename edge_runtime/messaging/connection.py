"""One connection with the broker, from CONNECT to its end; the next one is a new object.

paho-mqtt does the protocol and is driven from outside (``socket``, ``loop_read`` ...): there is
no thread of its own that could end while it still says that it is connected, and nothing of a
broken connection lives on in the next.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from types import TracebackType
from typing import Any, cast

from paho.mqtt.client import (
    MQTT_LOG_ERR,
    Client,
    ConnectFlags,
    DisconnectFlags,
    MQTTMessage,
    MQTTv5,
)
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_runtime.messaging.failures import (
    MqttError,
    dismissed,
    lost,
    not_connected,
    refused,
)
from edge_runtime.messaging.settings import MqttSettings, fault_of_identity, tls_context

NETWORK_SECONDS = 5.0
"""How long the network, TLS and the broker's answer may take, each."""

_UNANSWERED_MILLISECONDS = 20_000
"""How long bytes may stay unacknowledged before the kernel ends the connection."""
_UNLIMITED_PACKET = 268_435_460
_UNLIMITED_RECEIVE = 65_535
_FIXED_HEADER = 5
_AMPLE = 8192
"""Bytes: more than topic and properties of any message of ours."""
_UTF8_TEXT = 1


@dataclass(frozen=True, slots=True)
class Message:
    """What goes to the broker, with QoS 1.

    Attributes:
        topic: where.
        payload: UTF-8 text.
        content_type: its media type.
        retain: whether the broker keeps it for those who come later.
        user_properties: names and values that a subscriber sees without opening the payload.
        response_topic: where an answer is asked for.
        correlation: what an answer has to carry, or carries.
        expires: seconds after which the broker need not deliver it any more; None for never.
    """

    topic: str
    payload: str
    content_type: str
    retain: bool = False
    user_properties: Mapping[str, str] = field(default_factory=dict)
    response_topic: str | None = None
    correlation: bytes | None = None
    expires: int | None = None

    def properties(self, packet: int) -> Properties:
        """The MQTT 5 properties, for a PUBLISH or a will."""
        made: Any = Properties(packet)  # type: ignore[no-untyped-call]
        made.PayloadFormatIndicator = _UTF8_TEXT
        made.ContentType = self.content_type
        if self.user_properties:
            made.UserProperty = list(self.user_properties.items())
        if self.response_topic is not None:
            made.ResponseTopic = self.response_topic
        if self.correlation is not None:
            made.CorrelationData = self.correlation
        if self.expires is not None:
            made.MessageExpiryInterval = self.expires
        return cast(Properties, made)


@dataclass(frozen=True, slots=True)
class Received:
    """What came from the broker.

    Attributes:
        topic: where it was published.
        payload: as it came: it may be anything.
        retained: whether the broker keeps it for those who come later.
        response_topic: where an answer is asked for; None for nowhere.
        correlation: what the answer has to carry; None for nothing.
        number: names it to `Connection.acknowledge`; None where there is nothing to acknowledge.
    """

    topic: str
    payload: bytes
    retained: bool = False
    response_topic: str | None = None
    correlation: bytes | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """What the broker keeps for us while we are away, until we acknowledge it ourselves.

    Attributes:
        expires: seconds for which it is kept after the connection has ended.
        receive_maximum: how many messages may wait for our acknowledgement.
    """

    expires: int
    receive_maximum: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A PUBACK.

    Attributes:
        message: the number that `Connection.publish` returned.
        code: the reason code, 0 for success.
        name: the reason in the words of the standard.
    """

    message: int
    code: int
    name: str


class Connection:
    """One connection; used by one thread.

    Attributes:
        accepted: whether the broker has accepted us; it stays true when the connection ends.
        receive_maximum: how many messages the broker lets be in flight.
        maximum_packet_size: the largest packet in bytes that the broker takes.
        answers: the PUBACKs that came since the list was last emptied.
        received: the messages that came since the list was last emptied.
        refusals: the subscriptions that the broker refused, with its reason, since the list was
            last emptied.
        in_flight: how many messages wait for the broker's answer.
        waits_since: since when, in monotonic seconds, an answer is due and none came; None while
            none is due.
        answered: whether the broker has ever answered a message.
        failure: why the connection ended; None while it lives or when we closed it.
    """

    def __init__(
        self,
        settings: MqttSettings,
        will: Message | None = None,
        session: Session | None = None,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            settings: where the broker is.
            will: what it says for us when we vanish.
            session: without one each connection is a new beginning, and what comes in is
                acknowledged as it comes; with one it is by `acknowledge` alone.

        Raises:
            MqttSettingsError: a certificate file is wrong.
        """
        self._settings = settings
        self._session = session
        self.accepted = False
        self._detail = ""
        self.receive_maximum = _UNLIMITED_RECEIVE
        self.maximum_packet_size = _UNLIMITED_PACKET
        self.answers: list[Answer] = []
        self.received: list[Received] = []
        self.refusals: list[tuple[str, str]] = []
        self.in_flight = 0
        self.waits_since: float | None = None
        self.answered = False
        self._subscriptions: dict[int, list[str]] = {}
        self.failure: MqttError | None = None
        self._client = self._make_client(will)

    def open(self, timeout: float = NETWORK_SECONDS) -> None:
        """Connect, shake hands in TLS, and ask the broker to accept us.

        Its answer comes in a `turn`: then `accepted` is true, or `failure` is set.

        Args:
            timeout: seconds for the network, and again for TLS. Looking the name up may take
                longer: the system's resolver decides.

        Raises:
            MqttError: there is no way to the broker.
        """
        settings = self._settings
        self._client.connect_timeout = timeout
        try:
            self._client.connect(
                settings.host,
                settings.port,
                settings.keepalive,
                clean_start=self._session is None,
                properties=None if self._session is None else _asked(self._session),
            )
        except OSError as error:
            raise not_connected(settings.address, error, fault_of_identity(settings)) from error

    def turn(self, wake: int | None, timeout: float) -> bool:
        """Wait for the network, for `wake` or for `timeout` seconds, and do what there is to do.

        Answers are in `answers` afterwards, and `failure` is set if the connection ended.

        Returns:
            Whether `wake` is readable.
        """
        sock = self._client.socket()
        if not isinstance(sock, socket.socket):
            self._fail()
            return False
        poller = select.poll()
        poller.register(sock, select.POLLIN | (select.POLLOUT * self._client.want_write()))
        if wake is not None:
            poller.register(wake, select.POLLIN)
        # TLS may hold decrypted bytes that the kernel no longer tells of.
        ready = dict(poller.poll(0 if _buffered(sock) else max(timeout, 0) * 1000))
        events = ready.get(sock.fileno(), 0)
        if events & ~select.POLLOUT or _buffered(sock):
            self._client.loop_read()
            while _buffered(sock):
                self._client.loop_read()
        if events & select.POLLOUT:
            self._client.loop_write()
        self._client.loop_misc()
        if self._client.socket() is None:
            self._fail()
        return wake in ready

    @property
    def room(self) -> int:
        """How many more messages the broker lets be in flight."""
        return max(self.receive_maximum - self.in_flight, 0)

    @property
    def free(self) -> bool:
        """Whether it lets one more."""
        return self.room > 0

    def publish(self, message: Message) -> int | None:
        """Send `message`: its number, or None where the broker takes no packet as large."""
        properties = message.properties(PacketTypes.PUBLISH)
        payload = message.payload.encode()
        # To pack the properties costs as much as the rest of all this: seldom is it needed.
        if len(payload) + _AMPLE > self.maximum_packet_size:
            packed = len(properties.pack())  # type: ignore[no-untyped-call]
            size = _FIXED_HEADER + 4 + len(message.topic.encode()) + packed + len(payload)
            if size > self.maximum_packet_size:
                return None
        self.in_flight += 1
        if self.waits_since is None:
            self.waits_since = monotonic()
        return self._client.publish(
            message.topic, payload, qos=1, retain=message.retain, properties=properties
        ).mid

    def acknowledge(self, received: Iterable[Received]) -> None:
        """Tell the broker that these messages need not come again; they go with the next `turn`."""
        for each in received:
            if each.number is not None:
                self._client.ack(each.number, 1)

    def subscribe(self, filters: Iterable[str], *, as_published: bool = True) -> None:
        """Ask for what is published under `filters`, with QoS 1; it is in `received` then.

        Args:
            filters: topic filters.
            as_published: `Received.retained` says whether the broker was asked to keep the
                message; otherwise whether it was published before this subscription.
        """
        wanted = list(filters)
        options = [
            (each, SubscribeOptions(qos=1, retainAsPublished=as_published)) for each in wanted
        ]
        _, number = self._client.subscribe(options)
        if number is not None:
            self._subscriptions[number] = wanted

    def disconnect(self, timeout: float) -> None:
        """Say goodbye, so that the broker does not publish the will, and close.

        What is in flight is waited for: in all, at most `timeout` seconds pass.
        """
        deadline = monotonic() + timeout
        # A socket that is closed with something unread in it takes what was just sent with it.
        while self.in_flight and self.failure is None and (left := deadline - monotonic()) > 0:
            self.turn(None, left)
        self._client.disconnect()
        while self._client.socket() is not None and monotonic() < deadline:
            self.turn(None, 0.05)
        self.close()

    def close(self) -> None:
        """Cut the connection: without a goodbye the broker publishes the will."""
        sock = self._client.socket()
        if isinstance(sock, socket.socket):
            sock.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _make_client(self, will: Message | None) -> Client:
        settings = self._settings
        client = Client(
            CallbackAPIVersion.VERSION2,
            settings.client_id,
            protocol=MQTTv5,
            manual_ack=self._session is not None,
        )
        client.max_inflight_messages_set(0)  # The window is ours to count.
        if settings.username is not None:
            client.username_pw_set(settings.username, settings.password)
        if settings.tls:
            client.tls_set_context(tls_context(settings))
        if will is not None:
            client.will_set(
                will.topic,
                will.payload,
                qos=1,
                retain=will.retain,
                properties=will.properties(PacketTypes.WILLMESSAGE),
            )
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_log = self._on_log
        client.on_socket_open = _tune
        client.on_socket_register_write = _leave_it_to_turn
        return client

    def _fail(self) -> None:
        if self.failure is None:
            self.failure = lost(
                self._settings.address,
                self._detail,
                answered=self.accepted,
                tls=self._settings.tls,
                certificate=self._settings.certificate is not None,
                fault=None if self.accepted else fault_of_identity(self._settings),
            )

    # paho's callbacks: they run inside connect() and turn(), in our own thread.

    def _on_connect(
        self,
        _client: Client,
        _userdata: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self.failure = refused(self._settings.address, reason.value, str(reason))
            return
        self.accepted = True
        self.receive_maximum = getattr(properties, "ReceiveMaximum", _UNLIMITED_RECEIVE)
        self.maximum_packet_size = getattr(properties, "MaximumPacketSize", _UNLIMITED_PACKET)

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if self.failure is None and flags.is_disconnect_packet_from_server:
            self.failure = dismissed(self._settings.address, reason.value, str(reason))

    def _on_publish(
        self,
        _client: Client,
        _userdata: object,
        message: int,
        reason: ReasonCode,
        _properties: Properties,
    ) -> None:
        self.answered = True
        self.in_flight -= 1
        self.waits_since = monotonic() if self.in_flight else None
        name = str(reason) if reason.value else "Success"
        self.answers.append(Answer(message, reason.value, name))

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        properties = message.properties
        self.received.append(
            Received(
                message.topic,
                bytes(message.payload),
                message.retain,
                getattr(properties, "ResponseTopic", None),
                getattr(properties, "CorrelationData", None),
                message.mid if self._session is not None and message.qos else None,
            )
        )

    def _on_subscribe(
        self,
        _client: Client,
        _userdata: object,
        number: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        filters = self._subscriptions.pop(number, [])
        self.refusals += [
            (each, str(reason))
            for each, reason in zip(filters, reasons, strict=False)
            if reason.is_failure
        ]

    def _on_log(self, _client: Client, _userdata: object, level: int, text: str) -> None:
        if level == MQTT_LOG_ERR or "malformed packet" in text:
            self._detail = text


def _asked(session: Session) -> Properties:
    made: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    made.SessionExpiryInterval = session.expires
    made.ReceiveMaximum = session.receive_maximum
    return cast(Properties, made)


def _buffered(sock: socket.socket) -> bool:
    return isinstance(sock, ssl.SSLSocket) and sock.fileno() >= 0 and sock.pending() > 0


def _leave_it_to_turn(_client: Client, _userdata: object, _sock: object) -> None:
    """With this callback paho writes only when told to.

    So `turn` can read first: a broker that rejects us in TLS sends its reason and resets the
    connection, and a write that meets the reset would lose the reason.
    """


def _tune(_client: Client, _userdata: object, sock: Any) -> None:
    # Two alerts in a row are not to wait for each other's acknowledgement by TCP.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Else the kernel sends again for a quarter of an hour before it gives a dead connection up.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNANSWERED_MILLISECONDS)
