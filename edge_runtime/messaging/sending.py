"""Alerts from the outbox to a connection, and what the broker says to each."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from time import monotonic

from edge_runtime.alerts.alert import CONTENT_TYPE
from edge_runtime.alerts.outbox import Entry, Outbox, OutboxError
from edge_runtime.backoff import Backoff
from edge_runtime.messaging.connection import Answer, Connection, Message
from edge_runtime.messaging.delivery import (
    BEGINNING,
    FAILURE,
    PACKET_TOO_LARGE,
    TOPIC_NAME_INVALID,
    Delivery,
    Verdict,
)
from edge_runtime.messaging.failures import not_taken
from edge_runtime.messaging.receipts import Receipts
from edge_runtime.messaging.topics import TopicError, Topics
from edge_runtime.ranges import Span

_log = logging.getLogger(__name__)


class AlertSender:
    """Sends what waits in the outbox, in its order, over one connection after another.

    `committed` and `send_again` may be called from any thread, and the attributes read; the rest
    belongs to the publisher's own.

    Attributes:
        delivered: how often the broker took an alert.
        resent: how many of the alerts that went out had gone out before.
        held: why the alerts wait although the broker is there, in words; None while they flow.
    """

    def __init__(
        self,
        outbox: Outbox,
        topics: Topics,
        receipts: Receipts,
        retry: Backoff,
        give_up_after: float,
    ) -> None:
        self._outbox = outbox
        self._topics = topics
        self._receipts = receipts
        self._delivery = Delivery(retry)
        self._asked: deque[Span] = deque()
        self._trouble = ""
        self._complained: dict[int, int] = {}
        """Alerts set aside, and the reason code of the complaint that was logged."""
        self._not_taken_since: dict[int, float] = {}
        self._give_up_after = give_up_after
        self._highest = BEGINNING
        self.delivered = 0
        self.resent = 0
        self.held: str | None = None

    def committed(self) -> None:
        """There is one more in the outbox."""
        self._delivery.more = True

    def send_again(self, spans: Iterable[Span]) -> None:
        """Send these again, if they were sent already."""
        self._asked.extend(spans)

    @property
    def in_flight(self) -> int:
        """How many alerts wait for the broker's answer."""
        return self._delivery.in_flight

    @property
    def set_aside(self) -> int:
        """How many alerts the broker will not take."""
        return len(self._delivery.set_aside)

    @property
    def idle(self) -> bool:
        """Whether all that waits was sent and answered, or has to wait."""
        return self._delivery.idle or self._delivery.held_until is not None

    def moments(self) -> Iterable[float]:
        """When there is something to do, in monotonic seconds, unless something happens before."""
        return (at for at in (self._delivery.held_until, self._receipts.due) if at is not None)

    def connected(self, connection: Connection, now: float) -> None:
        """A new connection: all that waits goes over it."""
        self._asked.clear()
        self._receipts.connected()
        self._delivery.connected(connection.receive_maximum, now)

    def send(self, connection: Connection, now: float) -> None:
        """Send as much as may be in flight."""
        self._look_back(now)
        delivery = self._delivery
        while room := delivery.room(connection.in_flight - delivery.in_flight):
            span = delivery.next_span()
            if span is None:
                return
            try:
                entries = self._outbox.pending(span[0] - 1, room)
            except OutboxError as error:
                delivery.give_back(span)
                self._report(str(error))
                return
            if len(entries) == room:
                delivery.give_back((entries[-1].sequence + 1, span[1]))
            for entry in entries:
                if entry.sequence <= span[1]:
                    self._send(connection, entry)

    def answered(self, answer: Answer, now: float) -> bool:
        """The broker answered: whether it was to an alert."""
        if not self._delivery.owns(answer.message):
            return False
        sequence, verdict = self._delivery.answered(answer.message, answer.code, now)
        match verdict:
            case Verdict.TAKEN:
                self._take(sequence, now)
            case Verdict.HELD:
                reason = not_taken(answer.code, answer.name)
                if reason != self.held:
                    _log.warning("%s; they wait in the outbox from number %d", reason, sequence)
                self.held = reason
            case Verdict.SET_ASIDE:
                self._complain(sequence, answer.code, answer.name)
        return True

    def work(self, now: float) -> None:
        """Write down what is due."""
        if self._receipts.due is not None and now >= self._receipts.due:
            self._receipts.work()

    def broke(self) -> None:
        """The connection broke with nothing but alerts in flight."""
        suspect = self._delivery.broke()
        if suspect is not None:
            self._complain(suspect, FAILURE, "the connection breaks whenever it is sent")

    def ended(self) -> None:
        """The connection is over."""
        self._receipts.work()

    def _look_back(self, now: float) -> None:
        """See what has to be sent once more."""
        delivery = self._delivery
        delivery.forget(self._receipts.acknowledged)
        delivery.resume(now)
        while self._asked:
            delivery.send_again([self._asked.popleft()])
        if delivery.idle and self._receipts.overdue(now):
            _log.info("no acknowledgement comes for the alerts: they are sent again")
            delivery.start_over()

    def _send(self, connection: Connection, entry: Entry) -> None:
        sequence = entry.sequence
        if not self._delivery.wanted(sequence) or self._receipts.done(sequence):
            return
        try:
            topic = self._topics.alert(entry.camera, entry.rule)
        except TopicError as error:
            self._set_aside(sequence, TOPIC_NAME_INVALID, str(error))
            return
        properties = {"severity": str(entry.severity), "sequence": str(entry.number)}
        number = connection.publish(
            Message(topic, entry.payload, CONTENT_TYPE, user_properties=properties)
        )
        if number is None:
            self._set_aside(sequence, PACKET_TOO_LARGE, "Packet too large")
            return
        self._delivery.sent(number, sequence)
        self.resent += sequence <= self._highest
        self._highest = max(self._highest, sequence)

    def _take(self, sequence: int, now: float) -> None:
        self.delivered += 1
        self._forget(sequence)
        self._receipts.taken(sequence, now)
        if self.held is not None and self._delivery.held_until is None:
            _log.info("alerts flow again")
            self.held = None

    def _set_aside(self, sequence: int, code: int, reason: str) -> None:
        self._delivery.set_aside.add(sequence)
        self._complain(sequence, code, reason)

    def _complain(self, sequence: int, code: int, reason: str) -> None:
        if self._complained.get(sequence) != code:
            self._complained[sequence] = code
            _log.error(
                "the broker will not take alert %d, which stays in the outbox: %s",
                sequence,
                reason,
            )
        since = self._not_taken_since.setdefault(sequence, monotonic())
        if monotonic() - since >= self._give_up_after:
            self._give_up(sequence, reason)

    def _give_up(self, sequence: int, reason: str) -> None:
        """Drop an alert that nobody takes, if it keeps others from being acknowledged."""
        try:
            if not self._receipts.blocked_by(sequence):
                return
            entries = self._outbox.pending(sequence - 1, 1)
            if [entry.sequence for entry in entries] != [sequence]:
                return  # a commit has dropped it meanwhile
            (entry,) = entries
            self._outbox.give_up(entry)
        except OutboxError as error:
            self._report(str(error))
            return
        self._forget(sequence)
        self._delivery.set_aside.discard(sequence)
        _log.critical(
            "alert %d (%s, %s at %s) is dropped: the broker has not taken it for %.0f s, and those "
            "behind it cannot be acknowledged: %s",
            *(entry.number, entry.severity, entry.rule, entry.camera),
            *(self._give_up_after, reason),
        )

    def _forget(self, sequence: int) -> None:
        self._complained.pop(sequence, None)
        self._not_taken_since.pop(sequence, None)

    def _report(self, sentence: str) -> None:
        if self._trouble != sentence:
            self._trouble = sentence
            _log.error("%s", sentence)
