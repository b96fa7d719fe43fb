"""A bad network between a device and its broker: `python -m tests.faults.link --seconds 20`.

The real outbox and publisher, a real broker and a subscriber that acknowledges, with `proxy.py`
between publisher and broker. Alerts are committed all the time, five a second. Five cuts: in turn
the connection is reset and no new one is taken, or nothing arrives any more and nothing closes.
Then 600 ms round trip with 2% loss, then a connection whose other end has gone without a word. Each
time: how long from the link's return to the arrival of an alert that was committed after it. At
last such a connection again, with nothing to be sent: how long until the device has made another.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.broker import Broker, wait_for
from tests.faults.device import Device
from tests.faults.proxy import Proxy, Way, Weather
from tests.small_centre import SmallCentre

BACK_SECONDS = 30.0
ROUND_TRIP, LOSS = 0.6, 0.02


@dataclass(slots=True)
class Outcome:
    """What was found.

    Attributes:
        back: what was done to the link, and after how many seconds alerts flowed again.
        committed: how many alerts there were.
        lost: how many of them did not arrive.
        again: how many came more than once; who stores them tells by the id.
        disordered: how many came for the first time after a later one.
        connections: how many the device made.
    """

    back: list[tuple[str, float]] = field(default_factory=list)
    committed: int = 0
    lost: int = 0
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
        SmallCentre(broker) as centre,
        Proxy(broker.host, broker.port) as proxy,
        Device(Path(folder), proxy.port, **device_options) as device,
    ):
        _flows(centre, device)
        for number in range(cuts):
            way = (Way.CUT, Way.DARK)[number % 2]
            proxy.set_way(way)
            time.sleep(seconds)
            proxy.set_way(Way.OPEN)
            outcome.back.append((f"{way} for {seconds:g} s", _flows(centre, device)))
        proxy.set_weather(Weather(ROUND_TRIP / 2, LOSS))
        time.sleep(seconds)
        outcome.back.append((f"{ROUND_TRIP * 1000:g} ms, {LOSS:.0%}", _flows(centre, device)))
        proxy.set_weather(Weather())
        proxy.forget_connections()
        outcome.back.append(("half-open", _flows(centre, device)))
        device.quiet()
        outcome.committed = device.committed
        wait_for(lambda: len(set(_numbers(centre))) == device.committed, "all arrive", BACK_SECONDS)
        outcome.back.append(("half-open and idle", _notices(proxy)))
        outcome.connections = proxy.connections
        _count(_numbers(centre), outcome)
    return outcome


def _notices(proxy: Proxy) -> float:
    """Wait until the device has found its connection dead and made another: the seconds."""
    began, before = time.monotonic(), proxy.connections
    proxy.forget_connections()
    wait_for(lambda: proxy.connections > before, "it connects anew", 120.0)
    return time.monotonic() - began


def _numbers(centre: SmallCentre) -> list[int]:
    return [int(each["sequence"]) for each in tuple(centre.received)]


def _flows(centre: SmallCentre, device: Device) -> float:
    """Wait until an alert has arrived that is committed after now: the seconds that it took."""
    began = time.monotonic()
    before = device.committed
    wait_for(lambda: max(_numbers(centre), default=0) > before, "alerts flow", 120.0)
    return time.monotonic() - began


def _count(numbers: list[int], outcome: Outcome) -> None:
    first_time = list(dict.fromkeys(numbers))
    outcome.lost = outcome.committed - len(first_time)
    outcome.again = len(numbers) - len(first_time)
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
        f"{found.disordered} out of order, {found.again} sent again\n"
    )
    late = [seconds for _, seconds in found.back if seconds > BACK_SECONDS]
    return 1 if late or found.lost or found.disordered else 0


if __name__ == "__main__":
    sys.exit(main())
