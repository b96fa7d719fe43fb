"""Brings the alerts of the outbox to the broker, in their order, whatever the network does."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from paho.mqtt.client import topic_matches_sub

from edge_runtime import __version__
from edge_runtime.alerts.alert import rfc3339
from edge_runtime.alerts.outbox import Outbox
from edge_runtime.backoff import Backoff
from edge_runtime.messaging.connection import NETWORK_SECONDS, Connection, Message, Received
from edge_runtime.messaging.drops import DropSender
from edge_runtime.messaging.failures import BrokerRefusedError, MqttError, silent, stalled
from edge_runtime.messaging.link import Link, LinkState
from edge_runtime.messaging.outgoing import Outgoing
from edge_runtime.messaging.receipts import (
    Acknowledged,
    AcknowledgedBy,
    BrokerReceipts,
    CentreReceipts,
    Receipts,
)
from edge_runtime.messaging.sending import AlertSender
from edge_runtime.messaging.settings import MqttSettings
from edge_runtime.messaging.tls_files import TlsFiles
from edge_runtime.messaging.topics import Topics
from edge_runtime.messaging.waking import Waker
from edge_runtime.ranges import Span, gaps

_log = logging.getLogger(__name__)

_JSON = "application/json"
RECONNECT = Backoff(4.0, 20.0, jitter=1.0)
"""A thousand boards lose one broker in one instant. The longest wait, and opening a connection, are
less than the 30 s in which alerts have to flow again."""
_LONGEST_TURN = 1.0
_STUCK_SECONDS = 60.0
"""Longer than opening a connection takes, with a resolver that does not answer."""
_PROVEN_SECONDS = 10.0
"""A connection that lasted this long and acknowledged something is good: two devices that share a
client id throw each other out within moments, after a perfect start."""


@dataclass(frozen=True, slots=True)
class PublisherStats:
    """How publishing goes.

    Attributes:
        link: how the way to the broker is.
        since: Unix seconds when it became so.
        in_flight: alerts that wait for the broker's answer.
        depth: alerts in the outbox, those in flight among them.
        delivered: how often the broker took an alert since the start.
        resent: how often an alert went out that had gone out before.
        set_aside: alerts in the outbox that the broker will not take.
        held: why the alerts wait although the broker is there, in words; None while they flow.
        acknowledged: how far the centre is; None where the broker's word is enough.
        last_error: the latest failure of the link, in words; None before the first.
        reconnects: how often the broker was reached again.
        changes: how often each link state was entered.
    """

    link: LinkState
    since: float
    in_flight: int
    depth: int
    delivered: int
    resent: int
    set_aside: int
    held: str | None
    acknowledged: Acknowledged | None
    last_error: str | None
    reconnects: int
    changes: Mapping[LinkState, int]


@dataclass(frozen=True, slots=True)
class Resent:
    """What becomes of a wish for alerts to be sent again.

    Attributes:
        count: how many of them wait here, and will be sent again.
        missing: those that do not wait here any more.
    """

    count: int
    missing: tuple[Span, ...]


Handler = Callable[[Received], None]


class Publisher:
    """Owns one thread, which owns everything that has to do with the network.

    `start`, `stop`, `send`, `resend`, `publish_status`, `publish_health`, `stats` and `heartbeat`
    may be used from any thread.
    """

    def __init__(
        self,
        settings: MqttSettings,
        outbox: Outbox,
        topics: Topics,
        *,
        acknowledged_by: AcknowledgedBy = AcknowledgedBy.CENTRE,
        resend_after: float = 30.0,
        reconnect: Backoff | None = None,
        retry: Backoff | None = None,
        stall_after: float = 20.0,
        give_up_after: float = 3600.0,
    ) -> None:
        """Prepare; nothing is opened before `start`.

        Args:
            settings: where the broker is.
            outbox: where the alerts wait. Its `on_commit` becomes this publisher's.
            topics: those of this device.
            acknowledged_by: whose word lets the outbox forget an alert.
            resend_after: seconds without any acknowledgement of the centre's, while one is due,
                after which all that waits is sent again.
            reconnect: the waits between connections, up to 4 s at first, then up to 20 s.
            retry: the waits while the broker has nobody to give the alerts to, up to 4 s at first,
                then up to 30 s.
            stall_after: seconds without any answer of the broker's, while one is due, after which
                the connection is given up.
            give_up_after: seconds after which an alert that the broker does not take, while it
                takes those behind it, is dropped, so that the centre can acknowledge those.
        """
        self._settings = settings
        self._outbox = outbox
        self._topics = topics
        self._reconnect = reconnect or RECONNECT
        self._stall_after = stall_after
        self._will = self._status_message({"state": "offline", "reason": "connection lost"})

        self._thread = threading.Thread(target=self._run, name="mqtt-publisher", daemon=True)
        self._stop_by: float | None = None
        self._stop_seconds = 0.0
        self._waker = Waker()

        self._since = rfc3339(time.time())
        self._status_lock = threading.Lock()
        self._status: Mapping[str, Any] = {"state": "online"}
        self._outgoing = Outgoing()
        self._handlers: dict[str, Handler] = {}
        self._receipts = self._make_receipts(acknowledged_by, resend_after)
        retry = retry or Backoff(4.0, 30.0)
        self._alerts = AlertSender(outbox, topics, self._receipts, retry, give_up_after)
        self._drops = DropSender(
            outbox, topics, retry, forgets=acknowledged_by is AcknowledgedBy.BROKER
        )

        self._link = Link(settings.address)
        self._files = TlsFiles(settings)
        self._proven = False
        self._connections = 0
        self._heartbeat = monotonic()

    def _make_receipts(self, by: AcknowledgedBy, resend_after: float) -> Receipts:
        if by is AcknowledgedBy.BROKER:
            return BrokerReceipts(self._outbox)
        receipts = CentreReceipts(self._outbox, resend_after)
        self.subscribe(self._topics.ack, receipts.take)
        return receipts

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
        self._outgoing.answer(message)
        self._waker.wake()

    def resend(self, first: int, last: int) -> Resent:
        """Send the alerts at `first` to `last` again, as far as they wait; returns at once.

        What was dropped is told again, if some do not.

        Raises:
            OutboxError: the outbox cannot be read.
        """
        waiting = self._outbox.spans(first, last)
        missing = tuple(gaps(waiting, first, last))
        self._alerts.send_again(waiting)
        if missing:
            self._drops.tell_again()
        self._waker.wake()
        count = sum(end - begin + 1 for begin, end in waiting)
        return Resent(count, missing)

    def start(self) -> None:
        """Begin to connect and to send; returns at once."""
        self._outbox.on_commit = self._committed
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Send what waits, say that this device is offline, and close, in `timeout` seconds.

        Up to half of the time goes to the alerts that were not sent; what is not delivered stays
        in the outbox. The outbox may be closed afterwards.
        """
        self._stop_seconds = timeout
        self._stop_by = monotonic() + timeout
        self._waker.wake()
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
        with self._status_lock:
            self._status = {"state": "online", **status}
        self._tell_status()
        self._waker.wake()

    def publish_health(self, health: Mapping[str, Any]) -> None:
        """Make `health`, JSON values, the device's retained health. Only the latest is sent."""
        self._outgoing.tell(Message(self._topics.health, _json(health), _JSON, retain=True))
        self._waker.wake()

    def introduce(self, message: Message) -> None:
        """Make the retained `message` known, now and after every reconnect."""
        self._outgoing.keep(message)
        self._waker.wake()

    def stats(self) -> PublisherStats:
        """How publishing goes, at this moment."""
        return PublisherStats(
            link=self._link.state,
            since=self._link.since,
            in_flight=self._alerts.in_flight,
            depth=self._outbox.depth(),
            delivered=self._alerts.delivered,
            resent=self._alerts.resent,
            set_aside=self._alerts.set_aside,
            held=self._alerts.held,
            acknowledged=self._receipts.state(),
            last_error=self._link.last_error,
            reconnects=max(self._connections - 1, 0),
            changes=dict(self._link.changes),
        )

    # From here on everything runs in the publisher's own thread.

    def _run(self) -> None:
        delays = self._reconnect.delays()
        while self._stop_by is None:
            self._proven = False
            try:
                self._connect_and_serve()
            except BrokerRefusedError as error:
                self._link.fail(LinkState.REFUSED, str(error))
            except MqttError as error:
                self._link.fail(LinkState.WAITING, str(error))
            if self._proven:
                delays = self._reconnect.delays()
            self._rest(next(delays))
        self._link.enter(LinkState.STOPPED)

    def _connect_and_serve(self) -> None:
        """One connection, from its first to its last moment.

        Raises:
            MqttError: it could not be made, or it broke.
        """
        self._link.enter(LinkState.CONNECTING)
        self._files.used()
        with Connection(self._settings, self._will) as connection:
            connection.open()
            if not self._accepted(connection):
                return
            began = monotonic()
            self._begin(connection, began)
            try:
                self._serve(connection)
                if self._stop_by is not None:
                    self._say_goodbye(connection)
                else:
                    _log.info("the certificate files were replaced: connecting with the new ones")
                    connection.disconnect(NETWORK_SECONDS)
            finally:
                self._alerts.ended()
                self._proven = connection.answered and monotonic() - began >= _PROVEN_SECONDS

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

    def _begin(self, connection: Connection, now: float) -> None:
        self._connections += 1
        self._link.enter(LinkState.ONLINE)
        self._outgoing.connected()
        self._alerts.connected(connection, now)
        self._drops.connected()
        if self._handlers:
            connection.subscribe(self._handlers)
        self._tell_status()

    def _serve(self, connection: Connection) -> None:
        """Send and receive until we are to stop, or there are new certificates to be used."""
        while not (self._finished() or self._files.replaced(monotonic())):
            now = monotonic()
            self._outgoing.send(connection)
            self._alerts.send(connection, now)
            self._drops.send(connection, now)
            self._turn(connection, self._until_next(now))
            self._watch_progress(connection)
            self._take_answers(connection)
            self._take_received(connection)
            self._alerts.work(monotonic())

    def _finished(self) -> bool:
        """Whether we are to stop, and there is nothing left to send or no time to do it.

        The centre's acknowledgements are not waited for: what they do not reach is sent again
        after the next start.
        """
        if self._stop_by is None:
            return False
        return self._alerts.idle or monotonic() >= self._stop_by - self._stop_seconds / 2

    def _until_next(self, now: float) -> float:
        moments = [now + _LONGEST_TURN, *self._alerts.moments()]
        if self._stop_by is not None:
            moments.append(self._stop_by - self._stop_seconds / 2)
        return max(min(moments) - now, 0.0)

    def _turn(self, connection: Connection, timeout: float) -> None:
        self._heartbeat = monotonic()
        if connection.turn(self._waker.fileno(), min(timeout, _LONGEST_TURN)):
            self._waker.clear()
        if connection.failure is not None:
            # What was acknowledged before the end counts.
            self._take_answers(connection)
            if self._drops.in_flight:
                self._drops.broke()
            elif not self._outgoing.in_flight:
                self._alerts.broke()
            raise connection.failure

    def _watch_progress(self, connection: Connection) -> None:
        since = connection.waits_since
        if since is not None and monotonic() - since >= self._stall_after:
            raise stalled(self._settings.address, self._stall_after)

    def _take_answers(self, connection: Connection) -> None:
        now = monotonic()
        for answer in connection.answers:
            if not (self._alerts.answered(answer, now) or self._drops.answered(answer, now)):
                self._outgoing.answered(answer)
        connection.answers.clear()

    def _take_received(self, connection: Connection) -> None:
        for topic_filter, reason in connection.refusals:
            _log.error("the broker lets this device not subscribe to %s: %s", topic_filter, reason)
        connection.refusals.clear()
        for received in connection.received:
            for topic_filter, handler in self._handlers.items():
                if topic_matches_sub(topic_filter, received.topic):
                    handler(received)
        connection.received.clear()

    def _say_goodbye(self, connection: Connection) -> None:
        """Say that we stop; if there is no time for it, the broker publishes the will."""
        deadline = self._stop_by or monotonic()
        farewell = connection.publish(
            self._status_message({"state": "offline", "reason": "stopped"})
        )
        while monotonic() < deadline - 0.05:
            self._turn(connection, deadline - 0.05 - monotonic())
            told = any(answer.message == farewell for answer in connection.answers)
            self._take_answers(connection)
            if told:
                connection.disconnect(max(deadline - monotonic(), 0.0))
                return

    def _rest(self, seconds: float) -> None:
        """Wait before the next try; only `stop` ends it early."""
        deadline = monotonic() + seconds
        while self._stop_by is None and (left := deadline - monotonic()) > 0:
            self._heartbeat = monotonic()
            self._waker.wait(min(left, _LONGEST_TURN))

    def _tell_status(self) -> None:
        with self._status_lock:
            self._outgoing.tell(self._status_message({**self._status, "since": self._since}))

    def _status_message(self, status: Mapping[str, Any]) -> Message:
        payload = _json({**status, "version": __version__})
        return Message(self._topics.status, payload, _JSON, retain=True)

    def _committed(self) -> None:
        self._alerts.committed()
        self._waker.wake()


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), default=str)
