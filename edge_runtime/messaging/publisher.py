"""Brings the alerts of the outbox to the broker, in their order, whatever the network does."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

from paho.mqtt.client import topic_matches_sub

from edge_runtime import __version__
from edge_runtime.alerts.alert import CONTENT_TYPE, rfc3339
from edge_runtime.alerts.outbox import Entry, Outbox, OutboxError
from edge_runtime.backoff import Backoff
from edge_runtime.messaging.connection import (
    NETWORK_SECONDS,
    Answer,
    Connection,
    Message,
    Received,
)
from edge_runtime.messaging.delivery import (
    FAILURE,
    PACKET_TOO_LARGE,
    TOPIC_NAME_INVALID,
    Delivery,
    Verdict,
)
from edge_runtime.messaging.failures import BrokerRefusedError, MqttError, silent, stalled
from edge_runtime.messaging.link import Link, LinkState
from edge_runtime.messaging.settings import MqttSettings
from edge_runtime.messaging.topics import TopicError, Topics

_log = logging.getLogger(__name__)

_JSON = "application/json"
_RECONNECT = Backoff(4.0, 20.0, jitter=1.0)
"""A thousand boards lose one broker in one instant. The longest wait, and opening a connection, are
less than the 30 s in which alerts have to flow again."""
_LONGEST_TURN = 1.0
_STUCK_SECONDS = 60.0
"""Longer than opening a connection takes, with a resolver that does not answer."""
_PROVEN_SECONDS = 10.0
"""A connection that lasted this long and acknowledged something is good: two devices that share a
client id throw each other out within moments, after a perfect start."""
_SETTLE_SECONDS = 0.5
_MOST_OUTGOING = 100
_SETTLE_COUNT = 100
"""A delete costs the disk ten times less an alert when a hundred go at once."""


@dataclass(frozen=True, slots=True)
class PublisherStats:
    """How publishing goes.

    Attributes:
        link: how the way to the broker is.
        since: Unix seconds when it became so.
        in_flight: alerts that wait for the broker's answer.
        depth: alerts that wait, those in flight among them.
        delivered: alerts that the broker took since the start.
        set_aside: alerts that the broker will not take; they stay in the outbox.
        held: why the alerts wait although the broker is there, in words; None while they flow.
        last_error: the latest failure of the link, in words; None before the first.
        reconnects: how often the broker was reached again.
        changes: how often each link state was entered.
    """

    link: LinkState
    since: float
    in_flight: int
    depth: int
    delivered: int
    set_aside: int
    held: str | None
    last_error: str | None
    reconnects: int
    changes: Mapping[LinkState, int]


Handler = Callable[[Received], None]


class Publisher:
    """Owns one thread, which owns everything that has to do with the network.

    `start`, `stop`, `send`, `publish_status`, `publish_health`, `stats` and `heartbeat` may be used
    from any thread.
    """

    def __init__(
        self,
        settings: MqttSettings,
        outbox: Outbox,
        topics: Topics,
        *,
        reconnect: Backoff | None = None,
        retry: Backoff | None = None,
        stall_after: float = 20.0,
    ) -> None:
        """Prepare; nothing is opened before `start`.

        Args:
            settings: where the broker is.
            outbox: where the alerts wait. Its `on_commit` becomes this publisher's.
            topics: those of this device.
            reconnect: the waits between connections, up to 4 s at first, then up to 20 s.
            retry: the waits while the broker has nobody to give the alerts to, 4 to 30 s.
            stall_after: seconds without any acknowledgement, while one is due, after which the
                connection is given up.
        """
        self._settings = settings
        self._outbox = outbox
        self._topics = topics
        self._reconnect = reconnect or _RECONNECT
        self._delivery = Delivery(retry or Backoff(4.0, 30.0))
        self._stall_after = stall_after
        self._will = self._status_message({"state": "offline", "reason": "connection lost"})

        self._thread = threading.Thread(target=self._run, name="mqtt-publisher", daemon=True)
        self._stop_by: float | None = None
        self._stop_seconds = 0.0
        self._waker, self._wakened = socket.socketpair()
        self._waker.setblocking(False)
        self._wakened.setblocking(False)

        self._news_lock = threading.Lock()
        self._since = rfc3339(time.time())
        self._status: dict[str, Any] = {"state": "online"}
        self._news: dict[str, Message] = {}
        """The retained messages to be sent: the latest of each topic."""

        self._outgoing: deque[Message] = deque(maxlen=_MOST_OUTGOING)
        """Answers to be sent once: a broker that is away for long gets the latest."""
        self._handlers: dict[str, Handler] = {}

        self._others: dict[int, Message] = {}
        """Messages in flight that are not alerts."""
        self._more = True
        """Whether the outbox may hold alerts beyond the delivery's cursor."""
        self._unanswered_since: float | None = None
        self._settle_at: float | None = None
        self._connected_at: float | None = None
        self._answered_at: float | None = None
        self._complained: dict[int, int] = {}
        """Alerts set aside, and the reason code of the complaint that was logged."""

        self._link = Link(settings.address)
        self._held: str | None = None
        self._trouble: str | None = None
        self._delivered = 0
        self._connections = 0
        self._heartbeat = monotonic()

    @property
    def heartbeat(self) -> float:
        """When the thread last turned its loop, in monotonic seconds; at most about 1 s ago.

        It stands still while a connection is opened: up to 10 s, and as long as the system's
        resolver takes to look a name up.
        """
        return self._heartbeat

    def moving(self, now: float) -> bool:
        """Whether the thread is alive and not stuck, at `now` in monotonic seconds."""
        return self._thread.is_alive() and now - self.heartbeat < _STUCK_SECONDS

    def subscribe(self, topic_filter: str, handler: Handler) -> None:
        """Give what comes in under `topic_filter` to `handler`; before `start`.

        The handler runs in the publisher's thread: it has to be quick, and it may not raise.
        """
        self._handlers[topic_filter] = handler

    def send(self, message: Message) -> None:
        """Send `message` once, now or when the broker is there again; returns at once.

        It is kept in memory only: what must not be lost goes through the outbox.
        """
        self._outgoing.append(message)
        self._wake()

    def start(self) -> None:
        """Begin to connect and to send; returns at once."""
        self._outbox.on_commit = self._committed
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Send what waits, say that this device is offline, and close, in `timeout` seconds.

        Up to half of the time goes to the alerts that wait; what is not delivered stays in the
        outbox. The outbox may be closed afterwards.
        """
        self._stop_seconds = timeout
        self._stop_by = monotonic() + timeout
        self._wake()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        if self._thread.is_alive():
            _log.warning("the MQTT connection could not be closed within %g s", timeout)

    def publish_status(self, status: Mapping[str, Any]) -> None:
        """Make `status` the device's retained status, now and after every reconnect.

        Args:
            status: JSON values; ``state`` is ``online`` where it has none of its own. ``version``
                and ``since`` (of this process) are added.
        """
        with self._news_lock:
            self._status = {"state": "online", **status}
            self._news[self._topics.status] = self._online_message()
        self._wake()

    def publish_health(self, health: Mapping[str, Any]) -> None:
        """Make `health`, JSON values, the device's retained health. Only the latest is sent."""
        message = Message(self._topics.health, _json(health), _JSON, retain=True)
        with self._news_lock:
            self._news[message.topic] = message
        self._wake()

    def stats(self) -> PublisherStats:
        """How publishing goes, at this moment."""
        settled = len(self._delivery.settled)
        return PublisherStats(
            link=self._link.state,
            since=self._link.since,
            in_flight=self._delivery.in_flight,
            depth=max(self._outbox.depth() - settled, 0),
            delivered=self._delivered,
            set_aside=len(self._delivery.set_aside),
            held=self._held,
            last_error=self._link.last_error,
            reconnects=max(self._connections - 1, 0),
            changes=dict(self._link.changes),
        )

    # From here on everything runs in the publisher's own thread.

    def _run(self) -> None:
        delays = self._reconnect.delays()
        while self._stop_by is None:
            self._connected_at = self._answered_at = None
            try:
                self._connect_and_serve()
            except BrokerRefusedError as error:
                self._link.fail(LinkState.REFUSED, str(error))
            except MqttError as error:
                self._link.fail(LinkState.WAITING, str(error))
            if self._was_good():
                delays = self._reconnect.delays()
            self._rest(next(delays))
        self._link.enter(LinkState.STOPPED)

    def _was_good(self) -> bool:
        return (
            self._connected_at is not None
            and self._answered_at is not None
            and monotonic() - self._connected_at >= _PROVEN_SECONDS
        )

    def _connect_and_serve(self) -> None:
        """One connection, from its first to its last moment.

        Raises:
            MqttError: it could not be made, or it broke.
        """
        self._link.enter(LinkState.CONNECTING)
        with Connection(self._settings, self._will) as connection:
            connection.open()
            if not self._accepted(connection):
                return
            self._begin(connection)
            try:
                self._serve(connection)
                self._say_goodbye(connection)
            finally:
                self._settle()

    def _accepted(self, connection: Connection) -> bool:
        """Wait for the broker's word: false if we are to stop before it comes."""
        deadline = monotonic() + NETWORK_SECONDS
        while not connection.accepted:
            if self._stop_by is not None:
                return False
            left = deadline - monotonic()
            if left <= 0:
                raise silent(self._settings.address)
            self._turn(connection, left)
        return True

    def _begin(self, connection: Connection) -> None:
        self._connections += 1
        self._link.enter(LinkState.ONLINE)
        self._others.clear()
        self._unanswered_since = None
        self._more = True
        self._connected_at = monotonic()
        self._delivery.connected(connection.receive_maximum, self._connected_at)
        if self._handlers:
            connection.subscribe(self._handlers)
        with self._news_lock:
            self._news[self._topics.status] = self._online_message()

    def _serve(self, connection: Connection) -> None:
        """Send and receive until we are to stop."""
        while not self._finished():
            now = monotonic()
            self._send_news(connection)
            self._send_alerts(connection, now)
            self._turn(connection, self._until_next(now))
            self._take_answers(connection)
            self._take_received(connection)
            self._watch_progress()
            if self._settle_at is not None and monotonic() >= self._settle_at:
                self._settle()

    def _finished(self) -> bool:
        """Whether we are to stop, and there is nothing left to do or no time to do it."""
        if self._stop_by is None:
            return False
        drained = not (self._more or self._delivery.in_flight)
        out_of_time = monotonic() >= self._stop_by - self._stop_seconds / 2
        return drained or out_of_time or self._delivery.held_until is not None

    def _until_next(self, now: float) -> float:
        moments = [now + _LONGEST_TURN]
        if self._delivery.held_until is not None:
            moments.append(self._delivery.held_until)
        if self._settle_at is not None:
            moments.append(self._settle_at)
        if self._stop_by is not None:
            moments.append(self._stop_by - self._stop_seconds / 2)
        return max(min(moments) - now, 0.0)

    def _turn(self, connection: Connection, timeout: float) -> None:
        self._heartbeat = monotonic()
        if connection.turn(self._wakened.fileno(), min(timeout, _LONGEST_TURN)):
            self._drain_wakes()
        if connection.failure is not None:
            # What was acknowledged before the end counts.
            self._take_answers(connection)
            if not self._others and (suspect := self._delivery.broke()) is not None:
                self._complain(suspect, FAILURE, "the connection breaks whenever it is sent")
            raise connection.failure

    def _send_news(self, connection: Connection) -> None:
        while self._news and self._in_flight() < connection.receive_maximum:
            with self._news_lock:
                message = self._news.pop(next(iter(self._news)))
            number = connection.publish(message)
            self._sent(number, message)
        while self._outgoing and self._in_flight() < connection.receive_maximum:
            message = self._outgoing.popleft()
            self._sent(connection.publish(message), message)

    def _sent(self, number: int | None, message: Message) -> None:
        if number is None:
            _log.error("the broker takes no packet as large as that for %s", message.topic)
        else:
            self._others[number] = message
            self._expect_answer()

    def _send_alerts(self, connection: Connection, now: float) -> None:
        self._delivery_resume(now)
        while self._more and (room := self._delivery.room(len(self._others))):
            # Before the query, so that a commit during it is not missed.
            self._more = False
            try:
                entries = self._outbox.pending(self._delivery.cursor, room)
            except OutboxError as error:
                self._more = True
                self._report_trouble(str(error))
                return
            if len(entries) == room:
                self._more = True
            for entry in entries:
                if self._delivery.wanted(entry.sequence):
                    self._send_alert(connection, entry)

    def _delivery_resume(self, now: float) -> None:
        cursor = self._delivery.cursor
        self._delivery.resume(now)
        if self._delivery.cursor < cursor:
            self._settle()
            self._more = True

    def _send_alert(self, connection: Connection, entry: Entry) -> None:
        try:
            topic = self._topics.alert(entry.camera, entry.rule)
        except TopicError as error:
            self._delivery.set_aside.add(entry.sequence)
            self._complain(entry.sequence, TOPIC_NAME_INVALID, str(error))
            return
        number = connection.publish(
            Message(
                topic,
                entry.payload,
                CONTENT_TYPE,
                user_properties={
                    "severity": str(entry.severity),
                    "sequence": str(entry.sequence),
                },
            )
        )
        if number is None:
            self._delivery.set_aside.add(entry.sequence)
            self._complain(entry.sequence, PACKET_TOO_LARGE, "Packet too large")
        else:
            self._delivery.sent(number, entry.sequence)
            self._expect_answer()

    def _take_answers(self, connection: Connection) -> None:
        if not connection.answers:
            return
        now = monotonic()
        for answer in connection.answers:
            if self._delivery.owns(answer.message):
                self._take_alert_answer(answer, now)
                continue
            message = self._others.pop(answer.message, None)
            if message is not None and answer.code >= FAILURE:
                _log.error("the broker refuses %s: %s", message.topic, answer.name)
        connection.answers.clear()
        self._unanswered_since = now if self._in_flight() else None
        self._answered_at = now
        if len(self._delivery.settled) >= _SETTLE_COUNT:
            self._settle()
        elif self._delivery.settled and self._settle_at is None:
            self._settle_at = now + _SETTLE_SECONDS

    def _take_received(self, connection: Connection) -> None:
        for topic_filter, reason in connection.refusals:
            _log.error("the broker lets this device not subscribe to %s: %s", topic_filter, reason)
        connection.refusals.clear()
        for received in connection.received:
            for topic_filter, handler in self._handlers.items():
                if topic_matches_sub(topic_filter, received.topic):
                    handler(received)
        connection.received.clear()

    def _take_alert_answer(self, answer: Answer, now: float) -> None:
        sequence, verdict = self._delivery.answered(answer.message, answer.code, now)
        match verdict:
            case Verdict.DELIVERED:
                self._delivered += 1
                self._complained.pop(sequence, None)
                if self._held is not None and self._delivery.held_until is None:
                    _log.info("alerts flow again")
                    self._held = None
            case Verdict.HELD:
                reason = f"the broker does not take the alerts: {answer.name}"
                if reason != self._held:
                    _log.warning("%s; they wait in the outbox from number %d", reason, sequence)
                self._held = reason
            case Verdict.SET_ASIDE:
                self._complain(sequence, answer.code, answer.name)

    def _complain(self, sequence: int, code: int, reason: str) -> None:
        if self._complained.get(sequence) != code:
            self._complained[sequence] = code
            _log.error(
                "the broker will not take alert %d, which stays in the outbox: %s",
                sequence,
                reason,
            )

    def _expect_answer(self) -> None:
        if self._unanswered_since is None:
            self._unanswered_since = monotonic()

    def _in_flight(self) -> int:
        return self._delivery.in_flight + len(self._others)

    def _watch_progress(self) -> None:
        since = self._unanswered_since
        if since is not None and monotonic() - since >= self._stall_after:
            raise stalled(self._settings.address, self._stall_after)

    def _settle(self) -> None:
        """Forget on disk what was delivered.

        If that fails, or the process is killed before, it is sent again after a restart: with
        the same id, which tells the receiver.
        """
        self._settle_at = None
        if not self._delivery.settled:
            return
        try:
            self._outbox.delivered(self._delivery.settled)
        except OutboxError as error:
            self._report_trouble(str(error))
        else:
            self._delivery.settled.clear()

    def _say_goodbye(self, connection: Connection) -> None:
        """Say that we stop; if there is no time for it, the broker publishes the will."""
        deadline = self._stop_by or monotonic()
        farewell = connection.publish(
            self._status_message({"state": "offline", "reason": "stopped"})
        )
        while monotonic() < deadline - 0.05:
            self._turn(connection, deadline - 0.05 - monotonic())
            if any(answer.message == farewell for answer in connection.answers):
                self._take_answers(connection)
                connection.disconnect(max(deadline - monotonic(), 0.0))
                return
            self._take_answers(connection)

    def _rest(self, seconds: float) -> None:
        """Wait before the next try; only `stop` ends it early."""
        deadline = monotonic() + seconds
        while self._stop_by is None and (left := deadline - monotonic()) > 0:
            self._heartbeat = monotonic()
            self._wakened.settimeout(min(left, _LONGEST_TURN))
            try:
                self._wakened.recv(4096)
            except TimeoutError:
                continue
            finally:
                self._wakened.setblocking(False)

    def _report_trouble(self, sentence: str) -> None:
        if self._trouble != sentence:
            self._trouble = sentence
            _log.error("%s", sentence)

    def _online_message(self) -> Message:
        return self._status_message({**self._status, "since": self._since})

    def _status_message(self, status: Mapping[str, Any]) -> Message:
        payload = _json({**status, "version": __version__})
        return Message(self._topics.status, payload, _JSON, retain=True)

    def _committed(self) -> None:
        self._more = True
        self._wake()

    def _wake(self) -> None:
        # Where so many wakes wait already, one more says nothing new.
        with suppress(BlockingIOError):
            self._waker.send(b"\0")

    def _drain_wakes(self) -> None:
        with suppress(BlockingIOError):
            while len(self._wakened.recv(4096)) == 4096:
                pass


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), default=str)
