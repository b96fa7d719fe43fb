"""How many alerts a second a centre takes: `python -m tests.faults.intake --alerts 20000`.

A real Mosquitto, set up as in deploy/mosquitto but for TLS, has queued the alerts of a hundred
devices for a real `edge-centre run` that was killed. It is started again; measured is from its
first stored alert to the last.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_runtime.centre.database import open_database
from edge_runtime.centre.view import look
from tests.broker import Broker, wait_for
from tests.centre import Chain, EmulatedDevice
from tests.faults.kills import SHIPPED_LIMITS, Process

_DEVICES = 100


@contextmanager
def _centre(folder: Path, broker: Broker) -> Iterator[Process]:
    config = folder / "centre.toml"
    config.write_text(
        'database = "sqlite:///centre.sqlite"\n'
        f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\n'
    )
    command = [sys.executable, "-m", "edge_runtime.centre.cli", "run", "-c", str(config)]
    centre = Process(folder / "centre.log", command)
    known = broker.log.count("Sending SUBACK to edge-centre")
    centre.start()
    try:
        wait_for(
            lambda: broker.log.count("Sending SUBACK to edge-centre") >= known + 2, "it listens"
        )
        yield centre
    finally:
        centre.kill()


def _stored(folder: Path) -> int:
    with sqlite3.connect(folder / "centre.sqlite", timeout=10.0) as connection:
        (count,) = connection.execute("SELECT count(*) FROM alerts").fetchone()
    return int(count)


def measure(folder: Path, alerts: int, extra: list[str]) -> float:
    """Alerts a second, of so many."""
    chains = [Chain(device=f"cam-{number}") for number in range(_DEVICES)]
    with Broker(extra=[*SHIPPED_LIMITS, *extra]) as broker:
        with _centre(folder, broker):
            pass  # From now on the broker queues.
        with EmulatedDevice(broker, chains[0]) as device:
            for _ in range(alerts // _DEVICES // 10):
                for chain in chains:
                    topic = chain.topics.alert("front", "presence")
                    made = [(topic, each.to_json().encode()) for each in chain.grow(10)]
                    device.publish_all(made)
        whole = sum(len(chain.alerts) for chain in chains)
        with _centre(folder, broker):
            wait_for(lambda: _stored(folder), "the first", 60.0)
            first, began = _stored(folder), time.monotonic()
            while _stored(folder) < whole:
                time.sleep(0.02)
                assert time.monotonic() < began + 300, f"{_stored(folder)} of {whole} came"
            seconds = time.monotonic() - began
        engine = open_database(f"sqlite:///{folder / 'centre.sqlite'}")
        chains_seen = [chain for view in look(engine, time.time()) for chain in view.chains]
        engine.dispose()
    assert all(each.verified and not each.gaps for each in chains_seen)
    return (whole - first) / seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=20_000)
    parser.add_argument("--broker", action="append", default=[], help="a line of mosquitto.conf")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edge-intake-") as name:
        rate = measure(Path(name), arguments.alerts, arguments.broker)
    sys.stdout.write(f"{arguments.alerts} alerts of {_DEVICES} devices: {rate:.0f} a second\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
