"""The outbox: every alert is on disk before anything else happens to it.

One SQLite file, one connection in it, one lock around that connection. Analysis threads commit,
the publisher reads and deletes; each holds the lock for one short transaction. A second daemon on
the same file is kept out by an advisory lock on a file beside it, which the kernel takes back
however the first one dies.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from edge_runtime.alerts.alert import (
    Alert,
    AlertEvent,
    ModelIdentity,
    Origin,
    Severity,
    event,
)
from edge_runtime.alerts.chain import Head
from edge_runtime.alerts.database import (
    SCHEMA_VERSION,
    OutboxError,
    begin_chain,
    open_database,
    sentence,
    state,
)
from edge_runtime.errors import EdgeRuntimeError

__all__ = ["SCHEMA_VERSION", "AcknowledgementError", "Entry", "Outbox", "OutboxError"]

_FORGET_AT_ONCE = 100
"""A commit waits for no longer than one transaction of so many deletions takes."""


class AcknowledgementError(EdgeRuntimeError):
    """The centre cannot hold what it says that it holds: nothing is forgotten for it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An alert that waits.

    Attributes:
        sequence: its number, from 1.
        camera: the camera's name.
        rule: the kind of rule.
        severity: how urgent it is.
        payload: the CloudEvents JSON as it goes out.
    """

    sequence: int
    camera: str
    rule: str
    severity: Severity
    payload: str


def _nobody_listens() -> None:
    """An outbox that nobody empties."""


class Outbox:
    """Alerts on disk, numbered without gaps, until they are delivered.

    All methods may be called from any thread.

    Attributes:
        epoch: Unix microseconds of the moment when the file was made. A new file has a new epoch,
            so that (device, epoch, sequence) never names two alerts. Microseconds, because a
            board without a battery-backed clock starts each new card in the same second.
        on_commit: called after every commit, in the thread that committed; it must not block.
    """

    def __init__(self, path: Path, origin: Origin) -> None:
        """Open the outbox at `path`, and make it if there is none.

        Raises:
            OutboxError: the file cannot be written, is damaged, is of a newer version or of
                another program, or another daemon uses it.
        """
        self._path = path
        self._origin = origin
        self._mutex = threading.Lock()
        self.on_commit: Callable[[], None] = _nobody_listens
        self._lock_file = _claim(path)
        try:
            with self._explained():
                self._connection = open_database(path)
                found = state(path, self._connection)
                if (found.site, found.device) != (origin.site, origin.device):
                    begin_chain(self._connection, origin.site, origin.device)
                    found = state(path, self._connection)
        except OutboxError:
            os.close(self._lock_file)
            raise
        self.epoch = found.epoch
        self._depth = found.depth
        self._head = Head(
            origin.site, origin.device, found.epoch, found.first, found.sequence, found.hash
        )
        self._closed = False

    def commit(
        self, alert: Alert, *, model: ModelIdentity | None, clock_synchronised: bool
    ) -> AlertEvent:
        """Number `alert`, chain it to the one before it and keep it.

        It survives a power cut once this has returned.

        Raises:
            OutboxError: the alert was not kept. Its number is given to the next one.
        """
        with self._mutex, self._explained():
            sequence = self._head.sequence + 1
            made = event(
                alert,
                origin=self._origin,
                epoch=self.epoch,
                sequence=sequence,
                model=model,
                clock_synchronised=clock_synchronised,
            ).chained(self._head.hash)
            assert made.hash is not None
            self._connection.execute(
                "INSERT INTO alerts VALUES (?, ?, ?, ?, ?)",
                (sequence, alert.camera, alert.rule, made.severity, made.to_json()),
            )
            self._head = replace(self._head, sequence=sequence, hash=made.hash)
            self._depth += 1
        self.on_commit()
        return made

    def pending(self, after: int, limit: int) -> list[Entry]:
        """The first `limit` alerts that wait with a sequence above `after`, in their order."""
        with self._mutex, self._explained():
            rows = self._connection.execute(
                "SELECT sequence, camera, rule, severity, payload FROM alerts"
                " WHERE sequence > ? ORDER BY sequence LIMIT ?",
                (after, limit),
            ).fetchall()
        return [
            Entry(sequence, camera, rule, Severity(severity), payload)
            for sequence, camera, rule, severity, payload in rows
        ]

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
        with self._mutex, self._explained(), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            gone = self._connection.executemany(
                "DELETE FROM alerts WHERE sequence = ?", ((number,) for number in sequences)
            ).rowcount
            self._end_forgetting(gone)

    def acknowledge(self, epoch: int, sequence: int, digest: str | None = None) -> int:
        """Forget the alerts up to `sequence`, which the centre holds: how many that were.

        Args:
            epoch: the one of which the centre speaks.
            sequence: the last alert that it holds without a gap.
            digest: that alert's hash; None where the centre does not know it.

        Raises:
            AcknowledgementError: this outbox never had what is acknowledged.
            OutboxError: the file cannot be written; what was not forgotten waits on.
        """
        self._believe(epoch, sequence, digest)
        forgotten = 0
        while True:
            with self._mutex, self._explained(), self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                gone = self._connection.execute(
                    "DELETE FROM alerts WHERE sequence IN (SELECT sequence FROM alerts"
                    " WHERE sequence <= ? ORDER BY sequence LIMIT ?)",
                    (sequence, _FORGET_AT_ONCE),
                ).rowcount
                self._end_forgetting(gone)
            forgotten += gone
            if gone < _FORGET_AT_ONCE:
                return forgotten

    def _believe(self, epoch: int, sequence: int, digest: str | None) -> None:
        if epoch != self.epoch:
            raise AcknowledgementError(
                f"alert {sequence} of epoch {epoch} is acknowledged, and this outbox is of epoch "
                f"{self.epoch}"
            )
        with self._mutex, self._explained():
            head = self._head
            row = self._connection.execute(
                "SELECT json_extract(payload, '$.hash') FROM alerts WHERE sequence = ?", (sequence,)
            ).fetchone()
        if not 1 <= sequence <= head.sequence:
            raise AcknowledgementError(
                f"alert {sequence} is acknowledged, and the last one is {head.sequence}"
            )
        known = head.hash if sequence == head.sequence else None
        if row is not None:
            known = row[0]
        if None not in (digest, known) and digest != known:
            raise AcknowledgementError(
                f"alert {sequence} is acknowledged with a hash that is not its own: the centre "
                "holds another one in its place"
            )

    def _end_forgetting(self, gone: int) -> None:
        """Count what was deleted, and commit it; under the mutex."""
        if gone > 0:
            # The chain goes on from its head, also when the alert that held it is gone.
            self._connection.execute(
                "UPDATE chain SET sequence = ?, hash = ?, delivered = delivered + ?",
                (self._head.sequence, self._head.hash, gone),
            )
        self._connection.execute("COMMIT")
        self._depth -= max(gone, 0)

    @property
    def head(self) -> Head:
        """Where the chain of this epoch stands."""
        return self._head

    @property
    def committed(self) -> int:
        """The highest sequence so far: how many alerts were ever committed in this epoch."""
        return self._head.sequence

    def depth(self) -> int:
        """How many alerts wait."""
        return self._depth

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
            raise OutboxError(sentence(self._path, error)) from error


def _claim(path: Path) -> int:
    """Lock the outbox for this process: the descriptor that holds the lock."""
    lock_path = path.with_name(path.name + ".lock")
    try:
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise OutboxError(
            f"cannot write the outbox {path}: {error.strerror}; its folder has to exist and to "
            "be writable for this user"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise OutboxError(
            f"the outbox {path} is in use by process {holder}: stop that one, or give this one a "
            "state directory of its own"
        ) from error
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor
