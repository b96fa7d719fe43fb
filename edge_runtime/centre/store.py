"""What the centre holds: each alert once, in one transaction with how far its chain is held.

Several processes may use one database. The chains that a transaction touches are locked in it (in
SQLite the whole database is), so what is acknowledged is always what is committed.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Engine, and_, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from edge_runtime.alerts.chain import ChainName
from edge_runtime.centre import tables
from edge_runtime.centre.database import open_database, writing
from edge_runtime.centre.incoming import Arrival, Batch, Device, Told
from edge_runtime.centre.standing import Gone, Link, Reason, Standing, advanced, gaps
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.messaging.wire import Acknowledgement

WINDOW = 500
"""Alerts of a chain that are looked at at once."""


class UnknownDeviceError(EdgeRuntimeError):
    """A device of which nothing is stored."""


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


@dataclass(frozen=True, slots=True)
class Ask:
    """A range that a device is to send again, and the id of the command."""

    chain: ChainName
    id: str
    first: int
    last: int


@dataclass(slots=True)
class _Chain:
    """A row of `chains`, locked."""

    id: int
    key: ChainName
    standing: Standing
    stored: int
    top: int
    gap_since: float | None
    asked: tuple[str, int, int] | None


class Store:
    """The database, for one thread."""

    def __init__(self, url: str) -> None:
        """Open it, and make its tables where there are none.

        Raises:
            StoreError: it cannot be used.
        """
        self.engine: Engine = open_database(url)
        self._dialect: ModuleType = sqlite if self.engine.dialect.name == "sqlite" else postgresql

    def close(self) -> None:
        """Close its connections."""
        self.engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def record(self, batch: Batch, now: float) -> Recorded:
        """Store all of `batch`, or nothing.

        Args:
            batch: what came.
            now: Unix seconds.

        Raises:
            StoreError: nothing was stored.
        """
        recorded = Recorded(refused=batch.refused)
        with writing(self.engine) as connection:
            chains = self._lock(connection, _chains_in(batch))
            again = self._add_alerts(connection, chains, batch.alerts, now, recorded)
            again |= self._add_dropped(connection, chains, batch, now, recorded)
            touched = {arrival.chain for arrival in batch.alerts} | again
            touched |= self._add_missing(connection, batch, chains, now, recorded)
            for chain in self._advance(connection, [chains[key] for key in touched], now, recorded):
                again.add(chain.key)
            self._add_devices(connection, batch, now)
            self._count_refused(connection, batch, now)
            for key in again:
                _acknowledge(chains[key], recorded)
        return recorded

    def asks(
        self, now: float, patience: float, every: float, longest: float, most: int = 1000
    ) -> list[Ask]:
        """What devices are to send again, of each chain with a gap: from its first to its last one.

        It counts as asked for at `now`.

        Args:
            now: Unix seconds.
            patience: seconds that a gap may last before it is asked for.
            every: seconds until the same is asked for again; doubled each time.
            longest: at most so many.
            most: how many are asked for.

        Raises:
            StoreError: the database cannot be used.
        """
        chains = tables.chains.c
        asks: list[Ask] = []
        with writing(self.engine) as connection:
            due = connection.execute(
                select(tables.chains)
                .where(chains.gap_since <= now - patience)
                .order_by(chains.site, chains.device, chains.epoch)
                .with_for_update()
            ).all()
            for row in due:
                wait = min(every * 2 ** min(max(row.asked_times - 1, 0), 16), longest)
                unchanged = row.asked_first == row.acked + 1
                if len(asks) == most or (unchanged and row.asked_at > now - wait):
                    continue
                first, last = _lacking(connection, row.id, row.acked)
                key = ChainName(row.site, row.device, row.epoch)
                times = row.asked_times + 1 if unchanged else 1
                ask = Ask(key, _command_id(key, first, now), first, last)
                connection.execute(
                    update(tables.chains)
                    .where(chains.id == row.id)
                    .values(
                        asked_id=ask.id,
                        asked_first=first,
                        asked_last=last,
                        asked_at=now,
                        asked_times=times,
                    )
                )
                asks.append(ask)
        return asks

    def accept(self, device: Device, now: float) -> list[tuple[ChainName, int, int]]:
        """Wait no longer for what is missing of `device`, and go on where its chain is broken.

        Returns:
            What was accepted: ranges that are missing, and alerts (first and last the same) that
            do not follow the one before them.

        Raises:
            UnknownDeviceError: nothing was ever stored of it.
            StoreError: the database cannot be used.
        """
        columns = tables.chains.c
        accepted = []
        with writing(self.engine) as connection:
            keys = [
                ChainName(*row)
                for row in connection.execute(
                    select(columns.site, columns.device, columns.epoch).where(
                        columns.site == device.site, columns.device == device.device
                    )
                )
            ]
            if not keys:
                raise UnknownDeviceError(
                    f"no alert of {device} is known here: SITE/DEVICE is asked for, as devices "
                    "shows it"
                )
            for chain in self._lock(connection, keys).values():
                while (found := _obstacle(connection, chain)) is not None:
                    accepted.append((chain.key, found.first, found.last))
                    self._add_gone(connection, chain, found, now)
                    self._advance(connection, [chain], now, Recorded())
        return accepted

    # In one transaction, with the chains locked.

    def _lock(self, connection: Connection, keys: Collection[ChainName]) -> dict[ChainName, _Chain]:
        """The rows of `keys`, made where there are none, always locked in the same order."""
        if not keys:
            return {}
        wanted = sorted((key.site, key.device, key.epoch) for key in keys)
        columns = tables.chains.c
        query = (
            select(tables.chains)
            .where(tuple_(columns.site, columns.device, columns.epoch).in_(wanted))
            .order_by(columns.site, columns.device, columns.epoch)
            .with_for_update()
        )
        found = connection.execute(query).all()
        if len(found) < len(wanted):
            fresh = {"acked": 0, "hash": Standing().hash, "broken": False}
            fresh |= {"stored": 0, "top": 0, "asked_times": 0}
            connection.execute(
                self._dialect.insert(tables.chains).on_conflict_do_nothing(),
                [{"site": s, "device": d, "epoch": e, **fresh} for s, d, e in wanted],
            )
            found = connection.execute(query).all()
        chains = map(_locked, found)
        return {chain.key: chain for chain in chains}

    def _add_alerts(
        self,
        connection: Connection,
        chains: Mapping[ChainName, _Chain],
        arrivals: Sequence[Arrival],
        now: float,
        recorded: Recorded,
    ) -> set[ChainName]:
        """Store what is new; the chains of which an alert came that is held already."""
        if not arrivals:
            return set()
        firsts: dict[tuple[int, int], Arrival] = {}
        others = []
        for arrival in arrivals:
            place = chains[arrival.chain].id, arrival.sequence
            if firsts.setdefault(place, arrival) is not arrival:
                others.append((place, arrival))
        table = tables.alerts
        added = connection.execute(
            self._dialect.insert(table)
            .on_conflict_do_nothing()
            .returning(table.c.chain, table.c.sequence),
            [_row(place, arrival, now) for place, arrival in firsts.items()],
        )
        new = {(chain, sequence) for chain, sequence in added}
        for place in new:
            chain = chains[firsts[place].chain]
            chain.stored += 1
            chain.top = max(chain.top, place[1])
        recorded.stored += len(new)
        others += [(place, arrival) for place, arrival in firsts.items() if place not in new]
        return self._compare(connection, chains, others, now, recorded)

    def _compare(
        self,
        connection: Connection,
        chains: Mapping[ChainName, _Chain],
        others: Sequence[tuple[tuple[int, int], Arrival]],
        now: float,
        recorded: Recorded,
    ) -> set[ChainName]:
        """Hold what came again against what is stored, and keep apart what is another content."""
        if not others:
            return set()
        alerts = tables.alerts.c
        stored = {
            (chain, sequence): digest
            for chain, sequence, digest in connection.execute(
                select(alerts.chain, alerts.sequence, alerts.hash).where(
                    tuple_(alerts.chain, alerts.sequence).in_([place for place, _ in others])
                )
            )
        }
        conflicts = []
        for place, arrival in others:
            # The hash is that of the content, however its JSON is laid out.
            if stored[place] == arrival.event.hash:
                recorded.repeated += 1
                continue
            conflicts.append(
                {
                    "chain": place[0],
                    "sequence": place[1],
                    "digest": hashlib.sha256(arrival.payload).hexdigest(),
                    "received": now,
                    "payload": arrival.payload,
                }
            )
        recorded.conflicts += self._keep_apart(connection, chains, conflicts)
        return {
            arrival.chain
            for _, arrival in others
            if arrival.sequence <= chains[arrival.chain].standing.sequence
        }

    def _keep_apart(
        self,
        connection: Connection,
        chains: Mapping[ChainName, _Chain],
        conflicts: Sequence[dict[str, Any]],
    ) -> list[Conflict]:
        """Store rows of `conflicts`: those that were not there."""
        if not conflicts:
            return []
        columns = tables.conflicts.c
        keys = {chain.id: key for key, chain in chains.items()}
        added = connection.execute(
            self._dialect.insert(tables.conflicts)
            .on_conflict_do_nothing()
            .returning(columns.chain, columns.sequence),
            conflicts,
        )
        return [Conflict(keys[chain], sequence) for chain, sequence in added]

    def _add_dropped(
        self,
        connection: Connection,
        chains: Mapping[ChainName, _Chain],
        batch: Batch,
        now: float,
        recorded: Recorded,
    ) -> set[ChainName]:
        told = set()
        for device, data in batch.dropped:
            chain = chains[ChainName(device.site, device.device, data.epoch)]
            told.add(chain.key)
            for each in data.ranges:
                found = Gone(each.first, each.last, Reason.DROPPED, each.previoushash, each.hash)
                if self._add_gone(connection, chain, found, now):
                    recorded.dropped.append((chain.key, each.first, each.last))
        return told

    def _add_missing(
        self,
        connection: Connection,
        batch: Batch,
        chains: dict[ChainName, _Chain],
        now: float,
        recorded: Recorded,
    ) -> set[ChainName]:
        """Note what devices have no more of what they were asked for, and of nothing else."""
        touched = set()
        for answer in batch.answers:
            row = connection.execute(
                select(tables.chains).where(
                    tables.chains.c.site == answer.device.site,
                    tables.chains.c.device == answer.device.device,
                    tables.chains.c.asked_id == answer.command,
                )
            ).one_or_none()
            if row is None:
                continue
            key = ChainName(row.site, row.device, row.epoch)
            chains |= {} if key in chains else self._lock(connection, [key])
            chain = chains[key]
            for first, last in answer.missing:
                low, high = max(first, row.asked_first), min(last, row.asked_last)
                if low <= high:
                    self._add_gone(connection, chain, Gone(low, high, Reason.MISSING), now)
                    recorded.missing.append((key, low, high))
                    touched.add(key)
        return touched

    def _add_gone(self, connection: Connection, chain: _Chain, found: Gone, now: float) -> bool:
        """Note a range, which takes those of its kind in it; whether it was not noted before."""
        columns = tables.gone.c
        known = connection.scalar(
            select(columns.told).where(
                columns.chain == chain.id,
                columns.reason == found.reason,
                columns.first <= found.first,
                columns.last >= found.last,
            )
        )
        if known is not None:
            return False
        connection.execute(
            delete(tables.gone).where(
                columns.chain == chain.id,
                columns.reason == found.reason,
                columns.first >= found.first,
                columns.last <= found.last,
            )
        )
        connection.execute(
            self._dialect.insert(tables.gone).on_conflict_do_nothing(),
            {
                "chain": chain.id,
                "reason": found.reason,
                "first": found.first,
                "last": found.last,
                "previous": found.previous,
                "hash": found.hash,
                "told": now,
            },
        )
        chain.top = max(chain.top, found.last)
        return True

    def _advance(
        self, connection: Connection, chains: Iterable[_Chain], now: float, recorded: Recorded
    ) -> list[_Chain]:
        """Bring all `chains` as far as they get, and write them; those that moved."""
        before = {chain.id: chain.standing for chain in chains}
        by_id = {chain.id: chain for chain in chains}
        todo = set(by_id)
        while todo:
            links = _links(connection, [by_id[each] for each in todo])
            ranges = _gone(connection, todo)
            full = set()
            for each in todo:
                chain = by_id[each]
                old = chain.standing.sequence
                chain.standing = advanced(chain.standing, links[each], ranges[each])
                if chain.standing.sequence >= old + WINDOW:
                    full.add(each)
            todo = full
        for each, chain in by_id.items():
            if chain.standing.broken and not before[each].broken:
                recorded.breaks.append(Break(chain.key, chain.standing.sequence + 1))
        _write(connection, by_id.values(), before, now)
        return [chain for each, chain in by_id.items() if chain.standing != before[each]]

    def _add_devices(self, connection: Connection, batch: Batch, now: float) -> None:
        for column, told in (("status", batch.statuses), ("health", batch.healths)):
            rows = [
                {
                    "site": device.site,
                    "device": device.device,
                    column: each.payload,
                    f"{column}_heard": _heard(each, now),
                }
                for device, each in sorted(told.items(), key=lambda item: str(item[0]))
            ]
            if rows:
                statement = self._dialect.insert(tables.devices)
                heard = f"{column}_heard"
                connection.execute(
                    statement.on_conflict_do_update(
                        index_elements=["site", "device"],
                        set_={
                            column: statement.excluded[column],
                            heard: func.coalesce(
                                statement.excluded[heard], tables.devices.c[heard]
                            ),
                        },
                    ),
                    rows,
                )

    def _count_refused(self, connection: Connection, batch: Batch, now: float) -> None:
        if not batch.refused:
            return
        statement = self._dialect.insert(tables.refused)
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
                for kind, (count, reason) in sorted(batch.refused.items())
            ],
        )


def printable(text: str) -> str:
    """`text`, whatever it holds, as a database and a terminal take it."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _chains_in(batch: Batch) -> set[ChainName]:
    return {arrival.chain for arrival in batch.alerts} | {
        ChainName(device.site, device.device, data.epoch) for device, data in batch.dropped
    }


