"""Tells the centre which alerts the outbox gave up, until it is known to know."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterable, Iterator
from itertools import groupby, islice

from edge_runtime.alerts.alert import CONTENT_TYPE, rfc3339
from edge_runtime.alerts.dropping import DroppedRange
from edge_runtime.alerts.outbox import Outbox, OutboxError
from edge_runtime.backoff import Backoff
from edge_runtime.messaging.connection import Answer, Connection, Message
from edge_runtime.messaging.delivery import FAILURE, NO_MATCHING_SUBSCRIBERS, PACKET_TOO_LARGE
from edge_runtime.messaging.topics import Topics
from edge_runtime.messaging.wire import DROPPED_TYPE, MOST_RANGES, Dropped, DroppedData, Range

_log = logging.getLogger(__name__)

_PAUSE_SECONDS = 1.0
"""An outbox that is full drops with every alert: a range is told as it has grown meanwhile."""


class DropSender:
    """Sends the ranges on record, one message after another, over one connection after another.

    Each is sent again when it has grown, and over every new connection. `tell_again` may be called
    from any thread; the rest belongs to the publisher's own.
    """

    def __init__(self, outbox: Outbox, topics: Topics, retry: Backoff, *, forgets: bool) -> None:
        """Prepare.

        Args:
            outbox: where the ranges are on record.
            topics: those of the device.
            retry: the waits while the broker takes none.
            forgets: whether the broker's word is enough for them to be forgotten.
        """
        self._outbox = outbox
        self._topics = topics
        self._forgets = forgets
        self._told: set[tuple[int, int, int]] = set()
        self._waiting: list[list[DroppedRange]] = []
        self._in_flight: dict[int, list[DroppedRange]] = {}
        self._seen = -1
        self._not_before = 0.0
        self._again = False
        self._most = MOST_RANGES
        self._retry = retry
        self._pauses = retry.delays()

    def tell_again(self) -> None:
        """Send all that is on record again."""
        self._again = True

    @property
    def in_flight(self) -> int:
        """How many messages wait for the broker's answer."""
        return len(self._in_flight)

    def connected(self) -> None:
        """A new connection: all that is on record goes over it."""
        self._in_flight.clear()
        self._not_before = 0.0
        self._forget_told()

    def broke(self) -> None:
        """The connection broke with one of these in flight: it may have been too large."""
        self._most = max(self._most // 2, 1)

    def send(self, connection: Connection, now: float) -> None:
        """Send the next message, if it is its turn."""
        if self._in_flight or now < self._not_before or not connection.free:
            return
        if self._again:
            self._again = False
            self._forget_told()
        if not self._waiting and self._seen != self._outbox.drops:
            self._look()
            self._not_before = now + _PAUSE_SECONDS if not self._waiting else now
        if self._waiting:
            self._send(connection, self._waiting.pop(0), now)

    def answered(self, answer: Answer, now: float) -> bool:
        """The broker answered: whether it was to one of these."""
        ranges = self._in_flight.pop(answer.message, None)
        if ranges is None:
            return False
        if answer.code >= FAILURE or answer.code == NO_MATCHING_SUBSCRIBERS:
            self._fail(now, smaller=answer.code == PACKET_TOO_LARGE)
            return True
        self._pauses = self._retry.delays()
        self._told.update(map(_extent, ranges))
        if not self._waiting:
            self._not_before = now + _PAUSE_SECONDS
        if self._forgets:
            self._forget(ranges)
        return True

    def _forget_told(self) -> None:
        self._told.clear()
        self._waiting.clear()
        self._seen = -1

    def _look(self) -> None:
        """See what there is to be told."""
        self._seen = self._outbox.drops
        try:
            ranges = self._outbox.dropped(-1)
        except OutboxError as error:
            _log.error("%s", error)
            return
        self._told.intersection_update(map(_extent, ranges))
        new = (one for one in ranges if _extent(one) not in self._told)
        self._waiting = list(_portions(new, self._most))

    def _fail(self, now: float, *, smaller: bool) -> None:
        """Try again later; or at once with less in each message, where that can be."""
        self._waiting.clear()
        self._seen = -1
        if smaller and self._most > 1:
            self._most //= 2
        else:
            self._not_before = now + next(self._pauses)

    def _send(self, connection: Connection, ranges: list[DroppedRange], now: float) -> None:
        message = self._message(ranges)
        number = connection.publish(message)
        if number is None:
            if self._most == 1:
                _log.error("the broker takes no packet as large as that for %s", message.topic)
            self._fail(now, smaller=True)
        else:
            self._in_flight[number] = ranges

    def _forget(self, ranges: list[DroppedRange]) -> None:
        try:
            self._outbox.forget_dropped(ranges)
        except OutboxError as error:
            _log.error("%s", error)

    def _message(self, ranges: list[DroppedRange]) -> Message:
        site, device, epoch = self._topics.site, self._topics.device, ranges[0].epoch
        told = DroppedData(epoch=epoch, ranges=tuple(_on_the_wire(one) for one in ranges))
        # Another content is another event, also where it begins and ends alike.
        content = hashlib.sha256(told.to_json().encode()).hexdigest()[:16]
        event = Dropped(
            id=f"{device}/{epoch}/dropped/{ranges[0].first}-{ranges[-1].last}/{content}",
            source=f"{site}/{device}",
            type=DROPPED_TYPE,
            time=rfc3339(time.time()),
            data=told,
        )
        return Message(self._topics.dropped, event.to_json(), CONTENT_TYPE)


def _portions(ranges: Iterable[DroppedRange], most: int) -> Iterator[list[DroppedRange]]:
    """At most so many, which go into one message, of one epoch each."""
    for _, group in groupby(ranges, key=lambda one: one.epoch):
        while portion := list(islice(group, most)):
            yield portion


def _on_the_wire(one: DroppedRange) -> Range:
    return Range.model_validate(
        {
            "from": one.first,
            "to": one.last,
            "severity": one.severity,
            "count": dict(one.count),
            "previoushash": one.previoushash,
            "hash": one.hash,
        }
    )


def _extent(one: DroppedRange) -> tuple[int, int, int]:
    """What is told of a range is told until this changes."""
    return one.epoch, one.first, one.last
