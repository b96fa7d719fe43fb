"""Cuts the power of the outbox: `python -m tests.faults.power_cuts --cuts 2000`.

A process (`committing.py`) opens the real outbox, commits, deletes, drops what finds no room, and
closes, while each of its writes is recorded (`recorder.c`). The record is cut at random places; for
each, one possible state of the disk is made (`disk.py`) and the real outbox is opened on it. Then
every alert whose commit had returned has to be there, if the process had not begun to delete it, or
be on record as dropped, if it was of a severity that may be; what found no room has to be on
record; what had been deleted has to stay so; SQLite has to find nothing wrong; the chain has to
hold; and the next alert has to get the next number. Rounds begin with no file, with a file of the
first version, and with what a cut of the round before has left.

With ``--synchronous NORMAL`` or ``OFF`` alerts get lost: it shows that the search can find it.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge_runtime.alerts.database import SCHEMA_VERSION
from edge_runtime.alerts.limits import Limits
from edge_runtime.alerts.outbox import Outbox, OutboxError
from edge_runtime.alerts.verification import Ledger, Link
from tests.faults.committing import ORIGIN, WITNESS, an_alert
from tests.faults.disk import Call, Disk, build_recorder, read_record, recording

CUTS_A_ROUND = 20
FILE = "outbox.sqlite"
ROOMY = Limits(min_free_disk=0)

FIRST_VERSION = """
PRAGMA journal_mode = WAL;
CREATE TABLE identity (epoch INTEGER NOT NULL);
CREATE TABLE alerts (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    camera TEXT NOT NULL,
    rule TEXT NOT NULL,
    severity TEXT NOT NULL,
    payload TEXT NOT NULL
);
INSERT INTO identity VALUES (1795416937655337);
INSERT INTO alerts VALUES (7, 'front', 'presence', 'high', '{"sequence": "7"}');
PRAGMA application_id = 1162102597;
PRAGMA user_version = 1;
"""
"""The outbox as the first version made it, with alert 7 waiting."""


@dataclass(slots=True)
class Told:
    """What had been told when the power went.

    Attributes:
        epoch: the outbox's; None before it was open.
        head: the highest number when it was opened: a commit that had not returned may be there.
        committed: number and hash of the alerts whose commit had returned.
        kept: the numbers of those of them that may never be dropped.
        refused: the numbers of those that had found no room.
        deleting: up to which number the process had begun to delete.
        deleted: up to which number it had finished.
    """

    epoch: int | None = None
    head: int = 0
    committed: dict[int, str] = field(default_factory=dict)
    kept: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    deleting: int = 0
    deleted: int = 0

    def hear(self, line: bytes) -> None:
        """One line of the witness."""
        what = json.loads(line)
        self.epoch = what.get("opened", self.epoch)
        self.head = what.get("head", self.head)
        if "committed" in what:
            self.committed[what["committed"]] = what["hash"]
            if what["kept"]:
                self.kept.add(what["committed"])
        if "refused" in what:
            self.refused.add(what["refused"])
        self.deleting = what.get("deleting", self.deleting)
        self.deleted = what.get("deleted", self.deleted)

    def copy(self) -> Told:
        return replace(
            self,
            committed=dict(self.committed),
            kept=set(self.kept),
            refused=set(self.refused),
        )


@dataclass(slots=True)
class Outcome:
    """What was found.

    Attributes:
        cuts: how often the power went.
        during_opening: how many of them while the file was made, brought up to date or opened.
        checked: how many alerts had to be there or on record, over all cuts.
        dropped: how many of them were on record.
        lost: how many of them were not.
        problems: of each other kind, how many; with one example.
    """

    cuts: int = 0
    during_opening: int = 0
    checked: int = 0
    dropped: int = 0
    lost: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def find(self, kind: str, example: str) -> None:
        self.problems[kind] += 1
        self.examples.setdefault(kind, example)


@dataclass(frozen=True, slots=True)
class Cut:
    """One power cut: what is on the disk, and what has to be."""

    files: dict[str, bytes]
    told: Told
    opening: bool


def cut_often(cuts: int, seed: int = 1, synchronous: str = "FULL") -> Outcome:
    """Cut the power so many times."""
    dice = random.Random(seed)
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="edge-power-") as name:
        folder = Path(name)
        library = build_recorder(folder)
        base: tuple[dict[str, bytes], Told] = ({}, Told())
        while outcome.cuts < cuts:
            files, told = _begin(dice, base, folder)
            calls = _record(folder, library, files, dice.randrange(2**32), synchronous)
            wanted = min(CUTS_A_ROUND, cuts - outcome.cuts)
            for cut in _cuts(Disk(folder / "work", files), calls, told, dice, wanted):
                left = _examine(folder / "look", cut, dice, outcome)
                if left is not None:
                    base = left, cut.told
    return outcome


def _begin(
    dice: random.Random, base: tuple[dict[str, bytes], Told], folder: Path
) -> tuple[dict[str, bytes], Told]:
    """With what a round begins."""
    kind = dice.choice(["nothing", "first version", "after a cut", "after a cut"])
    if kind == "nothing":
        return {}, Told()
    if kind == "after a cut":
        files, told = base
        return files, told.copy()
    path = _emptied(folder / "old") / FILE
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(FIRST_VERSION)
    connection.close()
    return {FILE: path.read_bytes()}, Told(1795416937655337, 7, {7: ""}, {7})


def _record(
    folder: Path, library: Path, files: dict[str, bytes], seed: int, synchronous: str
) -> list[Call]:
    work = _emptied(folder / "work")
    _write(work, files)
    log = folder / "record"
    log.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tests.faults.committing", str(work), "--seed", str(seed)]
    subprocess.run(
        [*command, "--synchronous", synchronous],
        check=True,
        env=recording(library, work, log),
        cwd=Path(__file__).parents[2],
    )
    return read_record(log)


def _cuts(
    disk: Disk, calls: list[Call], told: Told, dice: random.Random, count: int
) -> Iterator[Cut]:
    """`count` cuts of one record, a third of them before the outbox was open for the first time."""
    first_line = next(i for i, call in enumerate(calls) if b'"opened"' in call.data)
    early = [dice.randint(0, first_line) for _ in range(count // 3)]
    late = [dice.randint(0, len(calls)) for _ in range(count - len(early))]
    places = Counter([*early, *late])
    opening = True
    for index, call in enumerate([*calls, None]):
        for _ in range(places[index]):
            yield Cut(disk.after_cut(dice), told.copy(), opening)
        if call is None:
            return
        if call.kind == "w" and disk.name_of(call) == WITNESS:
            told.hear(call.data)
            opening = False
        disk.make(call)


def _examine(
    folder: Path, cut: Cut, dice: random.Random, outcome: Outcome
) -> dict[str, bytes] | None:
    """Open what a cut has left: the files as they are then; None where something is wrong."""
    outcome.cuts += 1
    outcome.during_opening += cut.opening
    before = sum(outcome.problems.values()) + outcome.lost
    files = {name: data for name, data in cut.files.items() if name.startswith(FILE)}
    _write(_emptied(folder), files)
    try:
        with Outbox(folder / FILE, ORIGIN, ROOMY) as outbox:
            if outbox.salvage is not None:
                outcome.find("taken for damaged", str(outbox.salvage))
            _compare(outbox, cut.told, dice, outcome)
    except OutboxError as error:
        outcome.find("it does not open", str(error))
        outcome.checked += len(cut.told.committed)
        outcome.lost += sum(number > cut.told.deleting for number in cut.told.committed)
    except ValueError as error:
        outcome.find("an alert that is no JSON", str(error))
    with sqlite3.connect(folder / FILE) as connection:
        try:
            verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
        except sqlite3.DatabaseError as error:
            verdict = str(error)
    connection.close()
    if verdict != "ok":
        outcome.find("corrupt", verdict)
    return files if sum(outcome.problems.values()) + outcome.lost == before else None


def _compare(outbox: Outbox, told: Told, dice: random.Random, outcome: Outcome) -> None:
    """What the outbox holds, against what was told."""
    held = {entry.sequence: json.loads(entry.payload) for entry in outbox.pending(0, 10**9)}
    record = {n for one in outbox.dropped(-1) for n in range(one.first, one.last + 1)}
    must = {number: own for number, own in told.committed.items() if number > told.deleting}
    refused = {number for number in told.refused if number > told.deleting}
    outcome.checked += len(must) + len(refused)
    outcome.dropped += len(record & (must.keys() | refused))
    outcome.lost += len(must.keys() - held.keys() - record) + len(refused - record)
    if both := record & held.keys():
        outcome.find("here and on record as dropped", f"alert {min(both)}")
    if gone := record & told.kept:
        outcome.find("dropped, and may not be", f"alert {min(gone)}")
    changed = [n for n, own in must.items() if n in held and held[n].get("hash", "") != own]
    if changed:
        outcome.find("changed", f"alert {changed[0]}")
    if told.epoch is not None and outbox.epoch != told.epoch:
        outcome.find("another epoch", f"{outbox.epoch} and not {told.epoch}")
    if back := [number for number in held if number <= told.deleted]:
        outcome.find("deleted and back again", f"alert {back[0]}")
    given = told.committed.keys() | told.refused
    last = max(given, default=0)
    if not last <= outbox.committed <= max(last, told.head) + 1:
        outcome.find("wrong head", f"{outbox.committed} after {last}")
    made = outbox.commit(an_alert(dice), model=None, clock_synchronised=True)
    if int(made.sequence) in given:
        outcome.find("a number given twice", made.sequence)
    _check_chain(outbox, outcome)


def _check_chain(outbox: Outbox, outcome: Outcome) -> None:
    waiting = [json.loads(entry.payload) for entry in outbox.pending(0, 10**9)]
    links = [Link.of(document) for document in waiting if "hash" in document]
    ledger = Ledger(links[0].chain)
    for link in links:
        ledger.add(link)
    for one in outbox.dropped(-1):
        ledger.add_dropped(one)
    first = links[0].sequence
    # The alerts before the first that waits were delivered; its own link leads back to them.
    for problem in (*ledger.links(outbox.head.first), *ledger.gaps(first)):
        outcome.find("chain", problem.text)


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).write_bytes(data)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--synchronous", default="FULL", choices=["FULL", "NORMAL", "OFF"])
    arguments = parser.parse_args()
    began = time.monotonic()
    found = cut_often(arguments.cuts, arguments.seed, arguments.synchronous)
    sys.stdout.write(
        f"synchronous {arguments.synchronous}, schema {SCHEMA_VERSION}, "
        f"SQLite {sqlite3.sqlite_version}: {found.cuts} power cuts "
        f"({found.during_opening} while opening), {found.checked} alerts had to be there or on "
        f"record ({found.dropped} were), {found.lost} lost; "
        f"{sum(found.problems.values())} other problems; {time.monotonic() - began:.0f} s\n"
    )
    for kind, count in found.problems.most_common():
        sys.stdout.write(f"  {kind}: {count}, e.g. {found.examples[kind]}\n")
    return 0 if not found.lost and not found.problems else 1


if __name__ == "__main__":
    sys.exit(main())
