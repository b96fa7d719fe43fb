"""The outbox's file: its tables, how it is opened, brought up to date and found damaged."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.alerts.chain import BEGINNING
from edge_runtime.errors import EdgeRuntimeError

SCHEMA_VERSION = 2
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
PRAGMA user_version = 1;
COMMIT;
"""

# The chain's head is the last alert's own hash. It is written down here only when that alert is
# deleted, in the same transaction: a commit writes no page more than it did without a chain.
# What the version before has numbered keeps its content, and is before the chain.
_CHAIN = f"""
BEGIN IMMEDIATE;
CREATE TABLE chain (
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    first INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    hash TEXT NOT NULL,
    delivered INTEGER NOT NULL
);
INSERT INTO chain
    SELECT '', '', last + 1, last, '{BEGINNING}', last - (SELECT count(*) FROM alerts)
    FROM (
        SELECT coalesce(max(seq), 0) AS last FROM sqlite_sequence WHERE name = 'alerts'
    );
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""


class OutboxError(EdgeRuntimeError):
    """The outbox cannot be opened, read or written."""


@dataclass(frozen=True, slots=True)
class State:
    """What an outbox's file says of itself.

    Attributes:
        site: whose chain it is.
        device: the same.
        epoch: see `Outbox`.
        first: the number of the first alert in the chain.
        sequence: the highest number that was ever given.
        hash: the chain's head; see `edge_runtime.alerts.chain.Head`.
        delivered: how many alerts were delivered, and are here no longer.
        depth: how many alerts wait.
    """

    site: str
    device: str
    epoch: int
    first: int
    sequence: int
    hash: str
    delivered: int
    depth: int


def open_database(path: Path) -> sqlite3.Connection:
    """Open the file for its owner; make it, or bring it up to date, where that is due.

    Raises:
        sqlite3.Error, OutboxError: see `Outbox`.
    """
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
        version = _version(connection)
        if version < 1:
            connection.executescript(_SCHEMA.format(epoch=time.time_ns() // 1000))
        if version < 2:
            connection.executescript(_CHAIN)
            _sync_folder(path.parent)
    except (sqlite3.Error, OutboxError):
        connection.close()
        raise
    return connection


def _check(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse a file that is not ours, is newer than we are, or is damaged."""
    version = _version(connection)
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


def state(path: Path, connection: sqlite3.Connection) -> State:
    """Read it from an open file.

    Raises:
        OutboxError: the chain's head is gone, which no power cut does.
    """
    site, device, epoch, first, kept, kept_hash, delivered, sequence, depth, last = (
        connection.execute(
            "SELECT site, device, epoch, first, chain.sequence, hash, delivered,"
            " (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'alerts') AS last,"
            " (SELECT count(*) FROM alerts),"
            " (SELECT payload FROM alerts WHERE alerts.sequence ="
            "  (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'alerts'))"
            " FROM identity, chain"
        ).fetchone()
    )
    if last is None and kept != sequence:
        raise OutboxError(
            _damaged(path, f"alert {sequence}, the last, is gone and was not delivered")
        )
    head = kept_hash if last is None or sequence < first else _hash_in(path, sequence, last)
    return State(site, device, epoch, first, sequence, head, delivered, depth)


def begin_chain(connection: sqlite3.Connection, site: str, device: str) -> None:
    """Begin a chain for a device of that name, with the next alert: it is a chain of one device."""
    connection.execute(
        "UPDATE chain SET site = ?, device = ?, first = last + 1, sequence = last, hash = ?"
        " FROM (SELECT coalesce(max(seq), 0) AS last FROM sqlite_sequence WHERE name = 'alerts')",
        (site, device, BEGINNING),
    )


def _hash_in(path: Path, sequence: int, payload: str) -> str:
    try:
        return str(json.loads(payload)["hash"])
    except (ValueError, KeyError, TypeError) as error:
        raise OutboxError(
            _damaged(path, f"alert {sequence}, the last, has lost its hash")
        ) from error


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


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


def open_to_look(path: Path) -> sqlite3.Connection:
    """Open the file for reading, while a daemon may be writing to it.

    Raises:
        sqlite3.Error, OutboxError: it cannot be read, is damaged or is not of this version.
    """
    if not path.exists():
        raise OutboxError(f"there is no outbox {path}: no daemon has run with this configuration")
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS, isolation_level=None
    )
    try:
        _check(path, connection)
        if _version(connection) < SCHEMA_VERSION:
            raise OutboxError(
                f"the outbox {path} is of a version that kept no chain: it gets one when the "
                "daemon is started"
            )
    except (sqlite3.Error, OutboxError):
        connection.close()
        raise
    return connection


def sentence(path: Path, error: sqlite3.Error) -> str:
    """What went wrong with the file, and what helps."""
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
