"""A broker that all lose at once: `python -m tests.faults.stampede --clients 5000`.

The broker as it is shipped, TLS and client certificates and all, is killed and started again; in
that instant every client of a herd connects, and tries again within two seconds where that fails:
they do not wait as our devices do. Beside them are one real daemon, with two alerts a second, and
one real centre. How long until the centre holds new alerts of the daemon's, and is one lost?
"""

from __future__ import annotations

import argparse
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.bank import SHIPPED
from tests.broker import Broker, wait_for
from tests.certificates import Authority, Identity
from tests.daemon import DEVICE, Daemon, camera, mqtt
from tests.faults.herd import Herd
from tests.visits import make_album, make_small_model, tables_of_visits

BACK_SECONDS = 60.0
_PATIENCE = 200.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found.

    Attributes:
        clients: how many there were beside the daemon.
        back: seconds from the broker's return until the centre held an alert that was committed
            after it.
        herd_back: seconds until all clients were back.
        attempts: how many connections they made for that.
        committed: how many alerts there were in all.
        lost: how many of them the centre never held.
    """

    clients: int
    back: float
    herd_back: float
    attempts: int
    committed: int
    lost: int


def stampede(clients: int, data: Path, away: float = 3.0) -> Outcome:
    """Kill the broker under `clients` and one daemon, and start it again after `away` seconds."""
    with tempfile.TemporaryDirectory(prefix="edge-stampede-") as name:
        folder = Path(name)
        authority = Authority(folder / "tls")
        server, own = authority.server(), authority.client(DEVICE)
        herd = [authority.client(f"herd-{number}") for number in range(clients)]
        with (
            _broker(authority, server) as broker,
            _Centre(folder, _mqtt(broker, authority, authority.client("centre"))) as centre,
            Daemon(folder, [*_visits(folder, data), _mqtt(broker, authority, own)]) as daemon,
            Herd(broker.port, authority.certificate, herd) as crowd,
        ):
            daemon.wait_for_log("MQTT online")
            crowd.go()
            _all_are_there(crowd, clients)
            _flows(centre, daemon)
            crowd.hold()
            broker.kill()
            wait_for(lambda: crowd.there == 0, "all have lost the broker")
            time.sleep(away)
            before = crowd.attempts
            broker.start()
            began = time.monotonic()
            crowd.go()
            _flows(centre, daemon)
            back = time.monotonic() - began
            herd_back = _all_are_there(crowd, clients) - began
            daemon.stop()
            committed = daemon.log.count(f" alert {DEVICE}/")
            attempts = crowd.attempts - before
            # What the goodbye could not wait for, the next start brings.
            daemon.configure([*_quiet(folder, data), _mqtt(broker, authority, own)])
            daemon.start_ready()
            with suppress(AssertionError):
                wait_for(lambda: centre.held(committed) == committed, "all are held", BACK_SECONDS)
            return Outcome(
                clients, back, herd_back, attempts, committed, committed - centre.held(committed)
            )


class _Centre:
    """`edge-centre run` with an SQLite database, as a context manager."""

    def __init__(self, folder: Path, mqtt_table: str) -> None:
        self._config = folder / "centre.toml"
        self._database = folder / "centre.sqlite"
        self._config.write_text(f'database = "sqlite:///{self._database}"\n{mqtt_table}')
        self._log = folder / "centre.log"

    def newest(self) -> int:
        """The highest number that it holds."""
        return self._number("SELECT coalesce(max(sequence), 0) FROM alerts")

    def held(self, last: int) -> int:
        """How many alerts it holds of those from 1 to `last`; none is held twice."""
        return self._number(f"SELECT count(*) FROM alerts WHERE sequence <= {last}")

    def _number(self, question: str) -> int:
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as connection:
            (number,) = connection.execute(question).fetchone()
        return int(number)

    def __enter__(self) -> _Centre:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edge_runtime.centre.cli", "run", "-c", self._config],
                stderr=log,
            )
        wait_for(lambda: "listening at the broker" in self._log.read_text(), "the centre listens")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)


def _broker(authority: Authority, server: Identity) -> Broker:
    files = {
        "certs/ca.pem": authority.certificate,
        "certs/server.pem": server.certificate,
        "certs/server.key": server.key,
        "certs/crl.pem": authority.revocations,
        "edge.acl": SHIPPED / "edge.acl",
    }
    return Broker(configuration=SHIPPED / "mosquitto.conf", files=files)


def _mqtt(broker: Broker, authority: Authority, identity: Identity) -> str:
    files = {
        "ca": authority.certificate,
        "certificate": identity.certificate,
        "key": identity.key,
    }
    return mqtt(broker, "[mqtt.tls]", *(f'{key} = "{path}"' for key, path in files.items()))


def _visits(folder: Path, data: Path) -> list[str]:
    (folder / "album").mkdir()
    return tables_of_visits(make_album(data, folder / "album"), make_small_model(data, folder))


def _quiet(folder: Path, data: Path) -> list[str]:
    return [make_small_model(data, folder), camera("yard", "synthetic:")]


def _all_are_there(crowd: Herd, clients: int) -> float:
    """Wait for it: since when they are, in monotonic seconds."""
    wait_for(lambda: crowd.complete, f"all {clients} are there", _PATIENCE)
    assert crowd.complete
    return crowd.complete


def _flows(centre: _Centre, daemon: Daemon) -> None:
    """Wait until the centre holds an alert that is committed after now."""
    before = int(daemon.ask_quickly()["outbox"]["committed"])
    wait_for(lambda: centre.newest() > before, "alerts flow", _PATIENCE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=5000)
    parser.add_argument("--data", type=Path, default=os.environ.get("EDGE_TEST_DATA"))
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("--data, or the variable EDGE_TEST_DATA, has to name the test data")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    found = stampede(arguments.clients, arguments.data)
    sys.stdout.write(
        f"{found.clients} clients: the daemon's alerts flow again {found.back:.1f} s after the "
        f"broker's return, all clients are back after {found.herd_back:.1f} s and "
        f"{found.attempts} connections; {found.committed} alerts, {found.lost} lost\n"
    )
    return 1 if found.back > BACK_SECONDS or found.lost else 0


if __name__ == "__main__":
    sys.exit(main())
