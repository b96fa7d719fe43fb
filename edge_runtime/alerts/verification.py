"""Whether a chain of alerts is whole: what is missing, changed, forged, out of order or cut off.

Nothing here reads a file or a clock; see `edge_runtime.service.log`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

from edge_runtime.alerts.chain import BEGINNING, ChainName, Head, digest
from edge_runtime.alerts.dropping import DroppedRange
from edge_runtime.ranges import Span, gaps, merged


class Fault(StrEnum):
    """In which way a chain is not whole."""

    UNREADABLE = "unreadable"
    CHANGED = "changed"
    UNCHAINED = "unchained"
    CONFLICT = "conflict"
    BROKEN = "broken"
    MISSING = "missing"
    ORDER = "order"
    TAIL = "tail"
    HEAD = "head"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, in a sentence.

    Attributes:
        fault: of what kind.
        text: the sentence.
        chain: whose; None where that cannot be told.
        first: the number of the first alert that it is about; None where it is about none.
        last: that of the last one.
    """

    fault: Fault
    text: str
    chain: ChainName | None = None
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """What of an alert matters to the chain.

    Attributes:
        chain: whose.
        sequence: its number.
        digest: the hash that its content gives.
        hash: the hash that it carries; None where it carries none.
        previous: the hash of the one before it, as it carries it.
    """

    chain: ChainName
    sequence: int
    digest: str
    hash: str | None
    previous: str | None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Link:
        """Read an alert; raises ValueError, whose text is the end of a sentence about it."""
        try:
            device, epoch, sequence = str(document["id"]).rsplit("/", 2)
            site, named, _ = str(document["source"]).split("/", 2)
            name = ChainName(site, device, int(epoch))
            number = int(sequence)
        except (KeyError, ValueError):
            raise ValueError("has not the id and source of an alert") from None
        if named != device or str(document.get("sequence")) != sequence or number < 1:
            raise ValueError("contradicts itself in id, source and sequence")
        hashes = document.get("hash"), document.get("previoushash")
        own, previous = (None if each is None else str(each) for each in hashes)
        return cls(name, number, digest(document), own, previous)


@dataclass(frozen=True, slots=True)
class ToldHead:
    """A head, and when the device told it (RFC 3339)."""

    head: Head
    time: str


