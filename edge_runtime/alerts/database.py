"""The outbox's file: its tables, how it is opened, brought up to date and found damaged."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.alerts.alert import Severity
from edge_runtime.alerts.chain import BEGINNING
from edge_runtime.alerts.limits import PAGE_BYTES, Limits
from edge_runtime.errors import EdgeRuntimeError

SCHEMA_VERSION = 3
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
PRAGMA user_version = 2;
COMMIT;
"""

# What was given up, until the centre knows of it. And the epochs of files that were found damaged:
# what was saved of them stands before alert 1, at number - shift, so that it goes out first.
_DROPPED = f"""
BEGIN IMMEDIATE;
CREATE TABLE dropped (
    epoch INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    previoushash TEXT,
    hash TEXT,
    {", ".join(f"{severity} INTEGER NOT NULL" for severity in Severity)},
    PRIMARY KEY (epoch, first)
) WITHOUT ROWID;
CREATE TABLE earlier (
    epoch INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    shift INTEGER NOT NULL
);
ALTER TABLE chain ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""


class OutboxError(EdgeRuntimeError):
    """The outbox cannot be opened, read or written."""


class OutboxDamagedError(OutboxError):
    """What is in the file is not what was written into it.

    Attributes:
        detail: what was found.
    """

    def __init__(self, path: Path, detail: str) -> None:
        self.detail = " ".join(detail.split())
        super().__init__(
            f"the outbox {path} is damaged ({self.detail}): the daemon sets it aside, saves what "
            "can be read and begins a new one"
        )


class NoEpochError(Exception):
    """An alert stands where none can."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """An epoch that ended with a damaged file.

    Attributes:
        epoch: which.
        last: the highest number of it that is known.
        shift: what was saved of it stands in the outbox at number - shift, which is 0 or less.
    """

    epoch: int
    last: int
    shift: int


@dataclass(frozen=True, slots=True)
class Epochs:
    """Whose number which place in an outbox is.

    Attributes:
        current: the outbox's own epoch: number and place are the same.
        earlier: those before it that something was saved of, the latest first.
    """

    current: int
    earlier: tuple[Earlier, ...] = ()

    @property
    def begin(self) -> int:
        """The first place at which an alert may stand."""
        return min([1, *(1 - one.shift for one in self.earlier)])

    def identity(self, place: int) -> tuple[int, int]:
        """Epoch and number of the alert at `place`. Raises NoEpochError."""
        if place > 0:
            return self.current, place
        for one in self.earlier:
            if place + one.shift > 0:
                return one.epoch, place + one.shift
        raise NoEpochError(f"an alert stands at {place}, and of no epoch that is known")

    def span(self, epoch: int) -> tuple[int, int] | None:
        """Shift and last number of an earlier epoch; None of one not known."""
        found = (one for one in self.earlier if one.epoch == epoch)
        return next(((one.shift, one.last) for one in found), None)


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
        dropped: how many were dropped, of this epoch.
        depth: how many alerts of this epoch wait.
        saved: how many alerts of earlier epochs wait.
        epochs: this epoch and those before it.
    """

    site: str
    device: str
    epoch: int
    first: int
    sequence: int
    hash: str
    delivered: int
    dropped: int
    depth: int
    saved: int
    epochs: Epochs


