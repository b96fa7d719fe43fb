"""Which alert may go to the broker next, and what the broker's answer means for it.

Nothing here sends or waits: the publisher tells what happened, and asks.

Alerts go in the order of their sequence, several at a time. What the answer (MQTT 5.0, section
3.4.2.1) does:

======================================  =========================================================
success                                 taken: what that is worth, `receipts` says
0x10 no matching subscribers            held: it waits, and all behind it wait with it, because
0x80 unspecified error                  what stops this one stops the others too; it is sent
0x83 implementation specific error      again after a pause that grows, and on every new
0x87 not authorized                     connection
0x97 quota exceeded, any other code
0x90 topic name invalid                 set aside: the alert stays in the outbox, those behind it
0x95 packet too large                   go on, because the fault is its own; it is tried again
0x99 payload format invalid             with the next connection, and every ten minutes
the connection breaks, three times      set aside too, but tried again only when a connection has
with this alert alone in flight         lasted 40 s, then 80 s, up to ten minutes: there are
                                        brokers that answer what they dislike by closing, and one
                                        such alert would stop all
======================================  =========================================================

A connection, and every pause, begins with one alert in flight; after the first success as many
as the broker allows, 20 at most. With several in flight, a later one can arrive before an earlier
one that was held: a subscriber may come between the two.

What is known of the alerts that were taken is one number, the cursor, however many wait for the
centre's word: what has to be sent once more stands beside it, in ranges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum

from edge_runtime.backoff import Backoff
from edge_runtime.ranges import Span, merged

MOST_IN_FLIGHT = 20
NO_MATCHING_SUBSCRIBERS = 0x10
PACKET_TOO_LARGE = 0x95
TOPIC_NAME_INVALID = 0x90
FAILURE = 0x80
"""From this reason code on the broker says no: MQTT 5.0, section 2.4."""
_SET_ASIDE = frozenset({TOPIC_NAME_INVALID, PACKET_TOO_LARGE, 0x99})
_STRIKES = 3
_SET_ASIDE_SECONDS = 600.0
_SUSPECT_SECONDS = 5.0
"""Doubled with each time that the connection broke."""
BEGINNING = -(2**63)
"""Before all places: what is saved of a damaged outbox has negative ones."""
_ENDLESS = 2**63 - 1


class Verdict(StrEnum):
    """What became of an alert."""

    TAKEN = "taken"
    HELD = "held"
    SET_ASIDE = "set aside"


class Delivery:
    """The alerts on their way over one connection after another.

    Attributes:
        cursor: no alert above this sequence was sent over this connection.
        more: whether the outbox may hold alerts above the cursor. Whoever commits sets it.
        held_until: until when the next try has to wait, in monotonic seconds; None while alerts
            flow.
        set_aside: the sequences that this connection's broker will not take.
    """

    def __init__(self, retry: Backoff) -> None:
        self._retry = retry
        self._pauses: Iterator[float] = retry.delays()
        self._window = 1
        self._most = MOST_IN_FLIGHT
        self._in_flight: dict[int, int] = {}
        self._again: list[Span] = []
        self._strikes: Counter[int] = Counter()
        self._second_chance = 0.0
        self.cursor = BEGINNING
        self.more = True
        self.held_until: float | None = None
        self.set_aside: set[int] = set()

    def connected(self, receive_maximum: int, now: float) -> None:
        """A new connection: all that waits is sent again, from the first."""
        self._most = min(MOST_IN_FLIGHT, receive_maximum)
        self._in_flight.clear()
        suspects = {number: count for number, count in self._strikes.items() if count >= _STRIKES}
        self.set_aside = set(suspects)
        # A broker that crashes again and again makes suspects of the innocent: they are not to
        # wait long.
        patience = _SUSPECT_SECONDS * 2.0 ** min(max(suspects.values(), default=32), 32)
        self._second_chance = now + min(patience, _SET_ASIDE_SECONDS)
        self.held_until = None
        self.start_over()

    def start_over(self) -> None:
        """Send all that waits again, from the first."""
        self._window = 1
        self._again.clear()
        self.cursor = BEGINNING
        self.more = True

    def send_again(self, spans: Iterable[Span]) -> None:
        """Send these again, as far as they were sent already, before any that is new."""
        sent = ((first, min(last, self.cursor)) for first, last in spans if first <= self.cursor)
        self._again = merged([*self._again, *sent])

    def forget(self, last: int) -> None:
        """The alerts up to `last` wait no longer."""
        self.set_aside = {number for number in self.set_aside if number > last}
        for number in [number for number in self._strikes if number <= last]:
            del self._strikes[number]

    def broke(self) -> int | None:
        """The connection broke: the alert that has to be thought the cause, if there is one."""
        if len(self._in_flight) != 1:
            return None
        (sequence,) = self._in_flight.values()
        self._strikes[sequence] += 1
        return sequence if self._strikes[sequence] >= _STRIKES else None

    @property
    def in_flight(self) -> int:
        """How many alerts wait for their answer."""
        return len(self._in_flight)

    @property
    def idle(self) -> bool:
        """Whether all that is known to wait was sent and answered."""
        return not (self._in_flight or self._again or self.more)

    def resume(self, now: float) -> None:
        """If a pause is over and all answers are there, go on with what was held."""
        if self._in_flight:
            return
        if self.set_aside and now >= self._second_chance:
            self._second_chance = now + _SET_ASIDE_SECONDS
            self.send_again((number, number) for number in self.set_aside)
            self.set_aside.clear()
        elif self.held_until is None or now < self.held_until:
            return
        self.held_until = None
        self._window = 1

    def room(self, others: int) -> int:
        """How many alerts may be sent now, with `others` messages of other kinds in flight."""
        if self.held_until is not None:
            return 0
        free = min(self._window - len(self._in_flight), self._most - len(self._in_flight) - others)
        return max(free, 0)

    def next_span(self) -> Span | None:
        """Take the sequences that are to be sent next; None if there are none.

        What cannot be sent yet has to be given back.
        """
        if self._again:
            return self._again.pop(0)
        if self.more:
            self.more = False
            return self.cursor + 1, _ENDLESS
        return None

    def give_back(self, span: Span) -> None:
        """Of what was taken, this is still to be sent."""
        if span[1] == _ENDLESS:
            self.more = True
        elif span[0] <= span[1]:
            self._again.insert(0, span)

    def wanted(self, sequence: int) -> bool:
        """Take `sequence` as the next in order: whether it has to be sent."""
        self.cursor = max(self.cursor, sequence)
        return sequence not in self.set_aside

    def sent(self, message: int, sequence: int) -> None:
        """The alert went out as the broker's message number `message`."""
        self._in_flight[message] = sequence

    def owns(self, message: int) -> bool:
        """Whether an alert waits for the answer to `message`."""
        return message in self._in_flight

    def answered(self, message: int, code: int, now: float) -> tuple[int, Verdict]:
        """The broker answered `message` with `code`: which alert it was and what became of it."""
        sequence = self._in_flight.pop(message)
        if code in _SET_ASIDE:
            self.set_aside.add(sequence)
            return sequence, Verdict.SET_ASIDE
        if code == NO_MATCHING_SUBSCRIBERS or code >= FAILURE:
            self.send_again([(sequence, sequence)])
            if self.held_until is None:
                self._window = 1
                self.held_until = now + next(self._pauses)
            return sequence, Verdict.HELD
        self._strikes.pop(sequence, None)
        if self.held_until is None:
            self._window = self._most
            self._pauses = self._retry.delays()
        return sequence, Verdict.TAKEN
