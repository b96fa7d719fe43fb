"""A bad network between a device and its broker: `python -m tests.faults.link --seconds 20`.

The real outbox and publisher, a real broker and the real centre with its database, with `proxy.py`
between publisher and broker. Alerts are committed all the time, five a second. Five cuts: in turn
the connection is reset and no new one is taken, or nothing arrives any more and nothing closes.
Then 600 ms round trip with 2% loss, then a connection whose other end has gone without a word. Each
time: how long from the link's return until the centre holds an alert that was committed after it.
At last such a connection again, with nothing to be sent: how long until the device has another.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_runtime.centre.centre import Pace
from tests.broker import Broker, Subscriber, wait_for
from tests.centre import database_in, running_centre
from tests.faults.device import Device
from tests.faults.proxy import Proxy, Way, Weather

BACK_SECONDS = 30.0
ROUND_TRIP, LOSS = 0.6, 0.02


@dataclass(slots=True)
class Outcome:
    """What was found.

    Attributes:
        back: what was done to the link, and after how many seconds alerts flowed again.
        committed: how many alerts there were.
        lost: how many of them are not in the centre's store.
        doubled: how many are there more than once.
        again: how many came to the centre's broker more than once.
        disordered: how many came for the first time after a later one.
        connections: how many the device made.
    """

    back: list[tuple[str, float]] = field(default_factory=list)
    committed: int = 0
    lost: int = 0
    doubled: int = 0
    again: int = 0
    disordered: int = 0
    connections: int = 0


def disturb(cuts: int, seconds: float, **device_options: Any) -> Outcome:
    """Cut the link so many times for so long, then delay it as long, then leave it half-open.

    At last it is left half-open while nothing is sent.
    """
    outcome = Outcome()
    with (
        tempfile.TemporaryDirectory(prefix="edge-link-") as folder,
        Broker() as broker,
        Subscriber(broker, "edge/v1/+/+/alert/#") as ears,
        running_centre(broker, database_in(Path(folder)), pace=Pace()),
        Proxy(broker.host, broker.port) as proxy,
        Device(Path(folder), proxy.port, **device_options) as device,
    ):
        store = Path(folder, "centre.sqlite")
        _flows(store, device)
        for number in range(cuts):
            way = (Way.CUT, Way.DARK)[number % 2]
            proxy.set_way(way)
            time.sleep(seconds)
            proxy.set_way(Way.OPEN)
            outcome.back.append((f"{way} for {seconds:g} s", _flows(store, device)))
        proxy.set_weather(Weather(ROUND_TRIP / 2, LOSS))
        time.sleep(seconds)
        outcome.back.append((f"{ROUND_TRIP * 1000:g} ms, {LOSS:.0%}", _flows(store, device)))
        proxy.set_weather(Weather())
        proxy.forget_connections()
        outcome.back.append(("half-open", _flows(store, device)))
        device.quiet()
        outcome.committed = device.committed
        wait_for(lambda: len(set(_stored(store))) == device.committed, "all arrive", BACK_SECONDS)
        outcome.back.append(("half-open and idle", _notices(proxy)))
        outcome.connections = proxy.connections
        _count(_stored(store), [int(each["sequence"]) for each in ears.payloads()], outcome)
    return outcome


def _notices(proxy: Proxy) -> float:
    """Wait until the device has found its connection dead and made another: the seconds."""
    began, before = time.monotonic(), proxy.connections
    proxy.forget_connections()
    wait_for(lambda: proxy.connections > before, "it connects anew", 120.0)
    return time.monotonic() - began


def _stored(store: Path) -> list[int]:
    """The numbers of the alerts that the centre's database holds."""
    with closing(sqlite3.connect(store, timeout=5.0)) as connection:
        return [number for (number,) in connection.execute("SELECT sequence FROM alerts")]


def _flows(store: Path, device: Device) -> float:
    """Wait until an alert is held that is committed after now: the seconds that it took."""
    began = time.monotonic()
    before = device.committed
    wait_for(lambda: max(_stored(store), default=0) > before, "alerts flow", 120.0)
    return time.monotonic() - began


def _count(stored: list[int], came: list[int], outcome: Outcome) -> None:
    outcome.lost = outcome.committed - len(set(stored))
    outcome.doubled = len(stored) - len(set(stored))
    first_time = list(dict.fromkeys(came))
    outcome.again = len(came) - len(first_time)
    outcome.disordered = sum(
        number < max(first_time[:index]) for index, number in enumerate(first_time) if index
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    found = disturb(arguments.cuts, arguments.seconds)
    for what, seconds in found.back:
        sys.stdout.write(f"{what}: back after {seconds:.1f} s\n")
    sys.stdout.write(
        f"{found.committed} alerts over {found.connections} connections: {found.lost} lost, "
        f"{found.doubled} doubled in the store, {found.disordered} out of order, "
        f"{found.again} sent again\n"
    )
    late = [seconds for _, seconds in found.back if seconds > BACK_SECONDS]
    return 1 if late or found.lost or found.doubled or found.disordered else 0


if __name__ == "__main__":
    sys.exit(main())
