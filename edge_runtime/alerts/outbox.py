"""The outbox: every alert is on disk before anything else happens to it.

It is bounded: where there is no room for an alert, less severe and older ones are dropped for it
(`room.py`), or it is itself. Whatever is dropped has a number and stays on record (`dropping.py`)
until the centre knows of it.

One SQLite file, one connection in it, one lock around that connection. Analysis threads commit,
the publisher reads and deletes; each holds the lock for one short transaction. A second daemon on
the same file is kept out by an advisory lock on a file beside it, which the kernel takes back
however the first one dies.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from edge_runtime.alerts import dropping
from edge_runtime.alerts.alert import (
    Alert,
    AlertEvent,
    ModelIdentity,
    Origin,
    Severity,
    event,
)
from edge_runtime.alerts.chain import Head
from edge_runtime.alerts.claim import claim
from edge_runtime.alerts.database import (
    SCHEMA_VERSION,
    NoEpochError,
    OutboxDamagedError,
    OutboxError,
    begin_chain,
    check_accounts,
    is_damage,
    open_database,
    sentence,
    state,
)
from edge_runtime.alerts.dropping import DroppedRange, RangeError
from edge_runtime.alerts.limits import Limits
from edge_runtime.alerts.room import EXPENDABLE, Needed, Room
from edge_runtime.alerts.salvage import Salvage, begin_anew, finish, is_whole, unreadable
from edge_runtime.errors import EdgeRuntimeError

__all__ = [
    "SCHEMA_VERSION",
    "AcknowledgementError",
    "Entry",
    "Limits",
    "Outbox",
    "OutboxDamagedError",
    "OutboxError",
    "OutboxFullError",
]

_log = logging.getLogger(__name__)

_FORGET_AT_ONCE = 100
"""A commit waits for no longer than one transaction of so many deletions takes."""


class AcknowledgementError(EdgeRuntimeError):
    """The centre cannot hold what it says that it holds: nothing is forgotten for it."""


class OutboxFullError(OutboxError):
    """An alert was given up as it came, for what is there is as severe: that it was is on record.

    Attributes:
        severity: the alert's.
        sequence: its number.
    """

    def __init__(self, sentence: str, severity: Severity, sequence: int) -> None:
        super().__init__(sentence)
        self.severity = severity
        self.sequence = sequence


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


@dataclass(frozen=True, slots=True)
class Entry:
    """An alert that waits.

    Attributes:
        sequence: its place: its number, from 1; what was saved of an earlier epoch comes before,
            with 0 and less.
        camera: the camera's name.
        rule: the kind of rule.
        severity: how urgent it is.
        payload: the CloudEvents JSON as it goes out.
        number: its number within its epoch.
    """

    sequence: int
    camera: str
    rule: str
    severity: Severity
    payload: str
    number: int


def _nobody_listens() -> None:
    """An outbox that nobody empties."""


class Outbox:
    """Alerts on disk, numbered without gaps, until they are delivered.

    All methods may be called from any thread.

    Attributes:
        epoch: Unix microseconds of the moment when the file was made. A new file has a new epoch,
            so that (device, epoch, sequence) never names two alerts. Microseconds, because a
            board without a battery-backed clock starts each new card in the same second.
        salvage: what became of the file that was there, if it was found damaged; None if not.
        drops: how many alerts were dropped since the start.
        full: whether an alert of high or critical severity was refused, and there was no room
            since.
        on_commit: called after every commit, in the thread that committed; it must not block.
    """

    def __init__(self, path: Path, origin: Origin, limits: Limits | None = None) -> None:
        """Open the outbox at `path`, and make it if there is none, or if it is damaged.

        Raises:
            OutboxError: the file cannot be written, is of a newer version or of another program,
                or another daemon uses it.
        """
        self._path = path
        self._origin = origin
        self._limits = limits or Limits()
        self._mutex = threading.Lock()
        self.on_commit: Callable[[], None] = _nobody_listens
        self.salvage: Salvage | None = None
        self.drops = 0
        self.full = False
        self._evicted: Counter[Severity] = Counter()
        self._refused: Counter[Severity] = Counter()
        self._damage: str | None = None
        self._closed = False
        self._lock_file = claim(path)
        try:
            with self._explained():
                self._open_or_begin_anew()
        except OutboxError:
            os.close(self._lock_file)
            raise

    def _open_or_begin_anew(self, damage: str | None = None) -> None:
        try:
            finish(self._path)
            try:
                if damage is not None and self._path.exists():
                    raise OutboxDamagedError(self._path, damage)
                self._open()
            except OutboxDamagedError as error:
                self.salvage = begin_anew(self._path, error.detail)
                self._open()
        except OSError as error:
            raise OutboxError(
                f"the damaged outbox {self._path} cannot be set aside: {error.strerror}"
            ) from error
        self._damage = None

    def _open(self) -> None:
        path, origin = self._path, self._origin
        connection = open_database(path, self._limits)
        try:
            found = state(path, connection)
            check_accounts(path, connection, found)
            if (found.site, found.device) != (origin.site, origin.device):
                begin_chain(connection, origin.site, origin.device)
                found = state(path, connection)
        except (sqlite3.Error, OutboxError):
            connection.close()
            raise
        self._connection = connection
        self._room = Room(path, connection, self._limits)
        self._epochs = found.epochs
        self.epoch = found.epoch
        self._depth = found.depth + found.saved
        self._head = Head(
            origin.site, origin.device, found.epoch, found.first, found.sequence, found.hash
        )
        if self._room.oversized():
            self._shrink()

    def commit(
        self, alert: Alert, *, model: ModelIdentity | None, clock_synchronised: bool
    ) -> AlertEvent:
        """Number `alert`, chain it to the one before it and keep it.

        It survives a power cut once this has returned.

        Raises:
            OutboxFullError: the alert was not kept; its number is on record as dropped.
            OutboxError: the alert was not kept. Its number is given to the next one.
        """
        with self._mutex, self._explained():
            made = event(
                alert,
                origin=self._origin,
                epoch=self.epoch,
                sequence=self._head.sequence + 1,
                model=model,
                clock_synchronised=clock_synchronised,
            ).chained(self._head.hash)
            payload = made.to_json()
            needed = Needed(len(payload), made.severity)
            kept = self._make_room(needed)
            head = self._follow(made)
            if kept:
                self._connection.execute(
                    "INSERT INTO alerts VALUES (?, ?, ?, ?, ?)",
                    (head.sequence, alert.camera, alert.rule, made.severity, payload),
                )
                self._depth += 1
                self.full &= needed.expendable
            else:
                self._refuse(made, head)
                self.full |= not needed.expendable
            self._head = head
        self.on_commit()
        if not kept:
            raise OutboxFullError(
                f"the outbox {self._path} is full of alerts that are as severe or more: alert "
                f"{made.id} ({made.severity}) is not kept, and is told as dropped",
                made.severity,
                head.sequence,
            )
        return made

    def _follow(self, made: AlertEvent) -> Head:
        assert made.hash is not None
        return replace(self._head, sequence=int(made.sequence), hash=made.hash)

    def _make_room(self, needed: Needed) -> bool:
        """Drop alerts until there is room, or nothing that may go for it: whether there is."""
        while not self._room.has(needed, self._depth):
            if not self._drop_some(needed):
                return False
        return True

    def _drop_some(self, needed: Needed) -> bool:
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            made = self._room.make(needed, self._depth, self._head.sequence, self._epochs.identity)
            if made.ranges:
                self._record(made.ranges, self._head)
        self._room.nothing_before = made.nothing_before
        self._depth -= len(made.ranges)
        self._count(self._evicted, made.ranges)
        return bool(made.ranges)

    def _refuse(self, made: AlertEvent, head: Head) -> None:
        """Give the alert its number, and nothing else."""
        number = head.sequence
        dropped = DroppedRange(
            self.epoch, number, number, {made.severity: 1}, made.previoushash, made.hash
        )
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("INSERT INTO alerts VALUES (?, '', '', '', '')", (number,))
            self._connection.execute("DELETE FROM alerts WHERE sequence = ?", (number,))
            self._record([dropped], head)
        self._count(self._refused, [dropped])

    def _record(self, dropped: Sequence[DroppedRange], head: Head) -> None:
        """Write down that these are given up; within a transaction."""
        dropping.keep(self._connection, dropped)
        # The chain goes on from its head, also when the alert that held it is gone.
        self._connection.execute(
            "UPDATE chain SET sequence = ?, hash = ?, dropped = dropped + ?",
            (head.sequence, head.hash, sum(one.number for one in dropped if self._owns(one))),
        )

    def _owns(self, dropped: DroppedRange) -> bool:
        return dropped.epoch == self.epoch

    def _count(self, counter: Counter[Severity], dropped: Iterable[DroppedRange]) -> None:
        for one in dropped:
            counter.update(one.count)
            self.drops += one.number

    def _shrink(self) -> None:
        """Bring a file that was made within other bounds below these, as far as may be."""
        self._make_room(Needed(0, EXPENDABLE[-1]))
        try:
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError as error:
            _log.warning("the outbox is larger than it may be: %s", sentence(self._path, error))

    def pending(self, after: int, limit: int) -> list[Entry]:
        """The first `limit` alerts that wait behind the place `after`, in their order.

        One that is no longer what was committed is given up, and on record as dropped.
        """
        with self._mutex, self._explained():
            rows = self._connection.execute(
                "SELECT sequence, camera, rule, severity, payload FROM alerts"
                " WHERE sequence > ? ORDER BY sequence LIMIT ?",
                (after, limit),
            ).fetchall()
            entries = [self._entry(*row) for row in rows]
            damaged = [row for row, entry in zip(rows, entries, strict=True) if entry is None]
            if damaged:
                self._give_up(damaged)
        if damaged:
            self.on_commit()  # there may be more behind them
        return [entry for entry in entries if entry is not None]

    def _entry(
        self, place: int, camera: str, rule: str, severity: str, payload: str
    ) -> Entry | None:
        epoch, number = self._epochs.identity(place)
        hashed = place >= self._head.first
        if not is_whole(payload, epoch, number, hashed=hashed):
            return None
        return Entry(place, camera, rule, Severity(severity), payload, number)

    def give_up(self, entry: Entry) -> None:
        """Drop an alert, whatever its severity, if it still waits: it is on record.

        Raises:
            OutboxError: the file cannot be written; the alert waits on.
        """
        epoch, number = self._epochs.identity(entry.sequence)
        alert = json.loads(entry.payload)
        dropped = DroppedRange(
            *(epoch, number, number, {entry.severity: 1}),
            *(alert.get("previoushash"), alert.get("hash")),
        )
        with self._mutex, self._explained():
            waits = self._connection.execute(
                "SELECT 1 FROM alerts WHERE sequence = ?", (entry.sequence,)
            ).fetchone()
            if waits:  # a commit may have dropped it meanwhile
                self._drop([entry.sequence], [dropped])

    def _give_up(self, rows: Iterable[tuple[int, str, str, str, str]]) -> None:
        dropped = []
        for place, _, _, severity, _ in rows:
            epoch, number = self._epochs.identity(place)
            _log.error(
                "alert %d of epoch %d is damaged on the disk, and is given up", number, epoch
            )
            dropped.append(unreadable(epoch, number, number, severity))
        self._drop([place for place, *_ in rows], dropped)

    def _drop(self, places: Sequence[int], dropped: Sequence[DroppedRange]) -> None:
        """Delete what waits at `places`, and have it on record."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                "DELETE FROM alerts WHERE sequence = ?", [(place,) for place in places]
            )
            self._record(dropped, self._head)
        self._depth -= len(dropped)
        self._count(self._evicted, dropped)

    def spans(self, first: int, last: int) -> list[tuple[int, int]]:
        """Which alerts from `first` to `last` wait: neighbours as pairs of first and last."""
        with self._mutex, self._explained():
            return self._connection.execute(
                "SELECT min(sequence), max(sequence) FROM"
                " (SELECT sequence, sequence - row_number() OVER (ORDER BY sequence) AS island"
                " FROM alerts WHERE sequence BETWEEN ? AND ?) GROUP BY island ORDER BY island",
                (first, last),
            ).fetchall()

    def delivered(self, sequences: Iterable[int]) -> None:
        """Forget these alerts, in one transaction: give many at a time, each costs a sync."""
        places = [(place,) for place in sequences]
        own = [place for place in places if place[0] > 0]
        saved = [place for place in places if place[0] <= 0]
        delete = "DELETE FROM alerts WHERE sequence = ?"
        with self._mutex, self._explained(), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            gone = self._connection.executemany(delete, own).rowcount if own else 0
            more = self._connection.executemany(delete, saved).rowcount if saved else 0
            self._end_forgetting(gone, more)

    def acknowledge(self, epoch: int, sequence: int, digest: str | None = None) -> int:
        """Forget the alerts up to `sequence`, which the centre holds: how many that were.

        What was dropped up to there is forgotten, too: the centre knows of it.

        Args:
            epoch: the one of which the centre speaks.
            sequence: the last alert that it holds without a gap.
            digest: that alert's hash; None where the centre does not know it.

        Raises:
            AcknowledgementError: this outbox never had what is acknowledged.
            OutboxError: the file cannot be written; what was not forgotten waits on.
        """
        shift = self._believe(epoch, sequence, digest)
        forgotten = 0
        while True:
            with self._mutex, self._explained(), self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                gone = self._connection.execute(
                    "DELETE FROM alerts WHERE sequence IN (SELECT sequence FROM alerts"
                    " WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?)",
                    (-shift, sequence - shift, _FORGET_AT_ONCE),
                ).rowcount
                if gone < _FORGET_AT_ONCE:
                    self._connection.execute(
                        "DELETE FROM dropped WHERE epoch = ? AND last <= ?", (epoch, sequence)
                    )
                own = epoch == self.epoch
                self._end_forgetting(gone if own else 0, 0 if own else gone)
            forgotten += gone
            if gone < _FORGET_AT_ONCE:
                return forgotten

    def _believe(self, epoch: int, sequence: int, digest: str | None) -> int:
        """See that this outbox had what is acknowledged: the shift of its epoch."""
        with self._mutex, self._explained():
            head, span = self._head, self.span(epoch)
            shift, last = span or (0, 0)
            row = self._connection.execute(
                "SELECT json_extract(payload, '$.hash') FROM alerts WHERE sequence = ?",
                (sequence - shift,),
            ).fetchone()
        if span is None:
            raise AcknowledgementError(
                f"alert {sequence} of epoch {epoch} is acknowledged, and this outbox is of epoch "
                f"{self.epoch}"
            )
        if not 1 <= sequence <= last:
            raise AcknowledgementError(
                f"alert {sequence} is acknowledged, and the last one is {last}"
            )
        known = head.hash if (epoch, sequence) == (self.epoch, head.sequence) else None
        if row is not None:
            known = row[0]
        if None not in (digest, known) and digest != known:
            raise AcknowledgementError(
                f"alert {sequence} is acknowledged with a hash that is not its own: the centre "
                "holds another one in its place"
            )
        return shift

    def span(self, epoch: int) -> tuple[int, int] | None:
        """Shift and last number of `epoch`: number - shift is a place. None of one not known."""
        if epoch == self.epoch:
            return 0, self.committed
        return self._epochs.span(epoch)

    def _end_forgetting(self, own: int, saved: int) -> None:
        """Count what was deleted of this epoch and of others, and commit it; under the mutex."""
        if own > 0:
            # The chain goes on from its head, also when the alert that held it is gone.
            self._connection.execute(
                "UPDATE chain SET sequence = ?, hash = ?, delivered = delivered + ?",
                (self._head.sequence, self._head.hash, own),
            )
        self._connection.execute("COMMIT")
        gone = max(own, 0) + max(saved, 0)
        self._depth -= gone
        self.full &= gone == 0

    def dropped(self, limit: int, after: tuple[int, int] = (0, 0)) -> tuple[DroppedRange, ...]:
        """The first `limit` ranges on record that begin behind (epoch, number), in their order."""
        with self._mutex, self._explained():
            return tuple(dropping.select(self._connection, limit, after))

    def forget_dropped(self, ranges: Iterable[DroppedRange]) -> None:
        """Forget that these were dropped: whoever had to know does. One that grew since stays."""
        with self._mutex, self._explained(), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            dropping.forget(self._connection, ranges)

    def given_up(self) -> Given:
        """What did not stay."""
        with self._mutex, self._explained():
            (untold,) = self._connection.execute(
                "SELECT coalesce(sum(last - first + 1), 0) FROM dropped"
            ).fetchone()
            return Given(dict(self._evicted), dict(self._refused), untold)

    @property
    def head(self) -> Head:
        """Where the chain of this epoch stands."""
        return self._head

    @property
    def committed(self) -> int:
        """The highest sequence so far: how many alerts were ever committed in this epoch."""
        return self._head.sequence

    @property
    def damage(self) -> str | None:
        """What is wrong with the file, in a sentence; None as long as nothing was found."""
        return self._damage

    def depth(self) -> int:
        """How many alerts wait."""
        return self._depth

    def size(self) -> int:
        """Bytes that the outbox takes on the disk: all of its files."""
        names = (self._path.with_name(self._path.name + end) for end in ("", "-wal", "-shm"))
        return sum(name.stat().st_size for name in names if name.exists())

    def renew(self) -> Salvage:
        """Set the damaged file aside and go on with a new one, of a new epoch.

        Nobody may use what this outbox gave out before: its places begin again.

        Raises:
            OutboxError: there cannot be a new one.
        """
        with self._mutex, self._explained():
            self._connection.close()
            self._open_or_begin_anew(self._damage)
            assert self.salvage is not None
            return self.salvage

    def close(self) -> None:
        """Close the file and let another daemon have it. A second close does nothing."""
        with self._mutex:
            if self._closed:
                return
            self._closed = True
            self._connection.close()
            os.close(self._lock_file)

    def __enter__(self) -> Outbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if not is_damage(error):
                raise OutboxError(sentence(self._path, error)) from error
            self._damage = str(error)
            raise OutboxDamagedError(self._path, str(error)) from error
        except (NoEpochError, RangeError) as error:
            self._damage = str(error)
            raise OutboxDamagedError(self._path, str(error)) from error
