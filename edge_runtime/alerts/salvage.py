"""What becomes of a damaged outbox: set aside, and what can be read saved into a new one.

The alerts that are saved keep their epoch, number and content, and go out before those of the new
epoch. What cannot be read goes on record as dropped, of a severity that is not known.

The new file is made whole under another name before anything is moved; a power cut in between
leaves either the damaged file, to be found again, or what `finish` brings to its end.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_runtime.alerts import dropping
from edge_runtime.alerts.alert import Severity
from edge_runtime.alerts.chain import digest_as_made
from edge_runtime.alerts.database import Earlier, Epochs, make_tables, sync_folder
from edge_runtime.alerts.dropping import DroppedRange, RangeError
from edge_runtime.alerts.limits import PAGE_BYTES

_LOG, _SHARED = "-wal", "-shm"
_NEW, _COPY, _ASIDE = ".new", ".copy", ".damaged-"
_PAGE_COUNT = slice(28, 32)
_FREE_LIST = slice(32, 40)
_JOURNAL_MODE = slice(18, 20)
_IN_WAL_MODE = b"\x02\x02"

_Row = tuple[int, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Salvage:
    """What became of a damaged outbox.

    Attributes:
        reason: what was found, in a sentence.
        aside: where the damaged file is now.
        epoch: its epoch; None where that could not be read.
        saved: how many alerts of it are in the new one.
        lost: how many are on record as dropped now, because they could not be read.
        complete: whether there were no others.
    """

    reason: str
    aside: Path
    epoch: int | None
    saved: int
    lost: int
    complete: bool

    def __str__(self) -> str:
        found = f"of epoch {self.epoch} {self.saved} alerts are saved, {self.lost} cannot be read"
        if self.epoch is None:
            found = "nothing of it can be read"
        elif not self.complete:
            found += ", and there may have been more behind them"
        return f"the outbox was damaged ({self.reason}): {found}; the file is now {self.aside.name}"


@dataclass(slots=True)
class _Found:
    """What a damaged file says.

    Attributes:
        epochs: its own and those before it; None where that cannot be read.
        first: the number of the first alert in the chain.
        last: the highest number that is known of its own epoch.
        places: between which the alerts stand; the last is None where it is not known.
        gone: how many of its own epoch it has let go, and does not hold on record.
        dropped: what it has on record as dropped.
        whole: the places of the alerts that are as they were.
        lost: what cannot be read.
        complete: whether nothing else can have been in it.
    """

    epochs: Epochs | None = None
    first: int = 1
    last: int = 0
    places: tuple[int, int | None] = (1, None)
    gone: int = 0
    dropped: list[DroppedRange] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)
    lost: list[DroppedRange] = field(default_factory=list)
    complete: bool = True


def is_whole(payload: str, epoch: int, number: int, *, hashed: bool) -> bool:
    """Whether `payload` is that alert as it was committed.

    Args:
        payload: its JSON.
        epoch: the alert's.
        number: the same.
        hashed: whether it must have a hash; those before a chain have none, and are believed.
    """
    try:
        document = json.loads(payload)
        own = document.get("hash")
        if own is None:
            return not hashed
        made = digest_as_made({key: document[key] for key in document if key != "hash"})
        return bool(own == made) and document["id"].endswith(f"/{epoch}/{number}")
    except (ValueError, AttributeError, KeyError, RecursionError):
        return False


def unreadable(epoch: int, first: int, last: int, severity: str = "") -> DroppedRange:
    """Alerts that are given up because they cannot be read."""
    known = Severity(severity) if severity in set(Severity) else Severity.CRITICAL
    return DroppedRange(epoch, first, last, {known: last - first + 1})


def begin_anew(path: Path, reason: str) -> Salvage:
    """Put a new outbox in the place of the damaged one at `path`, which nobody has open.

    Raises:
        sqlite3.Error, OSError: it cannot be written.
    """
    new = _beside(path, _NEW)
    _remove(new)
    with closing(sqlite3.connect(new, isolation_level=None)) as target:
        target.execute("PRAGMA synchronous = FULL")
        make_tables(target, time.time_ns() // 1000)
        with closing(_readable(path, new)) as source:
            found = _look(source)
            _save(source, found, target)
    aside = _beside(path, _ASIDE + time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
    for old in path.parent.glob(f"{path.name}{_ASIDE}*"):
        old.unlink()  # the disk keeps one
    _remove(_beside(path, _COPY))
    path.rename(aside)
    sync_folder(path.parent)
    finish(path)
    epoch = found.epochs.current if found.epochs else None
    lost = sum(one.number for one in found.lost)
    return Salvage(reason, aside, epoch, len(found.whole), lost, found.complete)


def finish(path: Path) -> None:
    """Go on where a power cut may have left `begin_anew`."""
    new = _beside(path, _NEW)
    if path.exists() or not new.exists():
        _remove(new)  # it may be half of one
        return
    # A log beside a file to which it does not belong would be written into it.
    log, aside = _beside(path, _LOG), sorted(path.parent.glob(f"{path.name}{_ASIDE}*"))
    if log.exists() and aside:
        log.rename(_beside(aside[-1], _LOG))
    _beside(path, _SHARED).unlink(missing_ok=True)
    sync_folder(path.parent)
    new.rename(path)
    sync_folder(path.parent)


def _readable(path: Path, new: Path) -> sqlite3.Connection:
    """The damaged file, opened; where its first page is lost, a copy with that of a new one."""
    source = _opened(path)
    if _ask(source, "SELECT count(*) FROM alerts LIMIT 0") is not None:
        return source
    source.close()
    copy = _beside(path, _COPY)
    _remove(copy)
    shutil.copyfile(path, copy)
    log = _beside(path, _LOG)
    if log.exists():
        shutil.copyfile(log, _beside(copy, _LOG))
    head = bytearray(new.read_bytes()[:PAGE_BYTES])
    head[_PAGE_COUNT] = (copy.stat().st_size // PAGE_BYTES).to_bytes(4, "big")
    head[_FREE_LIST] = bytes(8)
    head[_JOURNAL_MODE] = _IN_WAL_MODE
    with copy.open("r+b") as file:
        file.write(head)
    return _opened(copy)


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None
    )
    connection.text_factory = lambda data: data.decode(errors="replace")
    # With it SQLite reads a file that is shorter than its first page says.
    connection.execute("PRAGMA writable_schema = ON")
    return connection


def _ask(source: sqlite3.Connection, sql: str, *values: int) -> list[Any] | None:
    """The rows; None where they cannot be read."""
    try:
        return source.execute(sql, values).fetchall()
    except (sqlite3.DatabaseError, UnicodeDecodeError):  # the latter over SQLite's own message
        return None


def _number(source: sqlite3.Connection, sql: str) -> int | None:
    match _ask(source, sql):
        case [(int(number),)]:
            return number
    return None


def _look(source: sqlite3.Connection) -> _Found:
    """All that can be known of a damaged file."""
    found = _Found()
    written = _number(source, "SELECT sequence FROM chain")
    given = _number(source, "SELECT seq FROM sqlite_sequence WHERE name = 'alerts'")
    there = _number(source, "SELECT max(sequence) FROM alerts")
    known = [number for number in (written, given, there) if number is not None]
    found.complete = given is not None
    last = max(known, default=None)
    epoch = _number(source, "SELECT epoch FROM identity") or _epoch_of_an_alert(source, last)
    if epoch is None:
        return found
    earlier = _ask(source, "SELECT epoch, last, shift FROM earlier ORDER BY shift") or []
    found.epochs = Epochs(epoch, tuple(Earlier(*row) for row in earlier))
    found.first = _number(source, "SELECT first FROM chain") or 1
    all_dropped = _look_at_dropped(source, found)
    _look_at_alerts(source, found, last)
    found.last = max([0, *known, *found.whole, *(one.last for one in found.lost)])
    delivered = _number(source, "SELECT delivered FROM chain") or 0
    dropped = _number(source, "SELECT dropped FROM chain") or 0
    recorded = sum(one.number for one in found.dropped if one.epoch == epoch)
    # Where the record cannot be read, what stood there is lost once more rather than not at all.
    found.gone = delivered + (max(dropped - recorded, 0) if all_dropped else 0)
    _look_at_gaps(found)
    return found


def _epoch_of_an_alert(source: sqlite3.Connection, last: int | None) -> int | None:
    for place, row in _scan(source, 1, last):
        try:
            epoch = int(json.loads(row[4])["id"].rsplit("/", 2)[1]) if row else None
        except (ValueError, LookupError, TypeError, AttributeError):
            continue
        if row and epoch and is_whole(row[4], epoch, place, hashed=True):
            return epoch
    return None


def _look_at_dropped(source: sqlite3.Connection, found: _Found) -> bool:
    """What was on record as dropped: whether all of it can be read."""
    after = (0, 0)
    try:
        while ranges := dropping.select(source, 1, after):
            found.dropped += ranges
            after = ranges[0].epoch, ranges[0].first
    except (sqlite3.DatabaseError, UnicodeDecodeError, RangeError, TypeError):
        # An earlier version had no such table.
        return _number(source, "PRAGMA user_version") in (1, 2)
    return True


def _look_at_alerts(source: sqlite3.Connection, found: _Found, last: int | None) -> None:
    """Which alerts are whole, and which are known to be there and are not."""
    assert found.epochs is not None
    found.places = min([1, *(1 - one.shift for one in found.epochs.earlier)]), last
    for place, row in _scan(source, *found.places):
        epoch, number = found.epochs.identity(place)
        if row is not None and is_whole(row[4], epoch, number, hashed=place >= found.first):
            found.whole.append(place)
        elif row is not None or place <= 0:
            dropping.add(found.lost, unreadable(epoch, number, number, row[3] if row else ""))


def _look_at_gaps(found: _Found) -> None:
    """What of the file's own epoch is neither there nor on record is lost, but for what it let go.

    That was, of all that is not there, the oldest: the centre acknowledges in order.
    """
    assert found.epochs is not None
    epoch = found.epochs.current
    recorded = [*found.dropped, *found.lost]
    known = [(place, place) for place in found.whole if place > 0]
    known += [(one.first, one.last) for one in recorded if one.epoch == epoch]
    begin, gone = 1, found.gone
    for first, last in sorted([*known, (found.last + 1, found.last + 1)]):
        skipped = min(gone, max(first - begin, 0))
        if first - begin > skipped:
            found.lost.append(unreadable(epoch, begin + skipped, first - 1))
        begin, gone = max(begin, last + 1), gone - skipped


def _scan(
    source: sqlite3.Connection, place: int, last: int | None
) -> Iterator[tuple[int, _Row | None]]:
    """Each alert from `place` on, and each place that cannot be read.

    Where the last place is not known, what is behind the first one that cannot be read is not
    looked for.
    """
    sql = (
        "SELECT sequence, camera, rule, severity, payload FROM alerts"
        " WHERE sequence >= ? ORDER BY sequence LIMIT 1"
    )
    while last is None or place <= last:
        rows = _ask(source, sql, place)
        match rows:
            case []:
                return
            case [(int(at), str(), str(), str(), str()) as row] if at >= place:
                yield at, row
                place = at + 1
            case _:
                yield place, None
                if last is None:
                    return
                place += 1


def _save(source: sqlite3.Connection, found: _Found, target: sqlite3.Connection) -> None:
    """Bring what was found into the new file."""
    if found.epochs is None:
        return
    last = found.last
    epochs = [
        (found.epochs.current, last, last),
        *((one.epoch, one.last, one.shift + last) for one in found.epochs.earlier),
    ]
    with target:
        target.execute("BEGIN IMMEDIATE")
        # A clock that was set back must not make an epoch twice.
        target.execute(
            "UPDATE identity SET epoch = max(epoch, ?)", (max(one[0] for one in epochs) + 1,)
        )
        target.executemany("INSERT INTO earlier VALUES (?, ?, ?)", epochs)
        # Found as they were found before: in a damaged tree not every way leads to every row.
        whole = set(found.whole)
        for place, row in _scan(source, *found.places):
            if row is not None and place in whole:
                values = (place - last, *row[1:])
                target.execute("INSERT INTO alerts VALUES (?, ?, ?, ?, ?)", values)
        dropping.keep(target, [*found.dropped, *found.lost])


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _remove(path: Path) -> None:
    for ending in ("", _LOG, _SHARED, "-journal"):
        _beside(path, ending).unlink(missing_ok=True)
