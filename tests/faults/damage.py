"""Damages outboxes: `python -m tests.faults.damage --files 2000`.

A real outbox is filled, acknowledged in part and made to drop some, and closed. Then bytes of its
file are overwritten at random (a byte, a few, a page; with noise or with zeros), or its end is cut
off, and the real outbox is opened on it. Each alert that waited has to be there unchanged, or on
record as dropped, or the outbox has to say that it cannot know of all.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from edge_runtime.alerts.limits import PAGE_BYTES, Limits
from edge_runtime.alerts.outbox import Outbox, OutboxFullError
from tests.faults.committing import ORIGIN, an_alert

BEGINNING = -(2**62)
ROOMY = Limits(min_free_disk=0)


@dataclass(slots=True)
class Outcome:
    """What was found.

    Attributes:
        files: how many were damaged.
        set_aside: how many were found damaged as a whole, and set aside.
        waited: alerts that waited in those.
        saved: how many of them are in the new file, unchanged.
        untold: files of which it was said that more may be lost than is named.
        silent: alerts that are neither there nor named, and nothing was said.
        changed: alerts that were given out with another content.
        examples: seeds of the last two.
    """

    files: int = 0
    set_aside: int = 0
    waited: int = 0
    saved: int = 0
    untold: int = 0
    silent: int = 0
    changed: int = 0
    examples: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Filled:
    """An outbox as it was: its epoch, the alerts that waited, and all numbers that need a word."""

    epoch: int
    waiting: dict[int, str]
    owed: set[int]


def damage_often(files: int, seed: int = 1) -> Outcome:
    """Damage so many files."""
    outcome = Outcome()
    memory = Path("/dev/shm")  # where a sync costs nothing: no power goes here
    where = memory if memory.is_dir() else None
    for each in range(seed, seed + files):
        with tempfile.TemporaryDirectory(dir=where) as folder:
            path = Path(folder) / "outbox.sqlite"
            dice = random.Random(each)
            filled = fill(path, dice)
            harm(path, dice)
            before = outcome.silent + outcome.changed
            examine(path, filled, outcome)
            if outcome.silent + outcome.changed > before:
                outcome.examples.append(each)
    return outcome


def fill(path: Path, dice: random.Random) -> Filled:
    """An outbox in which some alerts wait, some were dropped and some are acknowledged."""
    made: dict[int, str] = {}
    acknowledged = 0
    limits = Limits(max_alerts=dice.choice([60, 10_000]), min_free_disk=0)
    with Outbox(path, ORIGIN, limits) as outbox:
        for _ in range(dice.choice([5, 50, 300])):
            try:
                event = outbox.commit(an_alert(dice), model=None, clock_synchronised=True)
            except OutboxFullError:
                continue
            made[int(event.sequence)] = event.to_json()
            if dice.random() < 0.03:
                acknowledged = max(acknowledged, dice.randint(1, outbox.committed))
                outbox.acknowledge(outbox.epoch, acknowledged)
        waiting = {entry.number: made[entry.number] for entry in outbox.pending(0, 10**6)}
        owed = set(range(acknowledged + 1, outbox.committed + 1))
        return Filled(outbox.epoch, waiting, owed)


def harm(path: Path, dice: random.Random) -> None:
    """Damage the file."""
    for _ in range(dice.choice([1, 3, 30])):
        size = path.stat().st_size
        if dice.random() < 0.1:
            os.truncate(path, dice.randrange(1, size + 1))
            continue
        length = dice.choice([1, 8, 100, PAGE_BYTES])
        offset = dice.randrange(size)
        if dice.random() < 0.3:
            offset -= offset % PAGE_BYTES
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(dice.choice([dice.randbytes(length), bytes(length)]))


def examine(path: Path, filled: Filled, outcome: Outcome) -> None:
    """Open what is left."""
    outcome.files += 1
    with Outbox(path, ORIGIN, ROOMY) as outbox:
        there = {
            entry.number: entry.payload
            for entry in outbox.pending(BEGINNING, 10**6)
            if json.loads(entry.payload)["id"].split("/")[1] == str(filled.epoch)
        }
        named = {
            number
            for one in outbox.dropped(-1)
            if one.epoch == filled.epoch
            for number in range(max(one.first, 1), min(one.last, max(filled.owed, default=0)) + 1)
        }
        salvage = outbox.salvage
    outcome.changed += sum(
        filled.waiting.get(number, text) != text for number, text in there.items()
    )
    if salvage is not None:
        outcome.set_aside += 1
        outcome.waited += len(filled.waiting)
        outcome.saved += len(there.keys() & filled.waiting.keys())
    if salvage is None or (salvage.complete and salvage.epoch == filled.epoch):
        outcome.silent += len(filled.owed - there.keys() - named)
    else:
        outcome.untold += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    found = damage_often(arguments.files, arguments.seed)
    sys.stdout.write(
        f"{found.files} damaged outboxes, {found.set_aside} of them set aside: of the "
        f"{found.waited} alerts that waited in those {found.saved} are saved; of {found.untold} "
        f"it is said that more may be lost than is named; {found.silent} alerts are lost in "
        f"silence, {found.changed} are changed\n"
    )
    if found.examples:
        sys.stdout.write(f"  seeds: {', '.join(map(str, found.examples[:20]))}\n")
    return 0 if not found.silent and not found.changed else 1


if __name__ == "__main__":
    sys.exit(main())