class Ledger:
    """The alerts of one chain as they are found, and what is wrong with them.

    Attributes:
        chain: whose.
        repeated: how many were there again, unchanged, which is no fault.
    """

    def __init__(self, chain: ChainName) -> None:
        self.chain = chain
        self.repeated = 0
        self._links: dict[int, Link] = {}
        self._dropped: list[DroppedRange] = []
        self._highest = 0
        self._found: list[Problem] = []

    @property
    def numbers(self) -> list[int]:
        """The numbers of the alerts that are there, in order."""
        return sorted(self._links)

    def add(self, link: Link) -> None:
        """The next alert, in the order in which they were stored."""
        known = self._links.get(link.sequence)
        if known == link:
            self.repeated += 1
            return
        number = link.sequence
        if known is not None:
            self._find(Fault.CONFLICT, f"alert {number} is there with two contents", number)
            return
        if number < self._highest:
            self._find(
                Fault.ORDER,
                f"alert {number} is out of order: it comes after {self._highest}",
                number,
            )
        self._highest = max(self._highest, number)
        self._links[number] = link
        if link.hash is not None and link.hash != link.digest:
            self._find(
                Fault.CHANGED,
                f"alert {number} is changed: its content does not give the hash that it carries",
                number,
            )

    def add_dropped(self, dropped: DroppedRange) -> None:
        """Alerts that the device says it gave up."""
        self._dropped.append(dropped)

    @property
    def dropped(self) -> list[Span]:
        """The numbers that are not there because they were given up."""
        there = merged((number, number) for number in self.numbers)
        told = merged((one.first, one.last) for one in self._dropped)
        return [left for first, last in told for left in gaps(there, first, last)]

    def begins(self, heads: list[ToldHead]) -> int:
        """The number with which the chain begins, as far as that can be known."""
        if heads:
            return min(told.head.first for told in heads)
        chained = [number for number in self.numbers if self._links[number].hash is not None]
        if chained and self._links[chained[0]].previous == BEGINNING:
            return chained[0]
        return 1

    def links(self, first: int) -> Iterator[Problem]:
        """What is wrong with the alerts that are there, in a chain that begins with `first`."""
        yield from self._found
        for number in self.numbers:
            if number >= first and self._links[number].hash is None:
                yield self._problem(
                    Fault.UNCHAINED, f"alert {number} carries no hash: it is forged", number
                )
        start = self._links.get(first)
        if start is not None and start.hash is not None and start.previous != BEGINNING:
            yield self._problem(
                Fault.BROKEN,
                f"alert {first} is not the first of the chain that it says it is: it is forged",
                first,
            )
        for one, other in pairwise(self.numbers):
            before, after = self._links[one], self._links[other]
            linked = other == one + 1 and one >= first and None not in (before.hash, after.hash)
            if linked and after.previous != before.hash:
                yield self._problem(
                    Fault.BROKEN,
                    f"alert {other} does not follow alert {one} as it is here: one of the two "
                    "was put in the place of another",
                    one,
                    other,
                )
        for dropped in self._dropped:
            yield from self._ends(dropped)

    def _ends(self, dropped: DroppedRange) -> Iterator[Problem]:
        """Whether what was given up fits between the alerts before and after it."""
        before = self._links.get(dropped.first - 1)
        after = self._links.get(dropped.last + 1)
        ends = (
            (dropped.first - 1, before and before.hash, dropped.previoushash),
            (dropped.last + 1, after and after.previous, dropped.hash),
        )
        for number, one, other in ends:
            if None not in (one, other) and one != other:
                yield self._problem(
                    Fault.BROKEN,
                    f"alert {number} is not the one beside which the device dropped alerts "
                    f"{dropped.first} to {dropped.last}: it was put in its place",
                    number,
                )

    def gaps(self, first: int) -> Iterator[Problem]:
        """What is missing before the last alert that is there, in a chain that begins so.

        What was given up is none of it.
        """
        dropped = self.dropped
        before = min([first, *self.numbers]) - 1
        for one, other in pairwise([before, *self.numbers]):
            for start, end in gaps(dropped, one + 1, other - 1) if other > one + 1 else ():
                yield self._missing(start, end, f"before alert {other}")

    def against(self, heads: list[ToldHead]) -> Iterator[Problem]:
        """What the heads show that the device told."""
        newest = max(heads, key=lambda told: told.head.sequence, default=None)
        dropped = self.dropped
        there = [*self.numbers, *(last for _, last in dropped)]
        last = max([told.head.first - 1 for told in heads] + there, default=0)
        if newest is not None and newest.head.sequence > last:
            head = newest.head.sequence
            yield self._problem(
                Fault.TAIL,
                f"the tail is cut: {_alerts(last + 1, head)} missing, which the device had told "
                f"by {newest.time}",
                last + 1,
                head,
            )
        for told in heads:
            number = told.head.sequence
            link = self._links.get(number)
            chained = link is not None and number >= told.head.first
            if link is not None and chained and link.hash != told.head.hash:
                yield self._problem(
                    Fault.HEAD,
                    f"alert {number} is not the one that the device told as the last at "
                    f"{told.time}: it was put in its place",
                    number,
                )
        yield from self._contradictions(heads)

    def _contradictions(self, heads: list[ToldHead]) -> Iterator[Problem]:
        seen: dict[int, ToldHead] = {}
        for told in heads:
            other = seen.setdefault(told.head.sequence, told)
            if other.head != told.head:
                yield self._problem(
                    Fault.HEAD,
                    f"the device told two heads with alert {told.head.sequence}, at {other.time} "
                    f"and at {told.time}: its outbox was replaced by an old copy",
                    told.head.sequence,
                )

    def _missing(self, first: int, last: int, where: str) -> Problem:
        return self._problem(Fault.MISSING, f"{_alerts(first, last)} missing {where}", first, last)

    def _find(self, fault: Fault, text: str, number: int) -> None:
        self._found.append(self._problem(fault, text, number))

    def _problem(self, fault: Fault, text: str, first: int, last: int | None = None) -> Problem:
        return Problem(fault, f"{self.chain}: {text}", self.chain, first, last or first)


def _alerts(first: int, last: int) -> str:
    return f"alert {first} is" if first == last else f"alerts {first} to {last} are"
