"""The accounts of an open outbox: each number that was given waits, was let go or is on record.

Whatever changes them is one transaction here. What a ledger says of its file changes only after
that transaction, so that it holds when one fails.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edge_runtime.alerts import dropping
from edge_runtime.alerts.alert import AlertEvent, Origin
from edge_runtime.alerts.chain import Head
from edge_runtime.alerts.database import (
    OutboxError,
    State,
    begin_chain,
    check_accounts,
    open_database,
    sentence,
    state,
    transaction,
)
from edge_runtime.alerts.dropping import DroppedRange, Tally
from edge_runtime.alerts.limits import Limits
from edge_runtime.alerts.room import EXPENDABLE, Needed, Room

_log = logging.getLogger(__name__)

FORGET_AT_ONCE = 100
"""A commit waits for no longer than one transaction of so many deletions takes."""


class Ledger:
    """The accounts of one file. Whoever uses it holds the outbox's lock.

    Attributes:
        connection: the file, opened.
        epochs: its own and those before it.
        head: where the chain of its own epoch stands.
        depth: how many alerts wait.
    """

    def __init__(
        self, connection: sqlite3.Connection, room: Room, found: State, tally: Tally
    ) -> None:
        """Begin with what was `found` in the file; what is dropped is counted in `tally`."""
        self.connection = connection
        self.epochs = found.epochs
        self.depth = found.depth + found.saved
        self.head = Head(
            found.site, found.device, found.epoch, found.first, found.sequence, found.hash
        )
        self._room = room
        self._tally = tally

    @property
    def epoch(self) -> int:
        """The file's own."""
        return self.epochs.current

    def span(self, epoch: int) -> tuple[int, int] | None:
        """Shift and last number of `epoch`: number - shift is a place. None of one not known."""
        return (0, self.head.sequence) if epoch == self.epoch else self.epochs.span(epoch)

    def waits(self, place: int) -> bool:
        """Whether an alert waits there."""
        found = self.connection.execute("SELECT 1 FROM alerts WHERE sequence = ?", (place,))
        return found.fetchone() is not None

    # A new alert.

    def add(self, made: AlertEvent, payload: str) -> None:
        """Keep the alert that follows the chain's head. It is on the disk once this has returned.

        Args:
            made: the alert.
            payload: its JSON.
        """
        head = self._beyond(made)
        self.connection.execute(
            "INSERT INTO alerts VALUES (?, ?, ?, ?, ?)",
            (head.sequence, made.data.camera, made.data.rule, made.severity, payload),
        )
        self.depth += 1
        self.head = head

    def refuse(self, made: AlertEvent) -> None:
        """Give the alert that follows the chain's head its number, and nothing else."""
        head = self._beyond(made)
        number = head.sequence
        dropped = DroppedRange(
            self.epoch, number, number, {made.severity: 1}, made.previoushash, made.hash
        )
        with transaction(self.connection):
            self.connection.execute("INSERT INTO alerts VALUES (?, '', '', '', '')", (number,))
            self.connection.execute("DELETE FROM alerts WHERE sequence = ?", (number,))
            self._record([dropped], head)
        self._tally.refuse(dropped)
        self.head = head

    def _beyond(self, made: AlertEvent) -> Head:
        assert made.hash is not None
        return replace(self.head, sequence=int(made.sequence), hash=made.hash)

    # What goes without having arrived.

    def make_room(self, needed: Needed) -> bool:
        """Drop alerts until there is room, or nothing that may go for it: whether there is."""
        while not self._room.has(needed, self.depth):
            if not self._drop_some(needed):
                return False
        return True

    def _drop_some(self, needed: Needed) -> bool:
        with transaction(self.connection):
            made = self._room.make(needed, self.depth, self.head.sequence, self.epochs.identity)
            if made.ranges:
                self._record(made.ranges, self.head)
        self._room.nothing_before = made.nothing_before
        self._dropped(made.ranges)
        return bool(made.ranges)

    def drop(self, dropped: Sequence[tuple[int, DroppedRange]]) -> None:
        """Delete what waits at these places, each with its range, and have it on record."""
        with transaction(self.connection):
            self.connection.executemany(
                "DELETE FROM alerts WHERE sequence = ?", [(place,) for place, _ in dropped]
            )
            self._record([one for _, one in dropped], self.head)
        self._dropped([one for _, one in dropped])

    def _dropped(self, dropped: Sequence[DroppedRange]) -> None:
        """Count what is deleted, an alert each."""
        self.depth -= len(dropped)
        self._tally.evict(dropped)

    def _record(self, dropped: Sequence[DroppedRange], head: Head) -> None:
        """Write down that these are given up; within a transaction."""
        dropping.keep(self.connection, dropped)
        own = sum(one.number for one in dropped if one.epoch == self.epoch)
        self._write_head(head, dropped=own)

    # What the centre, or the broker, holds.

    def forget(self, places: Sequence[int]) -> int:
        """Forget the alerts at these places, in one transaction: how many there were."""
        delete = "DELETE FROM alerts WHERE sequence = ?"
        own = [(place,) for place in places if place > 0]
        saved = [(place,) for place in places if place <= 0]
        with transaction(self.connection):
            gone = self.connection.executemany(delete, own).rowcount if own else 0
            more = self.connection.executemany(delete, saved).rowcount if saved else 0
            if gone:
                self._write_head(self.head, delivered=gone)
        self.depth -= gone + more
        return gone + more

    def forget_up_to(self, epoch: int, sequence: int, shift: int) -> int:
        """Forget the first `FORGET_AT_ONCE` alerts of `epoch` up to `sequence`: how many it were.

        Where it were fewer, what was dropped up to there is forgotten, too.

        Args:
            epoch: theirs.
            sequence: the last one's number.
            shift: the epoch's.
        """
        with transaction(self.connection):
            gone = self.connection.execute(
                "DELETE FROM alerts WHERE sequence IN (SELECT sequence FROM alerts"
                " WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?)",
                (-shift, sequence - shift, FORGET_AT_ONCE),
            ).rowcount
            if gone < FORGET_AT_ONCE:
                dropping.forget_up_to(self.connection, epoch, sequence)
            if gone and epoch == self.epoch:
                self._write_head(self.head, delivered=gone)
        self.depth -= gone
        return gone

    def _write_head(self, head: Head, *, delivered: int = 0, dropped: int = 0) -> None:
        """Count alerts that go. The chain goes on from its head, also when that is one of them."""
        self.connection.execute(
            "UPDATE chain SET sequence = ?, hash = ?,"
            " delivered = delivered + ?, dropped = dropped + ?",
            (head.sequence, head.hash, delivered, dropped),
        )

    # The file.

    def shrink(self, path: Path) -> None:
        """Bring a file that was made within other bounds below these, as far as may be."""
        if not self._room.oversized():
            return
        self.make_room(Needed(0, EXPENDABLE[-1]))
        try:
            self.connection.execute("VACUUM")
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError as error:
            _log.warning("the outbox is larger than it may be: %s", sentence(path, error))


def open_ledger(path: Path, origin: Origin, limits: Limits, tally: Tally) -> Ledger:
    """Open the file at `path`, and make it if there is none; its chain is that of `origin`.

    Raises:
        sqlite3.Error, OutboxError: see `Outbox`.
        OutboxDamagedError: it is ours, or nobody's, and damaged.
    """
    connection = open_database(path, limits)
    try:
        found = state(path, connection)
        check_accounts(path, connection, found)
        if (found.site, found.device) != (origin.site, origin.device):
            begin_chain(connection, origin.site, origin.device)
            found = state(path, connection)
        ledger = Ledger(connection, Room(path, connection, limits), found, tally)
        ledger.shrink(path)
    except (sqlite3.Error, OutboxError):
        connection.close()
        raise
    return ledger
