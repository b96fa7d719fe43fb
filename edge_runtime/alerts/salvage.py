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
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_runtime.alerts import dropping
from edge_runtime.alerts.chain import links
from edge_runtime.alerts.database import Earlier, Epochs, make_tables, sync_folder, transaction
from edge_runtime.alerts.dropping import DroppedRange, RangeError, unreadable
from edge_runtime.alerts.limits import PAGE_BYTES

_LOG, _SHARED = "-wal", "-shm"
_NEW, _COPY, _ASIDE = ".new", ".copy", ".damaged-"
_PAGE_COUNT = slice(28, 32)
_FREE_LIST = slice(32, 40)
_JOURNAL_MODE = slice(18, 20)
_IN_WAL_MODE = b"\x02\x02"
_LEAST_ALERT_BYTES = 100
_MOST_ALERTS = 2**53
_LATEST_EPOCH = 4 * 10**15
"""Microseconds until the year 2096: what is later was not an epoch."""
_MOST_STEPS = 200_000
"""Some seconds on a board."""

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
        places: between which the alerts stand, or did.
        gone: how many of its own epoch it has let go, and does not hold on record.
        dropped: what it has on record as dropped.
        whole: the places of the alerts that are as they were.
        lost: what cannot be read.
        complete: whether nothing else can have been in it.
    """

    epochs: Epochs | None = None
    first: int = 1
    last: int = 0
    places: range = range(0)
    gone: int = 0
    dropped: list[DroppedRange] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)
    lost: list[DroppedRange] = field(default_factory=list)
    complete: bool = True


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
            found = _look(source, path.stat().st_size // _LEAST_ALERT_BYTES)
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


def _look(source: sqlite3.Connection, most: int) -> _Found:
    """All that can be known of a damaged file, which may hold `most` alerts."""
    found = _Found()
    written = _number(source, "SELECT sequence FROM chain")
    given = _number(source, "SELECT seq FROM sqlite_sequence WHERE name = 'alerts'")
    there = _number(source, "SELECT max(sequence) FROM alerts")
    known = [number for number in (written, given, there) if number is not None]
    found.last = _plausible(known, most)
    found.complete = given is not None and max(known) == found.last
    epoch = _epoch_of_an_alert(source, found.last) or _number(source, "SELECT epoch FROM identity")
    if epoch is None or not 0 < epoch < _LATEST_EPOCH:
        return found
    found.epochs = Epochs(epoch, tuple(_earlier(source)))
    found.first = _number(source, "SELECT first FROM chain") or 1
    all_dropped = _look_at_dropped(source, found)
    found.gone = _let_go(source, found, all_dropped)
    _look_at_alerts(source, found)
    _look_at_gaps(found)
    return found


def _plausible(known: list[int], most: int) -> int:
    """The last number, of what three places say: one of them may be damaged.

    Between the number that the chain has written down and the last one are only alerts that are in
    the file.
    """
    if not known:
        return 0
    middle = sorted(known)[(len(known) - 1) // 2]
    return max([number for number in known if number <= middle + most])


def _earlier(source: sqlite3.Connection) -> Iterator[Earlier]:
    for row in _ask(source, "SELECT epoch, last, shift FROM earlier ORDER BY shift") or []:
        match row:
            case (int(epoch), int(last), int(shift)) if 0 < last <= shift < _MOST_ALERTS:
                yield Earlier(epoch, last, shift)


def _let_go(source: sqlite3.Connection, found: _Found, all_dropped: bool) -> int:
    """How many alerts of its own epoch the file had let go."""
    assert found.epochs is not None
    delivered = _number(source, "SELECT delivered FROM chain") or 0
    if all_dropped:
        own = (one.number for one in found.dropped if one.epoch == found.epochs.current)
        # Where the record cannot be read, what stood there is lost once more, and not in silence.
        delivered += max((_number(source, "SELECT dropped FROM chain") or 0) - sum(own), 0)
    return min(max(delivered, 0), found.last)


def _epoch_of_an_alert(source: sqlite3.Connection, last: int) -> int | None:
    def epoch_of(row: _Row) -> int:
        try:
            epoch = int(json.loads(row[4])["id"].rsplit("/", 2)[1])
        except (ValueError, LookupError, TypeError, AttributeError):
            return 0
        return epoch if links(row[4], epoch, row[0], hashed=True) else 0

    for _, row in _scan(source, range(1, last + 1), 0, lambda row: epoch_of(row) > 0):
        if row is not None and (epoch := epoch_of(row)):
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


def _look_at_alerts(source: sqlite3.Connection, found: _Found) -> None:
    """Which alerts are whole, and which are known to be there and are not."""
    epochs = found.epochs
    assert epochs is not None

    def good(row: _Row) -> bool:
        epoch, number = epochs.identity(row[0])
        return links(row[4], epoch, number, hashed=row[0] >= found.first) is not None

    found.places = range(epochs.begin, found.last + 1)
    for place, row in _scan(source, found.places, found.gone, good):
        if row is not None and good(row):
            found.whole.append(place)
        elif (row is not None or place <= 0) and place <= found.last:
            epoch, number = epochs.identity(place)
            dropping.add(found.lost, unreadable(epoch, number, number, row[3] if row else ""))
    found.last = max([found.last, *found.whole])


def _look_at_gaps(found: _Found) -> None:
    """What of the file's own epoch is neither there nor on record is lost, but for what it let go.

    That was, of all that is not there, the oldest: the centre acknowledges in order. Where it
    cannot all have been at the beginning, either a broker took some, or their count is damaged.
    """
    assert found.epochs is not None
    epoch = found.epochs.current
    recorded = [*found.dropped, *found.lost]
    known = [(place, place) for place in found.whole if place > 0]
    known += [(one.first, one.last) for one in recorded if one.epoch == epoch]
    begin, gone = 1, found.gone
    for first, last in sorted([*known, (found.last + 1, found.last + 1)]):
        skipped = min(gone, max(first - begin, 0))
        found.complete &= begin == 1 or skipped == 0
        if first - begin > skipped:
            found.lost.append(unreadable(epoch, begin + skipped, first - 1))
        begin, gone = max(begin, last + 1), gone - skipped


def _scan(
    source: sqlite3.Connection, places: range, gone: int, good: Callable[[_Row], bool]
) -> Iterator[tuple[int, _Row | None]]:
    """Each alert from the first of `places` on, and each of them that cannot be read.

    Past what cannot be read it goes step by step. Up to `gone` nothing waits that would be worth
    steps, and there is a most of those: a number that is damaged can be any.
    """
    sql = (
        "SELECT sequence, camera, rule, severity, payload FROM alerts"
        " WHERE sequence >= ? ORDER BY sequence LIMIT 1"
    )
    place, steps = places.start, _MOST_STEPS
    while steps:
        match _ask(source, sql, place):
            case []:
                return
            case [(int(at), str(), str(), str(), str()) as row] if at >= place:
                if at == place or good(row):
                    yield at, row
                    place = at + 1
                    continue
            case _ if 0 < place <= gone:
                place = gone
            case _ if place >= places.stop:
                return
            case _:
                yield place, None
        place += 1
        steps -= 1


def _save(source: sqlite3.Connection, found: _Found, target: sqlite3.Connection) -> None:
    """Bring what was found into the new file."""
    if found.epochs is None:
        return
    last = found.last
    epochs = [
        (found.epochs.current, last, last),
        *((one.epoch, one.last, one.shift + last) for one in found.epochs.earlier),
    ]
    with transaction(target):
        # A clock that was set back must not make an epoch twice.
        target.execute(
            "UPDATE identity SET epoch = max(epoch, ?)", (max(one[0] for one in epochs) + 1,)
        )
        target.executemany("INSERT OR IGNORE INTO earlier VALUES (?, ?, ?)", epochs)
        # Found as they were found before: in a damaged tree not every way leads to every row.
        whole = set(found.whole)
        for place, row in _scan(source, found.places, found.gone, lambda row: row[0] in whole):
            if row is not None and place in whole:
                values = (place - last, *row[1:])
                target.execute("INSERT INTO alerts VALUES (?, ?, ?, ?, ?)", values)
        dropping.keep(target, [*found.dropped, *found.lost])


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _remove(path: Path) -> None:
    for ending in ("", _LOG, _SHARED, "-journal"):
        _beside(path, ending).unlink(missing_ok=True)
