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
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.alerts.alert import (
    Alert,
    AlertEvent,
    ModelIdentity,
    Origin,
    Severity,
    event,
)
from edge_runtime.errors import EdgeRuntimeError

SCHEMA_VERSION = 1
_APPLICATION_ID = 0x45444745  # "EDGE": tells our file from any other SQLite file.
_BUSY_SECONDS = 2.0

# AUTOINCREMENT keeps the highest sequence ever used beside the rows, so that deleting them never
# sets it back. The camera and the rule stand in columns because the topic is made of them when
# the alert is sent: a device that was renamed may only write under its new name.
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE identity (epoch INTEGER NOT NULL);
CREATE TABLE alerts (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    camera TEXT NOT NULL,
    rule TEXT NOT NULL,
    severity TEXT NOT NULL,
    payload TEXT NOT NULL
);
INSERT INTO identity VALUES ({{epoch}});
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""


class OutboxError(EdgeRuntimeError):
    """The outbox cannot be opened, read or written."""


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
                self._connection = _open(path)
                self.epoch, self._sequence, self._depth = _state(self._connection)
        except OutboxError:
            os.close(self._lock_file)
            raise
        self._closed = False

    def commit(
        self, alert: Alert, *, model: ModelIdentity | None, clock_synchronised: bool
    ) -> AlertEvent:
        """Number `alert` and keep it; it survives a power cut once this has returned.

        Raises:
            OutboxError: the alert was not kept. Its number is given to the next one.
        """
        with self._mutex, self._explained():
            made = event(
                alert,
                origin=self._origin,
                epoch=self.epoch,
                sequence=self._sequence + 1,
                model=model,
                clock_synchronised=clock_synchronised,
            )
            self._connection.execute(
                "INSERT INTO alerts VALUES (?, ?, ?, ?, ?)",
                (self._sequence + 1, alert.camera, alert.rule, made.severity, made.to_json()),
            )
            self._sequence += 1
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

    def delivered(self, sequences: Iterable[int]) -> None:
        """Forget these alerts, in one transaction: give many at a time, each costs a sync."""
        with self._mutex, self._explained(), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            gone = self._connection.executemany(
                "DELETE FROM alerts WHERE sequence = ?", ((number,) for number in sequences)
            ).rowcount
            self._connection.execute("COMMIT")
            self._depth -= max(gone, 0)

    @property
    def committed(self) -> int:
        """The highest sequence so far: how many alerts were ever committed in this epoch."""
        return self._sequence

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
            raise OutboxError(_sentence(self._path, error)) from error


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


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        _check(path, connection)
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise OutboxError(
                f"cannot use the outbox {path}: its file system allows no write-ahead log; a "
                "local disk is needed"
            )
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA journal_size_limit = 4194304")
        if not connection.execute("PRAGMA user_version").fetchone()[0]:
            connection.executescript(_SCHEMA.format(epoch=time.time_ns() // 1000))
            _sync_folder(path.parent)
    except (sqlite3.Error, OutboxError):
        connection.close()
        raise
    return connection


def _check(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse a file that is not ours, is newer than we are, or is damaged."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != _APPLICATION_ID and (tables or version or application):
        raise OutboxError(
            f"{path} is an SQLite file of another program: give the outbox a file of its own"
        )
    if version > SCHEMA_VERSION:
        raise OutboxError(
            f"the outbox {path} was written by a newer edge-runtime (schema {version}, this one "
            f"knows {SCHEMA_VERSION}): install the newer one again"
        )
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise OutboxError(_damaged(path, verdict))


def _state(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Epoch, the highest sequence ever used, and how many alerts wait."""
    row = connection.execute(
        "SELECT (SELECT epoch FROM identity),"
        " (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'alerts'),"
        " (SELECT count(*) FROM alerts)"
    ).fetchone()
    return int(row[0]), int(row[1]), int(row[2])


def _sync_folder(folder: Path) -> None:
    """Make the new file's name survive a power cut: SQLite syncs only what is in it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _damaged(path: Path, detail: str) -> str:
    return (
        f"the outbox {path} is damaged ({' '.join(detail.split())}): move it aside, its -wal file "
        "with it, and a new one is made at the next start"
    )


def _sentence(path: Path, error: sqlite3.Error) -> str:
    # The low byte of an extended result code is the primary one.
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL:
            return f"the disk that holds the outbox {path} is full: free some space on it"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return _damaged(path, str(error))
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"another program keeps the outbox {path} locked: close what has it open"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return f"cannot write the outbox {path}: {error}; it has to be writable for this user"
        case _:
            return f"the outbox {path} failed: {error}"
