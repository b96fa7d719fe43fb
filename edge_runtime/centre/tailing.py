"""The alerts as they come, out of the database: those of one device in their order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, select

from edge_runtime.alerts.chain import ChainName
from edge_runtime.centre import tables
from edge_runtime.centre.database import reading

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Line:
    """An alert, as `tail` prints it.

    Attributes:
        chain: whose.
        sequence: its number.
        received: when it was stored, Unix seconds.
        time: when it happened, RFC 3339.
        camera, rule, severity, state: as in the alert.
        payload: the alert, byte for byte.
        late: whether a later one of the chain came before it, and was told before it.
    """

    chain: ChainName
    sequence: int
    received: float
    time: str
    camera: str
    rule: str
    severity: str
    state: str
    payload: bytes
    late: bool

    def text(self) -> str:
        """It on one line."""
        late = " (late)" if self.late else ""
        return (
            f"{self.time} {self.severity:8} {self.chain.site}/{self.chain.device}/{self.camera} "
            f"{self.rule} {self.state} #{self.sequence}{late}"
        )


@dataclass(slots=True)
class _Told:
    """How far a chain was told.

    Attributes:
        stored: how many alerts were stored then.
        sequence: up to where.
        holes: the ranges before it that were not there.
        waits: since when, monotonic, alerts behind a gap wait for it.
    """

    stored: int
    sequence: int
    holes: list[tuple[int, int]]
    waits: float | None = None


class Tail:
    """Follows a database; one process may follow what another one writes."""

    def __init__(
        self,
        engine: Engine,
        *,
        site: str | None = None,
        since: float | None = None,
        patience: float = 5.0,
    ) -> None:
        """Prepare.

        Args:
            engine: the database.
            site: only the devices of this one.
            since: with what was received from then on, Unix seconds; None: with what comes.
            patience: seconds that alerts wait for one before them that is not there yet.
        """
        self._engine = engine
        self._site = site
        self._since = since
        self._patience = patience
        self._chains: dict[int, _Told] = {}
        self._begun = False

    def poll(self) -> Iterator[Line]:
        """What came since the last time.

        Raises:
            StoreError: the database cannot be read.
        """
        columns = tables.chains.c
        query = select(tables.chains).order_by(columns.site, columns.device, columns.epoch)
        if self._site is not None:
            query = query.where(columns.site == self._site)
        with reading(self._engine) as connection:
            for row in connection.execute(query).all():
                told = self._chains.get(row.id)
                if told is None:
                    told = self._chains[row.id] = self._start(connection, row)
                if told.stored != row.stored or told.waits is not None:
                    key = ChainName(row.site, row.device, row.epoch)
                    yield from self._news(connection, row, key, told)
        self._begun = True

    def _start(self, connection: Connection, row: Any) -> _Told:
        """Where a chain is begun with: at its beginning, or at what is there or recent already."""
        alerts = tables.alerts.c
        if self._begun:
            return _Told(0, 0, [])
        if self._since is None:
            return _Told(row.stored, row.top, [])
        first = connection.scalar(
            select(alerts.sequence)
            .where(alerts.chain == row.id, alerts.received >= self._since)
            .order_by(alerts.sequence)
            .limit(1)
        )
        return _Told(0, row.top if first is None else first - 1, [])

    def _news(
        self, connection: Connection, row: Any, key: ChainName, told: _Told
    ) -> Iterator[Line]:
        told.stored = row.stored
        holes, told.holes = told.holes, []
        for first, last in holes:
            reached = first
            for each in self._between(connection, row.id, first, last):
                told.holes += _hole(reached, each.sequence - 1)
                reached = each.sequence + 1
                yield _line(key, each, late=True)
            told.holes += _hole(reached, last)
        now = time.monotonic()
        for each in self._between(connection, row.id, told.sequence + 1, row.top):
            if each.sequence > max(told.sequence, row.acked) + 1:
                told.waits = now if told.waits is None else told.waits
                if now - told.waits < self._patience:
                    return
            told.holes += _hole(told.sequence + 1, each.sequence - 1)
            told.sequence = each.sequence
            yield _line(key, each, late=False)
        told.waits = None

    def _between(self, connection: Connection, chain: int, first: int, last: int) -> Iterator[Any]:
        alerts = tables.alerts.c
        while first <= last:
            rows = connection.execute(
                select(tables.alerts)
                .where(alerts.chain == chain, alerts.sequence.between(first, last))
                .order_by(alerts.sequence)
                .limit(_AT_ONCE)
            ).all()
            yield from rows
            if len(rows) < _AT_ONCE:
                return
            first = rows[-1].sequence + 1


def _hole(first: int, last: int) -> list[tuple[int, int]]:
    return [(first, last)] if first <= last else []


def _line(key: ChainName, row: Any, *, late: bool) -> Line:
    return Line(
        key,
        row.sequence,
        row.received,
        row.time,
        row.camera,
        row.rule,
        row.severity,
        row.state,
        row.payload,
        late,
    )
