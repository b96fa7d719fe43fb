"""The alerts that an outbox gave up: ranges of them, so that no gap is silent."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from edge_runtime.alerts.alert import Severity
from edge_runtime.errors import EdgeRuntimeError

RANK: Mapping[Severity, int] = {severity: rank for rank, severity in enumerate(Severity)}
_COLUMNS = f"epoch, first, last, previoushash, hash, {', '.join(Severity)}"
_MARKS = ", ".join("?" * (5 + len(Severity)))


class RangeError(EdgeRuntimeError):
    """A range that runs backwards or counts other than it holds."""


@dataclass(frozen=True, slots=True)
class DroppedRange:
    """Adjacent alerts that are given up.

    Attributes:
        epoch: theirs.
        first: the first one's number.
        last: the last one's number.
        count: how many of each severity; what could not be read counts as critical, which it may
            have been.
        previoushash: that of the first: it leads back to the alert before the range; None where it
            is not known.
        hash: that of the last: the alert after the range leads back to it; None the same.

    Raises:
        RangeError: it runs backwards, or counts other than it holds.
    """

    epoch: int
    first: int
    last: int
    count: Mapping[Severity, int]
    previoushash: str | None = None
    hash: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last or sum(self.count.values()) != self.number:
            raise RangeError(
                f"the range of dropped alerts {self.first} to {self.last} does not hold as many "
                "as it counts"
            )

    @property
    def number(self) -> int:
        """How many alerts it holds."""
        return self.last - self.first + 1

    @property
    def severity(self) -> Severity:
        """The highest of theirs."""
        return max(self.count, key=RANK.__getitem__)

    def precedes(self, other: DroppedRange) -> bool:
        """Whether `other` begins where this one ends."""
        return (self.epoch, self.last + 1) == (other.epoch, other.first)

    def joined(self, other: DroppedRange) -> DroppedRange:
        """This one and `other`, which it precedes, as one."""
        count = {
            severity: number
            for severity in Severity
            if (number := self.count.get(severity, 0) + other.count.get(severity, 0))
        }
        return replace(self, last=other.last, count=count, hash=other.hash)


@dataclass(frozen=True, slots=True)
class Given:
    """What an outbox gave up since it was opened, and what of all that the centre is to be told.

    Attributes:
        evicted: alerts that had waited, of each severity.
        refused: alerts that found no room as they came, of each severity.
        untold: alerts that are on record as dropped, since whenever.
    """

    evicted: Mapping[Severity, int]
    refused: Mapping[Severity, int]
    untold: int


@dataclass(slots=True)
class Tally:
    """What an outbox gave up since it was opened.

    Attributes:
        number: how many alerts.
        evicted: those that had waited, of each severity.
        refused: those that found no room as they came, of each severity.
    """

    number: int = 0
    evicted: Counter[Severity] = field(default_factory=Counter)
    refused: Counter[Severity] = field(default_factory=Counter)

    def evict(self, ranges: Iterable[DroppedRange]) -> None:
        """Count alerts that had waited."""
        for each in ranges:
            self.evicted.update(each.count)
            self.number += each.number

    def refuse(self, one: DroppedRange) -> None:
        """Count an alert that found no room."""
        self.refused.update(one.count)
        self.number += one.number

    def given(self, untold: int) -> Given:
        """The same, and what is `untold`, as they are now."""
        return Given(dict(self.evicted), dict(self.refused), untold)


def unreadable(epoch: int, first: int, last: int, severity: str = "") -> DroppedRange:
    """Alerts that are given up because they cannot be read."""
    known = Severity(severity) if severity in set(Severity) else Severity.CRITICAL
    return DroppedRange(epoch, first, last, {known: last - first + 1})


def joined(ranges: Iterable[DroppedRange]) -> list[DroppedRange]:
    """The same in order, adjacent ones as one."""
    made: list[DroppedRange] = []
    for each in sorted(ranges, key=lambda one: (one.epoch, one.first)):
        add(made, each)
    return made


def add(ranges: list[DroppedRange], one: DroppedRange) -> None:
    """Put `one` behind `ranges`, as one with the last of them where that precedes it."""
    if ranges and ranges[-1].precedes(one):
        ranges[-1] = ranges[-1].joined(one)
    else:
        ranges.append(one)


def keep(connection: sqlite3.Connection, ranges: Iterable[DroppedRange]) -> None:
    """Write `ranges` down, as one with those that they touch; within the caller's transaction."""
    for each in joined(ranges):
        before = "epoch = ? AND first < ? ORDER BY first DESC"
        near = [
            *_select(connection, before, 1, each.epoch, each.first),
            *_select(connection, "epoch = ? AND first = ?", 1, each.epoch, each.last + 1),
        ]
        adjacent = [one for one in near if one.precedes(each) or each.precedes(one)]
        forget(connection, adjacent)
        (whole,) = joined([each, *adjacent])
        connection.execute(f"INSERT INTO dropped ({_COLUMNS}) VALUES ({_MARKS})", _row(whole))


def select(
    connection: sqlite3.Connection, limit: int, after: tuple[int, int] = (0, 0)
) -> list[DroppedRange]:
    """The first `limit` ranges that begin beyond (epoch, number) `after`, in their order."""
    return _select(connection, "(epoch, first) > (?, ?) ORDER BY epoch, first", limit, *after)


def forget(connection: sqlite3.Connection, ranges: Iterable[DroppedRange]) -> None:
    """Forget `ranges`, of those that are still just so; within the caller's transaction."""
    connection.executemany(
        "DELETE FROM dropped WHERE epoch = ? AND first = ? AND last = ?",
        [(each.epoch, each.first, each.last) for each in ranges],
    )


def forget_up_to(connection: sqlite3.Connection, epoch: int, number: int) -> None:
    """Forget the ranges of `epoch` that end at `number` or before; within a transaction."""
    connection.execute("DELETE FROM dropped WHERE epoch = ? AND last <= ?", (epoch, number))


def untold(connection: sqlite3.Connection) -> int:
    """How many alerts are on record as dropped."""
    (number,) = connection.execute(
        "SELECT coalesce(sum(last - first + 1), 0) FROM dropped"
    ).fetchone()
    return int(number)


def _select(
    connection: sqlite3.Connection, where: str, limit: int, *values: int
) -> list[DroppedRange]:
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM dropped WHERE {where} LIMIT ?", (*values, limit)
    )
    return [_range(row) for row in rows.fetchall()]


def _range(row: tuple[int, int, int, str | None, str | None, *tuple[int, ...]]) -> DroppedRange:
    epoch, first, last, previous, own, *numbers = row
    pairs = zip(Severity, numbers, strict=True)
    count = {severity: number for severity, number in pairs if number}
    return DroppedRange(epoch, first, last, count, previous, own)


def _row(each: DroppedRange) -> tuple[int | str | None, ...]:
    numbers = (each.count.get(severity, 0) for severity in Severity)
    return each.epoch, each.first, each.last, each.previoushash, each.hash, *numbers