def _heard(told: Told, now: float) -> float | None:
    """When it was said: what the broker had kept may be old, and says nothing of now."""
    return None if told.kept else now


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


def _locked(row: Any) -> _Chain:
    return _Chain(
        row.id,
        ChainName(row.site, row.device, row.epoch),
        Standing(row.acked, row.hash, row.broken),
        row.stored,
        row.top,
        row.gap_since,
        None if row.asked_id is None else (row.asked_id, row.asked_first, row.asked_last),
    )


def _links(connection: Connection, chains: Sequence[_Chain]) -> dict[int, dict[int, Link]]:
    """Of each chain the stored alerts in the window beyond where it stands."""
    columns = tables.alerts.c
    found: dict[int, dict[int, Link]] = defaultdict(dict)
    rows = connection.execute(
        select(columns.chain, columns.sequence, columns.previous, columns.hash).where(
            or_(
                *(
                    and_(
                        columns.chain == chain.id,
                        columns.sequence > chain.standing.sequence,
                        columns.sequence <= chain.standing.sequence + WINDOW,
                    )
                    for chain in chains
                )
            )
        )
    )
    for chain, sequence, previous, own in rows:
        found[chain][sequence] = Link(previous, own)
    return found


def _gone(connection: Connection, ids: Collection[int]) -> dict[int, list[Gone]]:
    columns = tables.gone.c
    found: dict[int, list[Gone]] = defaultdict(list)
    rows = connection.execute(
        select(
            columns.chain,
            columns.first,
            columns.last,
            columns.reason,
            columns.previous,
            columns.hash,
        )
        .join(tables.chains, columns.chain == tables.chains.c.id)
        .where(columns.chain.in_(ids), columns.last > tables.chains.c.acked)
    )
    for chain, first, last, reason, previous, own in rows:
        found[chain].append(Gone(first, last, Reason(reason), previous, own))
    return found


