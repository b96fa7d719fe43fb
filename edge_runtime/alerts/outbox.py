"""The outbox: every alert is on disk before anything else happens to it.

It is bounded: where there is no room for an alert, less severe and older ones are dropped for it
(`room.py`), or it is itself. Whatever is dropped has a number and stays on record (`dropping.py`)
until the centre knows of it.

One SQLite file, one connection in it (`ledger.py`), one lock around that connection. Analysis
threads commit, the publisher reads and deletes; each holds the lock for one short transaction. A
second daemon on the same file is kept out by an advisory lock on a file beside it, which the kernel
takes back however the first one dies.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_runtime.alerts import dropping, waiting
from edge_runtime.alerts.acknowledging import AcknowledgementError, shift_of
from edge_runtime.alerts.alert import Alert, AlertEvent, ModelIdentity, Origin, Severity, event
from edge_runtime.alerts.chain import Head
from edge_runtime.alerts.claim import claim
from edge_runtime.alerts.database import (
    SCHEMA_VERSION,
    NoEpochError,
    OutboxDamagedError,
    OutboxError,
    is_damage,
    sentence,
    transaction,
)
from edge_runtime.alerts.dropping import DroppedRange, Given, RangeError, Tally
from edge_runtime.alerts.ledger import FORGET_AT_ONCE, Ledger, open_ledger
from edge_runtime.alerts.limits import Limits
from edge_runtime.alerts.room import Needed
from edge_runtime.alerts.salvage import Salvage, begin_anew, finish
from edge_runtime.alerts.waiting import Entry

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


def _nobody_listens() -> None:
    """An outbox that nobody empties."""


class Outbox:
    """Alerts on disk, numbered without gaps, until they are delivered.

    All methods may be called from any thread.

    Attributes:
        salvage: what became of the file that was there, if it was found damaged; None if not.
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
        self.full = False
        self._tally = Tally()
        self._damage: str | None = None
        self._closed = False
        self._lock_file = claim(path)
        try:
            with self._explained():
                self._ledger = self._open_or_begin_anew()
        except OutboxError:
            os.close(self._lock_file)
            raise

    def _open_or_begin_anew(self, damage: str | None = None) -> Ledger:
        try:
            finish(self._path)
            try:
                if damage is not None and self._path.exists():
                    raise OutboxDamagedError(self._path, damage)
                ledger = self._open()
            except OutboxDamagedError as error:
                self.salvage = begin_anew(self._path, error.detail)
                ledger = self._open()
        except OSError as error:
            raise OutboxError(
                f"the damaged outbox {self._path} cannot be set aside: {error.strerror}"
            ) from error
        self._damage = None
        return ledger

    def _open(self) -> Ledger:
        return open_ledger(self._path, self._origin, self._limits, self._tally)

    def commit(
        self, alert: Alert, *, model: ModelIdentity | None, clock_synchronised: bool
    ) -> AlertEvent:
        """Number `alert`, chain it to the one before it and keep it.

        It survives a power cut once this has returned.

        Raises:
            OutboxFullError: the alert was not kept; its number is on record as dropped.
            OutboxError: the alert was not kept. Its number is given to the next one.
        """
        with self._locked() as ledger:
            made = event(
                alert,
                origin=self._origin,
                epoch=ledger.epoch,
                sequence=ledger.head.sequence + 1,
                model=model,
                clock_synchronised=clock_synchronised,
            ).chained(ledger.head.hash)
            payload = made.to_json()
            needed = Needed(len(payload), made.severity)
            kept = ledger.make_room(needed)
            if kept:
                ledger.add(made, payload)
                self.full &= needed.expendable
            else:
                ledger.refuse(made)
                self.full |= not needed.expendable
        self.on_commit()
        if not kept:
            raise OutboxFullError(
                f"the outbox {self._path} is full of alerts that are as severe or more: alert "
                f"{made.id} ({made.severity}) is not kept, and is told as dropped",
                made.severity,
                int(made.sequence),
            )
        return made

    def pending(self, after: int, limit: int) -> list[Entry]:
        """The first `limit` alerts that wait behind the place `after`, in their order.

        One that is no longer what was committed is given up, and on record as dropped.
        """
        with self._locked() as ledger:
            entries, damaged = waiting.read(
                ledger.connection, ledger.epochs, ledger.head.first, after, limit
            )
            for _, one in damaged:
                _log.error(
                    "alert %d of epoch %d is damaged on the disk, and is given up",
                    *(one.first, one.epoch),
                )
            if damaged:
                ledger.drop(damaged)
        if damaged:
            self.on_commit()  # there may be more behind them
        return entries

    def spans(self, first: int, last: int) -> list[tuple[int, int]]:
        """Which alerts from `first` to `last` wait: neighbours as pairs of first and last."""
        with self._locked() as ledger:
            return waiting.spans(ledger.connection, first, last)

    def give_up(self, entry: Entry) -> None:
        """Drop an alert, whatever its severity, if it still waits: it is on record.

        Raises:
            OutboxError: the file cannot be written; the alert waits on.
        """
        with self._locked() as ledger:
            if ledger.waits(entry.sequence):  # a commit may have dropped it meanwhile
                ledger.drop([(entry.sequence, entry.dropped())])

    def delivered(self, sequences: Iterable[int]) -> None:
        """Forget these alerts, in one transaction: give many at a time, each costs a sync."""
        places = list(sequences)
        with self._locked() as ledger:
            self.full &= ledger.forget(places) == 0

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
        with self._locked() as ledger:
            shift = shift_of(ledger, epoch, sequence, digest)
        forgotten = 0
        while True:
            with self._locked() as ledger:
                gone = ledger.forget_up_to(epoch, sequence, shift)
                self.full &= gone == 0
            forgotten += gone
            if gone < FORGET_AT_ONCE:
                return forgotten

    def span(self, epoch: int) -> tuple[int, int] | None:
        """Shift and last number of `epoch`: number - shift is a place. None of one not known."""
        return self._ledger.span(epoch)

    def dropped(self, limit: int, after: tuple[int, int] = (0, 0)) -> tuple[DroppedRange, ...]:
        """The first `limit` ranges on record that begin behind (epoch, number), in their order."""
        with self._locked() as ledger:
            return tuple(dropping.select(ledger.connection, limit, after))

    def forget_dropped(self, ranges: Iterable[DroppedRange]) -> None:
        """Forget that these were dropped: whoever had to know does. One that grew since stays."""
        with self._locked() as ledger, transaction(ledger.connection):
            dropping.forget(ledger.connection, ranges)

    def given_up(self) -> Given:
        """What did not stay."""
        with self._locked() as ledger:
            return self._tally.given(dropping.untold(ledger.connection))

    @property
    def epoch(self) -> int:
        """Unix microseconds of the moment when the file was made.

        A new file has a new epoch, so that (device, epoch, sequence) never names two alerts.
        Microseconds, because a board without a battery-backed clock starts each new card in the
        same second.
        """
        return self._ledger.epoch

    @property
    def head(self) -> Head:
        """Where the chain of this epoch stands."""
        return self._ledger.head

    @property
    def committed(self) -> int:
        """The highest sequence so far: how many alerts were ever committed in this epoch."""
        return self._ledger.head.sequence

    @property
    def drops(self) -> int:
        """How many alerts were dropped since the start."""
        return self._tally.number

    @property
    def damage(self) -> str | None:
        """What is wrong with the file, in a sentence; None as long as nothing was found."""
        return self._damage

    def depth(self) -> int:
        """How many alerts wait."""
        return self._ledger.depth

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
        with self._locked() as ledger:
            ledger.connection.close()
            self._ledger = self._open_or_begin_anew(self._damage)
            assert self.salvage is not None
            return self.salvage

    def close(self) -> None:
        """Close the file and let another daemon have it. A second close does nothing."""
        with self._mutex:
            if self._closed:
                return
            self._closed = True
            self._ledger.connection.close()
            os.close(self._lock_file)

    def __enter__(self) -> Outbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _locked(self) -> Iterator[Ledger]:
        with self._mutex, self._explained():
            yield self._ledger

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
