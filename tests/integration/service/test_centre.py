"""The real daemon and the real centre, over a real broker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import select

from edge_runtime.centre import tables
from edge_runtime.centre.database import open_database, reading
from tests.broker import Broker, wait_for
from tests.centre import database_in, running_centre
from tests.daemon import Daemon, mqtt
from tests.small_centre import SmallCentre
from tests.visits import Visits


def acknowledged(daemon: Daemon) -> dict[str, Any]:
    """What the daemon says of the centre."""
    told: dict[str, Any] = daemon.ask_quickly()["mqtt"]["acknowledged"]
    return told


def held(url: str) -> list[int]:
    """The numbers of the alerts in the centre's database, in their order."""
    engine = open_database(url)
    with reading(engine) as connection:
        query = select(tables.alerts.c.sequence).order_by(tables.alerts.c.sequence)
        rows = connection.scalars(query).all()
    engine.dispose()
    return [int(each) for each in rows]


def test_a_centre_that_comes_late_asks_for_what_it_missed_and_only_then_it_is_forgotten(
    visits: Visits, tmp_path: Path
) -> None:
    url = database_in(tmp_path)
    with (
        Broker() as broker,
        SmallCentre(broker, acknowledges=False) as other,
        # What it misses comes because it is asked for, and not because time is over.
        Daemon(tmp_path, [*visits(), mqtt(broker, "resend_after = 600.0")]) as daemon,
    ):
        wait_for(lambda: len(other.received) >= 4, "alerts come, and go to somebody else", 40)
        assert acknowledged(daemon)["upto"] == 0
        with running_centre(broker, url):
            wait_for(lambda: acknowledged(daemon)["upto"] >= 6, "all is acknowledged", 40)
            told = daemon.ask_quickly()
            daemon.stop()
    numbers = held(url)
    assert numbers == [*range(1, len(numbers) + 1)]
    assert len(numbers) >= told["mqtt"]["acknowledged"]["upto"]
    assert told["mqtt"]["resent"] >= 4
    assert told["mqtt"]["reconnects"] == 0
    assert told["outbox"]["depth"] <= told["outbox"]["committed"] - 6