def _write(
    connection: Connection,
    chains: Iterable[_Chain],
    before: Mapping[int, Standing],
    now: float,
) -> None:
    for chain in chains:
        standing = chain.standing
        waits = chain.top > standing.sequence and not standing.broken
        same = before[chain.id].sequence == standing.sequence
        since = chain.gap_since if same and chain.gap_since is not None else now
        chain.gap_since = since if waits else None
        connection.execute(
            update(tables.chains)
            .where(tables.chains.c.id == chain.id)
            .values(
                acked=standing.sequence,
                hash=standing.hash,
                broken=standing.broken,
                stored=chain.stored,
                top=chain.top,
                gap_since=chain.gap_since,
            )
        )


def _obstacle(connection: Connection, chain: _Chain) -> Gone | None:
    """What keeps a chain from going on, as the range that a person accepts; None for nothing."""
    first = chain.standing.sequence + 1
    if chain.standing.broken:
        return Gone(first, first, Reason.ACCEPTED)
    if chain.top < first:
        return None
    return Gone(first, _next_there(connection, chain.id, first) - 1, Reason.ACCEPTED)


def _next_there(connection: Connection, chain: int, first: int) -> int:
    """The next number from `first` on that is stored, or in a range that is gone."""
    alerts, gone = tables.alerts.c, tables.gone.c
    behind = [
        connection.scalar(select(func.min(column)).where(of == chain, column >= first))
        for of, column in ((alerts.chain, alerts.sequence), (gone.chain, gone.first))
    ]
    return min(int(n) for n in behind if n is not None)


def _lacking(connection: Connection, chain: int, acked: int) -> tuple[int, int]:
    """The first number of the first gap, and the last one of the last gap in the window."""
    alerts = tables.alerts.c
    numbers = connection.scalars(
        select(alerts.sequence)
        .where(alerts.chain == chain, alerts.sequence.between(acked + 1, acked + WINDOW))
        .order_by(alerts.sequence)
    ).all()
    found = gaps(Standing(acked), numbers, _gone(connection, [chain])[chain])
    return acked + 1, found[-1][1] if found else _next_there(connection, chain, acked + 1) - 1


def _acknowledge(chain: _Chain, recorded: Recorded) -> None:
    standing = chain.standing
    if standing.sequence > 0:
        recorded.acknowledgements[chain.key] = Acknowledgement(
            epoch=chain.key.epoch, sequence=standing.sequence, hash=standing.hash
        )


def _command_id(key: ChainName, first: int, now: float) -> str:
    text = f"{key}/{first}/{now!r}"
    return f"resend-{hashlib.sha256(text.encode()).hexdigest()[:32]}"
