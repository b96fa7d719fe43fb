"""What the database holds of the devices, in a few queries, however many devices there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, and_, case, func, select, tuple_

from edge_runtime.alerts.chain import ChainName
from edge_runtime.centre import tables
from edge_runtime.centre.incoming import Device
from edge_runtime.centre.standing import Gone, Reason, Standing, gaps

_MOST_GAPS = 20
_LOOKED_AT = 10_000
"""Alerts beyond the first gap among which further ones are looked for."""
_AT_ONCE = 1000
"""Alerts that one query names."""

_alerts = tables.alerts.c


@dataclass(frozen=True, slots=True)
class ChainView:
    """One epoch of a device's alerts, as it is held here.

    Attributes:
        epoch: Unix microseconds.
        acknowledged: each alert up to this one is stored or known to be gone.
        verified: whether all of them are stored or dropped, and each follows the one before it.
        broken: the alert that does not follow the one before it; None where all do.
        stored: how many alerts are stored.
        gaps: ranges, first and last, that are waited for.
        dropped, missing, accepted: how many alerts the device gave up, lost, and a person
            accepted as not there.
        conflicts: how many alerts came under the number of another.
    """

    epoch: int
    acknowledged: int
    verified: bool
    broken: int | None
    stored: int
    gaps: tuple[tuple[int, int], ...]
    dropped: int
    missing: int
    accepted: int
    conflicts: int


@dataclass(frozen=True, slots=True)
class Incident:
    """What a camera's health is told to be, without an end.

    Attributes:
        camera: its name.
        incident: the incident's.
        time: of the latest alert, RFC 3339.
    """

    camera: str
    incident: str
    time: str


def chains(connection: Connection) -> dict[Device, dict[int, ChainView]]:
    """All chains, by device and epoch."""
    ranges: dict[int, list[Gone]] = defaultdict(list)
    for row in connection.execute(select(tables.gone)):
        ranges[row.chain].append(Gone(row.first, row.last, Reason(row.reason)))
    twice = select(tables.conflicts.c.chain, func.count()).group_by(tables.conflicts.c.chain)
    conflicts: dict[int, int] = {row[0]: row[1] for row in connection.execute(twice)}
    stored, beyond = _stored_in_ranges(connection), _beyond_the_gap(connection)
    found: dict[Device, dict[int, ChainView]] = defaultdict(dict)
    for row in connection.execute(select(tables.chains)):
        gone = {
            reason: _numbers(each for each in ranges[row.id] if each.reason is reason)
            - stored.get((row.id, reason), 0)
            for reason in Reason
        }
        open_gaps = gaps(Standing(row.acked), beyond[row.id], ranges[row.id]) if _waits(row) else []
        found[Device(row.site, row.device)][row.epoch] = _view(
            row, ranges[row.id], gone, open_gaps[:_MOST_GAPS], conflicts.get(row.id, 0)
        )
    return found


def open_incidents(connection: Connection) -> dict[ChainName, list[Incident]]:
    """What is told of cameras by alerts that have no end."""
    ended = func.max(case((_alerts.state == "ended", 1), else_=0))
    columns = tables.chains.c
    rows = connection.execute(
        select(
            *(columns.site, columns.device, columns.epoch),
            *(_alerts.camera, _alerts.incident, func.max(_alerts.time)),
        )
        .join(tables.chains, _alerts.chain == columns.id)
        .where(_alerts.rule == tables.CAMERA_HEALTH)
        .group_by(columns.id, _alerts.camera, _alerts.incident)
        .having(ended == 0)
        .order_by(columns.id, _alerts.camera, _alerts.incident)
    )
    found: dict[ChainName, list[Incident]] = defaultdict(list)
    for site, device, epoch, *incident in rows:
        found[ChainName(site, device, epoch)].append(Incident(*incident))
    return found


def hashes(
    connection: Connection, wanted: Iterable[tuple[ChainName, int]]
) -> dict[tuple[ChainName, int], str]:
    """The hashes of the alerts of these chains and numbers, of those that are stored."""
    columns = tables.chains.c
    place = columns.site, columns.device, columns.epoch, _alerts.sequence
    found = {}
    for portion in _portions(wanted):
        rows = connection.execute(
            select(*place, _alerts.hash)
            .join(tables.chains, _alerts.chain == columns.id)
            .where(
                tuple_(*place).in_(
                    [(c.site, c.device, c.epoch, sequence) for c, sequence in portion]
                )
            )
        )
        for site, device, epoch, sequence, digest in rows:
            found[ChainName(site, device, epoch), sequence] = digest
    return found


def _portions(
    wanted: Iterable[tuple[ChainName, int]],
) -> Iterator[Sequence[tuple[ChainName, int]]]:
    rest = iter(wanted)
    while portion := list(islice(rest, _AT_ONCE)):
        yield portion


def _stored_in_ranges(connection: Connection) -> dict[tuple[int, Reason], int]:
    """How many alerts are stored in the union of a chain's ranges of one reason."""
    gone = tables.gone.c
    rows = connection.execute(
        select(gone.chain, gone.reason, func.count(_alerts.sequence.distinct()))
        .join(
            tables.alerts,
            and_(_alerts.chain == gone.chain, _alerts.sequence.between(gone.first, gone.last)),
        )
        .group_by(gone.chain, gone.reason)
    )
    return {(chain, Reason(reason)): count for chain, reason, count in rows}


def _beyond_the_gap(connection: Connection) -> dict[int, list[int]]:
    """The first numbers that are stored behind where a chain stands, of chains with a gap."""
    columns = tables.chains.c
    place = func.row_number().over(partition_by=_alerts.chain, order_by=_alerts.sequence)
    ranked = (
        select(_alerts.chain, _alerts.sequence, place.label("place"))
        .join(tables.chains, _alerts.chain == columns.id)
        .where(columns.top > columns.acked, ~columns.broken, _alerts.sequence > columns.acked)
        .subquery()
    )
    found: dict[int, list[int]] = defaultdict(list)
    rows = connection.execute(
        select(ranked.c.chain, ranked.c.sequence)
        .where(ranked.c.place <= _LOOKED_AT)
        .order_by(ranked.c.chain, ranked.c.sequence)
    )
    for chain, sequence in rows:
        found[chain].append(sequence)
    return found


def _waits(row: Any) -> bool:
    return bool(row.top > row.acked and not row.broken)


def _numbers(ranges: Iterable[Gone]) -> int:
    """How many numbers are in the union of `ranges`."""
    count, reached = 0, 0
    for each in sorted(ranges, key=lambda gone: gone.first):
        count += max(each.last - max(each.first - 1, reached), 0)
        reached = max(reached, each.last)
    return count


def _view(
    row: Any,
    ranges: Sequence[Gone],
    gone: Mapping[Reason, int],
    open_gaps: Sequence[tuple[int, int]],
    conflicts: int,
) -> ChainView:
    accepted = any(each.reason is Reason.ACCEPTED for each in ranges)
    return ChainView(
        epoch=row.epoch,
        acknowledged=row.acked,
        verified=not (row.broken or accepted or gone[Reason.MISSING] or conflicts),
        broken=row.acked + 1 if row.broken else None,
        stored=row.stored,
        gaps=tuple(open_gaps),
        dropped=gone[Reason.DROPPED],
        missing=gone[Reason.MISSING],
        accepted=gone[Reason.ACCEPTED],
        conflicts=conflicts,
    )
