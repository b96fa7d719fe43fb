"""The alerts that wait in an outbox, as they are read for sending."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from edge_runtime.alerts.alert import Severity
from edge_runtime.alerts.chain import Links, links
from edge_runtime.alerts.database import Epochs
from edge_runtime.alerts.dropping import DroppedRange, unreadable


@dataclass(frozen=True, slots=True)
class Entry:
    """An alert that waits.

    Attributes:
        sequence: its place: its number, from 1; what was saved of an earlier epoch comes before,
            with 0 and less.
        camera: the camera's name.
        rule: the kind of rule.
        severity: how urgent it is.
        payload: the CloudEvents JSON as it goes out.
        epoch: its epoch.
        number: its number within its epoch.
        links: its hash and that of the one before it.
    """

    sequence: int
    camera: str
    rule: str
    severity: Severity
    payload: str
    epoch: int
    number: int
    links: Links

    def dropped(self) -> DroppedRange:
        """What is on record of it once it is given up."""
        return DroppedRange(
            self.epoch,
            self.number,
            self.number,
            {self.severity: 1},
            self.links.previoushash,
            self.links.hash,
        )


def read(
    connection: sqlite3.Connection, epochs: Epochs, first: int, after: int, limit: int
) -> tuple[list[Entry], list[tuple[int, DroppedRange]]]:
    """The first `limit` alerts that wait behind the place `after`, in their order.

    Args:
        connection: the file.
        epochs: its epochs.
        first: the number of the first alert in the chain.
        after: a place.
        limit: at most so many.

    Returns:
        Those that are as they were committed; and of each that is not its place, and what is to be
        on record of it.
    """
    rows = connection.execute(
        "SELECT sequence, camera, rule, severity, payload FROM alerts"
        " WHERE sequence > ? ORDER BY sequence LIMIT ?",
        (after, limit),
    ).fetchall()
    whole, damaged = [], []
    for place, camera, rule, severity, payload in rows:
        epoch, number = epochs.identity(place)
        found = links(payload, epoch, number, hashed=place >= first)
        if found is None:
            damaged.append((place, unreadable(epoch, number, number, severity)))
        else:
            severe = Severity(severity)
            whole.append(Entry(place, camera, rule, severe, payload, epoch, number, found))
    return whole, damaged


def spans(connection: sqlite3.Connection, first: int, last: int) -> list[tuple[int, int]]:
    """Which alerts from `first` to `last` wait: neighbours as pairs of first and last."""
    return connection.execute(
        "SELECT min(sequence), max(sequence) FROM"
        " (SELECT sequence, sequence - row_number() OVER (ORDER BY sequence) AS island"
        " FROM alerts WHERE sequence BETWEEN ? AND ?) GROUP BY island ORDER BY island",
        (first, last),
    ).fetchall()