def open_database(path: Path, limits: Limits) -> sqlite3.Connection:
    """Open the file for its owner; make it, or bring it up to date, where that is due.

    Raises:
        sqlite3.Error, OutboxError: see `Outbox`.
        OutboxDamagedError: it is ours, or nobody's, and damaged.
    """
    if _is_stump(path):
        raise OutboxDamagedError(path, "it is cut off")
    connection = sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.text_factory = _text
    try:
        _check(path, connection)
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise OutboxError(
                f"cannot use the outbox {path}: its file system allows no write-ahead log; a "
                "local disk is needed"
            )
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {limits.log_pages}")
        connection.execute(f"PRAGMA journal_size_limit = {limits.log_bytes}")
        if make_tables(connection, time.time_ns() // 1000):
            sync_folder(path.parent)
    except sqlite3.DatabaseError as error:
        connection.close()
        # A general error over SQL that is right: it is the schema or the header that is not.
        if is_damage(error) or _code(error) == sqlite3.SQLITE_ERROR:
            raise OutboxDamagedError(path, str(error)) from error
        raise
    except UnicodeDecodeError as error:
        connection.close()
        raise OutboxDamagedError(path, "its schema is no text") from error
    except (sqlite3.Error, OutboxError):
        connection.close()
        raise
    return connection


def make_tables(connection: sqlite3.Connection, epoch: int) -> bool:
    """Bring the tables up to date; in an empty file make them, of that epoch: if it was due."""
    version = _version(connection)
    if version < 1:
        connection.executescript(_SCHEMA.format(epoch=epoch))
    if version < 2:
        connection.executescript(_CHAIN)
    if version < SCHEMA_VERSION:
        connection.executescript(_DROPPED)
    return version < SCHEMA_VERSION


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction, undone if an error leaves it; nobody else writes from its beginning on."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


def _is_stump(path: Path) -> bool:
    """Whether less is there than a file begins with: SQLite would take it for an empty one.

    While a file is being made there is a journal, with which SQLite knows what to do.
    """
    if not path.is_file() or path.with_name(path.name + "-journal").exists():
        return False
    return 0 < path.stat().st_size < PAGE_BYTES


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that what is in the file cannot be right."""
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


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
        raise OutboxDamagedError(path, verdict)


def state(path: Path, connection: sqlite3.Connection) -> State:
    """Read it from an open file.

    Raises:
        OutboxDamagedError: the chain's head is gone, which no power cut does.
    """
    row = connection.execute(
        "SELECT site, device, epoch, first, chain.sequence, hash, delivered, dropped,"
        " (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'alerts') AS last,"
        " (SELECT payload FROM alerts WHERE alerts.sequence ="
        "  (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'alerts'))"
        " FROM identity, chain"
    ).fetchone()
    if row is None:
        raise OutboxDamagedError(path, "its epoch is gone")
    site, device, epoch, first, kept, kept_hash, delivered, dropped, sequence, last = row
    if last is None and kept != sequence:
        raise OutboxDamagedError(path, f"alert {sequence}, the last, is gone and was not delivered")
    head = kept_hash if last is None or sequence < first else _hash_in(path, sequence, last)
    (saved,) = connection.execute("SELECT count(*) FROM alerts WHERE sequence <= 0").fetchone()
    (all_,) = connection.execute("SELECT count(*) FROM alerts").fetchone()
    earlier = connection.execute("SELECT epoch, last, shift FROM earlier ORDER BY shift")
    return State(
        site=site,
        device=device,
        epoch=epoch,
        first=first,
        sequence=sequence,
        hash=head,
        delivered=delivered,
        dropped=dropped,
        depth=all_ - saved,
        saved=saved,
        epochs=Epochs(epoch, tuple(Earlier(*row) for row in earlier)),
    )


def check_accounts(path: Path, connection: sqlite3.Connection, found: State) -> None:
    """See that each number is accounted for: what SQLite finds in order may lack rows.

    Raises:
        OutboxDamagedError: one is not.
    """
    gone = found.sequence - found.delivered - found.dropped - found.depth
    if gone:
        raise OutboxDamagedError(
            path, f"of {found.sequence} alerts {gone} are neither there nor let go"
        )
    (strange,) = connection.execute(
        "SELECT count(*) FROM dropped"
        " WHERE epoch NOT IN (SELECT epoch FROM identity UNION SELECT epoch FROM earlier)"
    ).fetchone()
    if strange:
        raise OutboxDamagedError(path, f"{strange} dropped ranges are of no epoch that is known")


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
        raise OutboxDamagedError(path, f"alert {sequence}, the last, has lost its hash") from error


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def sync_folder(folder: Path) -> None:
    """Make the new file's name survive a power cut: SQLite syncs only what is in it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
    connection.text_factory = _text
    try:
        _check(path, connection)
        if _version(connection) < SCHEMA_VERSION:
            raise OutboxError(
                f"the outbox {path} is of an earlier version: it is brought up to date when the "
                "daemon is started"
            )
    except (sqlite3.Error, OutboxError):
        connection.close()
        raise
    return connection


def sentence(path: Path, error: sqlite3.Error) -> str:
    """What went wrong with the file, and what helps."""
    match _code(error):
        case sqlite3.SQLITE_FULL:
            return f"the disk that holds the outbox {path} is full: free some space on it"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return str(OutboxDamagedError(path, str(error)))
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"another program keeps the outbox {path} locked: close what has it open"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return f"cannot write the outbox {path}: {error}; it has to be writable for this user"
        case _:
            return f"the outbox {path} failed: {error}"


def _text(data: bytes) -> str:
    """What is no UTF-8 is damaged, and found so by its hash."""
    return data.decode(errors="replace")


def _code(error: sqlite3.Error) -> int:
    """The primary result code: the low byte of the extended one."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
