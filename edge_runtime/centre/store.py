"""What the centre holds: each alert once, in one transaction with how far its chain is held.

Several processes may use one database. The chains that a transaction touches are locked in it (in
SQLite the whole database is), so what is acknowledged is always what is committed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import Engine, select, update

from edge_runtime.alerts.chain import ChainName
from edge_runtime.centre import tables
from edge_runtime.centre.chains import add_gone, advance, lacking, lock, obstacle
from edge_runtime.centre.database import open_database, writing
from edge_runtime.centre.incoming import Batch, Device
from edge_runtime.centre.receiving import Recorded, record
from edge_runtime.errors import EdgeRuntimeError


class UnknownDeviceError(EdgeRuntimeError):
    """A device of which nothing is stored."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A range that a device is to send again, and the id of the command."""

    chain: ChainName
    id: str
    first: int
    last: int


class Store:
    """The database, for one thread."""

    def __init__(self, url: str) -> None:
        """Open it, and make its tables where there are none.

        Raises:
            StoreError: it cannot be used.
        """
        self.engine: Engine = open_database(url)

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
        with writing(self.engine) as connection:
            return record(connection, batch, now)

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
                first, last = lacking(connection, row.id, row.acked)
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
            for chain in lock(connection, keys).values():
                while (found := obstacle(connection, chain)) is not None:
                    accepted.append((chain.key, found.first, found.last))
                    add_gone(connection, chain, found, now)
                    advance(connection, [chain], now)
        return accepted


def _command_id(key: ChainName, first: int, now: float) -> str:
    text = f"{key}/{first}/{now!r}"
    return f"resend-{hashlib.sha256(text.encode()).hexdigest()[:32]}"
