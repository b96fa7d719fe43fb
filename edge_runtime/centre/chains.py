"""The chains in the database: locked, brought as far as they get, and what they lack.

All of it within the caller's transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, delete, func, or_, select, tuple_, update

from edge_runtime.alerts.chain import ChainName
from edge_runtime.centre import tables
from edge_runtime.centre.database import inserting
from edge_runtime.centre.standing import Gone, Link, Reason, Standing, advanced, gaps

WINDOW = 500
"""Alerts of a chain that are looked at at once."""


@dataclass(slots=True)
class Chain:
    """A row of `chains`, locked.

    Attributes:
        id: its own.
        key: whose chain it is.
        standing: how far it is held.
        stored: how many of its alerts are stored.
        top: the highest number of which is known that it was given.
        gap_since: Unix seconds since which something behind a gap waits; None: nothing does.
    """

    id: int
    key: ChainName
    standing: Standing
    stored: int
    top: int
    gap_since: float | None


def lock(connection: Connection, keys: Collection[ChainName]) -> dict[ChainName, Chain]:
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
            inserting(connection, tables.chains).on_conflict_do_nothing(),
            [{"site": s, "device": d, "epoch": e, **fresh} for s, d, e in wanted],
        )
        found = connection.execute(query).all()
    chains = map(_locked, found)
    return {chain.key: chain for chain in chains}


def _locked(row: Any) -> Chain:
    return Chain(
        row.id,
        ChainName(row.site, row.device, row.epoch),
        Standing(row.acked, row.hash, row.broken),
        row.stored,
        row.top,
        row.gap_since,
    )


def add_gone(connection: Connection, chain: Chain, found: Gone, now: float) -> bool:
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
        inserting(connection, tables.gone).on_conflict_do_nothing(),
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


def advance(
    connection: Connection, chains: Iterable[Chain], now: float
) -> tuple[list[Chain], list[Chain]]:
    """Bring all `chains` as far as they get, and write them.

    Returns:
        Those that moved, and those that are found to be broken where they stand now.
    """
    by_id = {chain.id: chain for chain in chains}
    before = {chain.id: chain.standing for chain in by_id.values()}
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
    _write(connection, by_id.values(), before, now)
    moved = [chain for each, chain in by_id.items() if chain.standing != before[each]]
    broken = [chain for chain in moved if chain.standing.broken and not before[chain.id].broken]
    return moved, broken


def _links(connection: Connection, chains: Sequence[Chain]) -> dict[int, dict[int, Link]]:
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
    chains: Iterable[Chain],
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


def obstacle(connection: Connection, chain: Chain) -> Gone | None:
    """What keeps a chain from going on, as the range that a person accepts; None for nothing."""
    first = chain.standing.sequence + 1
    if chain.standing.broken:
        return Gone(first, first, Reason.ACCEPTED)
    if chain.top < first:
        return None
    return Gone(first, _next_there(connection, chain.id, first) - 1, Reason.ACCEPTED)


def lacking(connection: Connection, chain: int, acked: int) -> tuple[int, int]:
    """The first number of the first gap, and the last one of the last gap in the window."""
    alerts = tables.alerts.c
    numbers = connection.scalars(
        select(alerts.sequence)
        .where(alerts.chain == chain, alerts.sequence.between(acked + 1, acked + WINDOW))
        .order_by(alerts.sequence)
    ).all()
    found = gaps(Standing(acked), numbers, _gone(connection, [chain])[chain])
    return acked + 1, found[-1][1] if found else _next_there(connection, chain, acked + 1) - 1


def _next_there(connection: Connection, chain: int, first: int) -> int:
    """The next number from `first` on that is stored, or in a range that is gone."""
    alerts, gone = tables.alerts.c, tables.gone.c
    behind = [
        connection.scalar(select(func.min(column)).where(of == chain, column >= first))
        for of, column in ((alerts.chain, alerts.sequence), (gone.chain, gone.first))
    ]
    return min(int(n) for n in behind if n is not None)
