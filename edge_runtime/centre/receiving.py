"""What becomes of a batch: each alert is stored once, in one transaction with all that it moves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select, tuple_

from edge_runtime.alerts.chain import ChainName
from edge_runtime.centre import tables
from edge_runtime.centre.chains import Chain, add_gone, advance, lock
from edge_runtime.centre.database import inserting, printable
from edge_runtime.centre.incoming import Arrival, Batch, Device, MissingAnswer, Told
from edge_runtime.centre.standing import Gone, Reason
from edge_runtime.messaging.wire import Acknowledgement, DroppedData


@dataclass(frozen=True, slots=True)
class Conflict:
    """An alert came under the number of another one, with another content."""

    chain: ChainName
    sequence: int


@dataclass(frozen=True, slots=True)
class Break:
    """Alert `sequence` is there, but does not follow the one before it as it is here."""

    chain: ChainName
    sequence: int


@dataclass(slots=True)
class Recorded:
    """What became of a batch.

    Attributes:
        stored: how many alerts are new.
        repeated: how many were there already.
        acknowledgements: what the devices that spoke are to be told.
        conflicts, breaks: what is new, and a person has to be told.
        missing: ranges of which a device said that it has them no more.
        dropped: ranges of which it had not been known that a device gave them up.
        refused: the batch's.
    """

    stored: int = 0
    repeated: int = 0
    acknowledgements: dict[ChainName, Acknowledgement] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)
    missing: list[tuple[ChainName, int, int]] = field(default_factory=list)
    dropped: list[tuple[ChainName, int, int]] = field(default_factory=list)
    refused: Mapping[str, tuple[int, str]] = field(default_factory=dict)


def record(connection: Connection, batch: Batch, now: float) -> Recorded:
    """Store all of `batch`, within the caller's transaction.

    Args:
        connection: within a transaction that writes.
        batch: what came.
        now: Unix seconds.
    """
    recording = _Recording(connection, now, lock(connection, _chains_in(batch)))
    again = recording.add_alerts(batch.alerts)
    again |= recording.add_dropped(batch.dropped)
    touched = {arrival.chain for arrival in batch.alerts} | again
    touched |= recording.add_missing(batch.answers)
    again |= recording.advance(touched)
    _add_devices(connection, "status", batch.statuses, now)
    _add_devices(connection, "health", batch.healths, now)
    _count_refused(connection, batch.refused, now)
    recording.acknowledge(again)
    recording.recorded.refused = batch.refused
    return recording.recorded


class _Recording:
    """One batch on its way into the database, with the chains that it touches locked."""

    def __init__(self, connection: Connection, now: float, chains: dict[ChainName, Chain]) -> None:
        self._connection = connection
        self._now = now
        self._chains = chains
        self.recorded = Recorded()

    def add_alerts(self, arrivals: Sequence[Arrival]) -> set[ChainName]:
        """Store what is new; the chains of which an alert came that is held already."""
        if not arrivals:
            return set()
        firsts: dict[tuple[int, int], Arrival] = {}
        others = []
        for arrival in arrivals:
            place = self._chains[arrival.chain].id, arrival.sequence
            if firsts.setdefault(place, arrival) is not arrival:
                others.append((place, arrival))
        table = tables.alerts
        added = self._connection.execute(
            inserting(self._connection, table)
            .on_conflict_do_nothing()
            .returning(table.c.chain, table.c.sequence),
            [_row(place, arrival, self._now) for place, arrival in firsts.items()],
        )
        new = {(chain, sequence) for chain, sequence in added}
        for place in new:
            chain = self._chains[firsts[place].chain]
            chain.stored += 1
            chain.top = max(chain.top, place[1])
        self.recorded.stored += len(new)
        others += [(place, arrival) for place, arrival in firsts.items() if place not in new]
        self._compare(others)
        return {
            arrival.chain
            for _, arrival in others
            if arrival.sequence <= self._chains[arrival.chain].standing.sequence
        }

    def _compare(self, others: Sequence[tuple[tuple[int, int], Arrival]]) -> None:
        """Hold what came again against what is stored, and keep apart what is another content."""
        if not others:
            return
        alerts = tables.alerts.c
        stored = {
            (chain, sequence): digest
            for chain, sequence, digest in self._connection.execute(
                select(alerts.chain, alerts.sequence, alerts.hash).where(
                    tuple_(alerts.chain, alerts.sequence).in_([place for place, _ in others])
                )
            )
        }
        # The hash is that of the content, however its JSON is laid out.
        different = [
            (place, arrival) for place, arrival in others if stored[place] != arrival.event.hash
        ]
        self.recorded.repeated += len(others) - len(different)
        self._keep_apart(different)

    def _keep_apart(self, different: Sequence[tuple[tuple[int, int], Arrival]]) -> None:
        """Store as conflicts what was not stored as one before."""
        if not different:
            return
        columns = tables.conflicts.c
        keys = {chain.id: key for key, chain in self._chains.items()}
        added = self._connection.execute(
            inserting(self._connection, tables.conflicts)
            .on_conflict_do_nothing()
            .returning(columns.chain, columns.sequence),
            [
                {
                    "chain": chain,
                    "sequence": sequence,
                    "digest": hashlib.sha256(arrival.payload).hexdigest(),
                    "received": self._now,
                    "payload": arrival.payload,
                }
                for (chain, sequence), arrival in different
            ],
        )
        self.recorded.conflicts += [Conflict(keys[chain], sequence) for chain, sequence in added]

    def add_dropped(self, dropped: Iterable[tuple[Device, DroppedData]]) -> set[ChainName]:
        """Note what devices gave up; the chains of which they spoke."""
        told = set()
        for device, data in dropped:
            chain = self._chains[ChainName(device.site, device.device, data.epoch)]
            told.add(chain.key)
            for each in data.ranges:
                found = Gone(each.first, each.last, Reason.DROPPED, each.previoushash, each.hash)
                if add_gone(self._connection, chain, found, self._now):
                    self.recorded.dropped.append((chain.key, each.first, each.last))
        return told

    def add_missing(self, answers: Iterable[MissingAnswer]) -> set[ChainName]:
        """Note what devices have no more of what they were asked for, and of nothing else."""
        touched = set()
        columns = tables.chains.c
        for answer in answers:
            row = self._connection.execute(
                select(tables.chains).where(
                    columns.site == answer.device.site,
                    columns.device == answer.device.device,
                    columns.asked_id == answer.command,
                )
            ).one_or_none()
            if row is None:
                continue
            key = ChainName(row.site, row.device, row.epoch)
            self._chains |= {} if key in self._chains else lock(self._connection, [key])
            chain = self._chains[key]
            for first, last in answer.missing:
                low, high = max(first, row.asked_first), min(last, row.asked_last)
                if low <= high:
                    add_gone(self._connection, chain, Gone(low, high, Reason.MISSING), self._now)
                    self.recorded.missing.append((key, low, high))
                    touched.add(key)
        return touched

    def advance(self, touched: Iterable[ChainName]) -> set[ChainName]:
        """Bring these chains as far as they get; those that moved."""
        chains = [self._chains[key] for key in touched]
        moved, broken = advance(self._connection, chains, self._now)
        self.recorded.breaks += [Break(chain.key, chain.standing.sequence + 1) for chain in broken]
        return {chain.key for chain in moved}

    def acknowledge(self, keys: Iterable[ChainName]) -> None:
        """Say how far these are held."""
        for key in keys:
            standing = self._chains[key].standing
            if standing.sequence > 0:
                self.recorded.acknowledgements[key] = Acknowledgement(
                    epoch=key.epoch, sequence=standing.sequence, hash=standing.hash
                )


def _add_devices(
    connection: Connection, column: str, told: Mapping[Device, Told], now: float
) -> None:
    """Put what devices say of themselves in the place of what they said before."""
    heard = f"{column}_heard"
    rows = [
        {
            "site": device.site,
            "device": device.device,
            column: each.payload,
            # What the broker had kept may be old, and says nothing of now.
            heard: None if each.kept else now,
        }
        for device, each in sorted(told.items(), key=lambda item: str(item[0]))
    ]
    if not rows:
        return
    statement = inserting(connection, tables.devices)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["site", "device"],
            set_={
                column: statement.excluded[column],
                heard: func.coalesce(statement.excluded[heard], tables.devices.c[heard]),
            },
        ),
        rows,
    )


def _count_refused(
    connection: Connection, refused: Mapping[str, tuple[int, str]], now: float
) -> None:
    if not refused:
        return
    statement = inserting(connection, tables.refused)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["kind"],
            set_={
                "count": tables.refused.c.count + statement.excluded["count"],
                "reason": statement.excluded.reason,
                "heard": statement.excluded.heard,
            },
        ),
        [
            {"kind": kind, "count": count, "reason": printable(reason), "heard": now}
            for kind, (count, reason) in sorted(refused.items())
        ],
    )


def _chains_in(batch: Batch) -> set[ChainName]:
    return {arrival.chain for arrival in batch.alerts} | {
        ChainName(device.site, device.device, data.epoch) for device, data in batch.dropped
    }


def _row(place: tuple[int, int], arrival: Arrival, now: float) -> dict[str, Any]:
    event = arrival.event
    return {
        "chain": place[0],
        "sequence": place[1],
        "received": now,
        "time": event.time,
        "camera": event.data.camera,
        "rule": event.data.rule,
        "severity": event.severity,
        "state": event.data.state,
        "incident": printable(event.data.incident),
        "previous": event.previoushash,
        "hash": event.hash,
        "payload": arrival.payload,
    }
