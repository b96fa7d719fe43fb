"""A process that commits alerts to a real outbox and says so in a file: `python -m …committing`.

It is killed, recorded and cut from its power by the tests beside it. What it says is written, in
one call a line, after the outbox has returned (or, for what is deleted, before it is asked to).
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
import sqlite3
from pathlib import Path
from typing import Any

from edge_runtime.alerts.alert import Alert, AlertState, Origin, Severity
from edge_runtime.alerts.limits import Limits
from edge_runtime.alerts.outbox import Outbox, OutboxFullError
from edge_runtime.alerts.room import EXPENDABLE

ORIGIN = Origin("paris-12", "atm-1")
WITNESS = "witness"


class _Weakened(sqlite3.Connection):
    """A connection that asks for less than the outbox wants."""

    synchronous = "FULL"

    def execute(self, sql: str, *more: Any) -> sqlite3.Cursor:
        return super().execute(
            sql.replace("synchronous = FULL", f"synchronous = {self.synchronous}"), *more
        )


def an_alert(dice: random.Random) -> Alert:
    """An alert of any severity and of some hundred to some thousand bytes."""
    boxes = tuple((0.1, 0.2, 0.3, round(dice.random(), 4)) for _ in range(dice.choice([1, 5, 80])))
    return Alert(
        rule="presence",
        name="presence",
        camera="front",
        state=AlertState.STARTED,
        severity=dice.choice(list(Severity)),
        timestamp=1.0,
        wall_time=1.79e9,
        decided_after=1.0,
        duration=0.0,
        incident=str(dice.random()),
        boxes=boxes,
    )


class Witness:
    """What the process says, one JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def tell(self, **what: object) -> None:
        os.write(self._file, json.dumps(what).encode() + b"\n")


def live(path: Path, witness: Witness, dice: random.Random, turns: int) -> None:
    """Open the outbox, commit and delete in it for so many turns, and close it.

    Half of the time it is so small that alerts have to go for others, or find no room.
    """
    limits = Limits(1_000_000, dice.choice([12, 10_000]), 0)
    with Outbox(path, ORIGIN, limits) as outbox:
        witness.tell(opened=outbox.epoch, head=outbox.head.sequence)
        for _ in range(turns):
            if dice.random() < 0.85:
                commit(outbox, witness, dice)
                continue
            waiting = outbox.pending(0, 1000)
            # Sometimes all, the last one with them: then only `chain` knows the head.
            upto = dice.choice([len(waiting), *(dice.randint(0, min(len(waiting), 9)),) * 5])
            gone = [entry.sequence for entry in waiting[:upto]]
            if gone:
                witness.tell(deleting=gone[-1])
                if dice.random() < 0.5:
                    outbox.delivered(gone)
                else:
                    outbox.acknowledge(outbox.epoch, gone[-1])
                witness.tell(deleted=gone[-1])


def commit(outbox: Outbox, witness: Witness, dice: random.Random) -> None:
    """Commit an alert, which may find no room."""
    alert = an_alert(dice)
    try:
        made = outbox.commit(alert, model=None, clock_synchronised=True)
    except OutboxFullError as error:
        witness.tell(refused=error.sequence)
        return
    kept = made.severity not in EXPENDABLE
    witness.tell(committed=int(made.sequence), hash=made.hash, kept=kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--synchronous", default="FULL", choices=["FULL", "NORMAL", "OFF"])
    arguments = parser.parse_args()
    if arguments.synchronous != "FULL":
        _Weakened.synchronous = arguments.synchronous
        sqlite3.connect = functools.partial(sqlite3.connect, factory=_Weakened)  # type: ignore[assignment]  # weakened on purpose
    dice = random.Random(arguments.seed)
    witness = Witness(arguments.folder / WITNESS)
    for _ in range(dice.randint(1, 3)):
        turns = dice.choice([3, 30, 600])
        live(arguments.folder / "outbox.sqlite", witness, dice, turns)


if __name__ == "__main__":
    main()
