"""Room in a bounded outbox: whether an alert has some, and which ones make it some.

Room is counted in pages of the file, not in bytes of alerts: pages that deletions left free are
used again, the file itself never shrinks. What makes room are the least severe alerts first, and of
those the oldest; never one that is more severe than the new one, and never one of high or critical
severity.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.alerts.alert import Severity
from edge_runtime.alerts.dropping import RANK, DroppedRange
from edge_runtime.alerts.limits import PAGE_BYTES, Limits

EXPENDABLE = (Severity.INFO, Severity.LOW, Severity.MEDIUM)
"""What may be dropped to make room, in this order."""

_MOST_AT_ONCE = 100
_SLACK = 16
"""An eviction makes room for a sixteenth of all, so that not every commit evicts."""
_OVERFLOW_BYTES = PAGE_BYTES - 4
_SPLIT_PAGES = 3
"""Pages that an insertion may take beside those of its payload."""
_LAST_RESERVE = 1_000_000
_BEGINNING = -(2**63)

_CANDIDATES = """
SELECT sequence, iif(json_valid(payload), json_extract(payload, '$.previoushash'), NULL),
    iif(json_valid(payload), json_extract(payload, '$.hash'), NULL)
FROM alerts WHERE sequence > ? AND severity = ? ORDER BY sequence LIMIT ?
"""

Identity = Callable[[int], tuple[int, int]]
"""From a place in the outbox to (epoch, number)."""


@dataclass(frozen=True, slots=True)
class Eviction:
    """What one transaction deleted to make room.

    Attributes:
        ranges: the alerts, each a range of its own.
        nothing_before: see `Room`; it holds once the transaction is committed.
    """

    ranges: list[DroppedRange]
    nothing_before: Mapping[Severity, int]


@dataclass(frozen=True, slots=True)
class Needed:
    """What a new alert asks for.

    Attributes:
        payload: its bytes.
        severity: its own.
    """

    payload: int
    severity: Severity

    @property
    def pages(self) -> int:
        """Pages that it may take, at most."""
        return self.payload // _OVERFLOW_BYTES + 1 + _SPLIT_PAGES

    @property
    def expendable(self) -> bool:
        """Whether it is of those that make room for others."""
        return self.severity in EXPENDABLE


class Room:
    """The room in one outbox. Whoever asks holds the outbox's lock.

    Attributes:
        nothing_before: of each severity that may go: up to where there is none of it. New ones
            come behind, so that no alert is looked at twice.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, limits: Limits) -> None:
        self._folder = path.parent
        self._connection = connection
        self._limits = limits
        self.nothing_before: Mapping[Severity, int] = dict.fromkeys(EXPENDABLE, _BEGINNING)
        self._left = 0

    def has(self, needed: Needed, waiting: int) -> bool:
        """Whether there is room for one more than `waiting` alerts, which is then taken."""
        if waiting >= self._limits.max_alerts:
            return False
        # To ask SQLite costs a tenth of a commit: it is asked when what is known is used up.
        if self._left < needed.pages or self._disk_is_short(needed):
            self._left = self._pages(needed)
        if self._left < needed.pages:
            return False
        self._left -= needed.pages
        return True

    def _has_some(self, needed: Needed, waiting: int) -> bool:
        """Whether there is room for more than one, so that not every commit has to make some."""
        alerts = min(self._limits.max_alerts // _SLACK, _MOST_AT_ONCE)
        pages = min(self._limits.pages // _SLACK, _MOST_AT_ONCE)
        if waiting + alerts >= self._limits.max_alerts:
            return False
        return self._pages(needed) >= needed.pages + pages

    def oversized(self) -> bool:
        """Whether the file has more pages than it may have."""
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        return int(pages) > self._limits.pages

    def make(self, needed: Needed, waiting: int, head: int, identity: Identity) -> Eviction:
        """Delete some alerts, in the caller's transaction; none where none may go for `needed`.

        It takes several transactions where a hundred alerts are not enough: a commit elsewhere
        waits for no more than one, and the write-ahead log holds no more.
        """
        ranges: list[DroppedRange] = []
        reached = dict(self.nothing_before)
        for severity in EXPENDABLE:
            if RANK[severity] > RANK[needed.severity] or self._enough(needed, waiting, ranges):
                break
            most = _MOST_AT_ONCE - len(ranges)
            values = (reached[severity], severity, most)
            rows = self._connection.execute(_CANDIDATES, values).fetchall()
            for sequence, previous, own in rows:
                if ranges and self._has_some(needed, waiting - len(ranges)):
                    return Eviction(ranges, reached)
                self._connection.execute("DELETE FROM alerts WHERE sequence = ?", (sequence,))
                epoch, number = identity(sequence)
                ranges.append(DroppedRange(epoch, number, number, {severity: 1}, previous, own))
                reached[severity] = sequence
            if len(rows) == most:
                break
            reached[severity] = head
        return Eviction(ranges, reached)

    def _enough(self, needed: Needed, waiting: int, ranges: list[DroppedRange]) -> bool:
        """Whether what is deleted suffices for the new alert alone."""
        if not ranges or waiting - len(ranges) >= self._limits.max_alerts:
            return False
        return self._pages(needed) >= needed.pages

    def _pages(self, needed: Needed) -> int:
        """Pages that may be used for `needed`."""
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        left: int = self._limits.pages - pages + free
        return min(left, free) if self._disk_is_short(needed) else left

    def _disk_is_short(self, needed: Needed) -> bool:
        """Whether the file may not grow. What nothing makes room for may use the disk's reserve."""
        floor = self._limits.min_free_disk
        if not needed.expendable:
            floor = min(floor, _LAST_RESERVE)
        disk = os.statvfs(self._folder)
        return disk.f_bavail * disk.f_frsize < floor + needed.payload
