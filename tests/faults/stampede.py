"""A broker that all lose at once: `python -m tests.faults.stampede --clients 5000`.

The broker as it is shipped, TLS and client certificates and all, is killed and started again; in
that instant every client of a herd connects, and tries again within two seconds where that fails:
they do not wait as our devices do. Beside them, one real daemon with alerts all the time. How long
until its alerts flow again, and whether one is lost?
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bank import SHIPPED
from tests.broker import Broker, Subscriber, wait_for
from tests.certificates import Authority, Identity
from tests.daemon import DEVICE, Daemon, mqtt
from tests.faults.herd import Herd
from tests.visits import make_album, make_small_model, tables_of_visits

BACK_SECONDS = 60.0
_PATIENCE = 600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found.

    Attributes:
        clients: how many there were beside the daemon.
        back: seconds from the broker's return until an alert had arrived that was committed after
            it.
        herd_back: seconds until all clients were back.
        attempts: how many connections they made for that.
        committed: how many alerts there were in all.
        lost: how many of them never arrived.
        disordered: how many came for the first time after a later one.
    """

    clients: int
    back: float
    herd_back: float
    attempts: int
    committed: int
    lost: int
    disordered: int


def stampede(clients: int, data: Path, away: float = 3.0) -> Outcome:
    """Kill the broker under `clients` and one daemon, and start it again after `away` seconds."""
    with tempfile.TemporaryDirectory(prefix="edge-stampede-") as name:
        folder = Path(name)
        authority = Authority(folder / "tls")
        server, centre = authority.server(), authority.client("centre")
        own = authority.client(DEVICE)
        herd = [authority.client(f"herd-{number}") for number in range(clients)]
        with (
            _broker(authority, server) as broker,
            Subscriber(broker, "edge/v1/+/+/alert/#", _options(authority, centre)) as ears,
            Daemon(folder, _tables(folder, data, broker, authority, own)) as daemon,
            Herd(broker.port, authority.certificate, herd) as crowd,
        ):
            crowd.go()
            _all_are_there(crowd, clients)
            _flows(ears, daemon)
            crowd.hold()
            broker.kill()
            wait_for(lambda: crowd.there == 0, "all have lost the broker")
            time.sleep(away)
            before = crowd.attempts
            broker.start()
            began = time.monotonic()
            crowd.go()
            _flows(ears, daemon)
            back = time.monotonic() - began
            _all_are_there(crowd, clients)
            herd_back = time.monotonic() - began
            attempts = crowd.attempts - before
            daemon.stop()
            committed = daemon.log.count(f" alert {DEVICE}/")
            wait_for(lambda: len(set(_numbers(ears))) >= committed, "all arrive", BACK_SECONDS)
            arrived = list(dict.fromkeys(_numbers(ears)))
    return Outcome(
        clients,
        back,
        herd_back,
        attempts,
        committed,
        committed - len(arrived),
        sum(number < before for before, number in zip(arrived, arrived[1:], strict=False)),
    )


def _broker(authority: Authority, server: Identity) -> Broker:
    files = {
        "certs/ca.pem": authority.certificate,
        "certs/server.pem": server.certificate,
        "certs/server.key": server.key,
        "certs/crl.pem": authority.revocations,
        "edge.acl": SHIPPED / "edge.acl",
    }
    return Broker(configuration=SHIPPED / "mosquitto.conf", files=files)


def _options(authority: Authority, identity: Identity) -> list[str]:
    files = (
        "--cafile",
        authority.certificate,
        "--cert",
        identity.certificate,
        "--key",
        identity.key,
    )
    return list(map(str, files))


def _tables(
    folder: Path, data: Path, broker: Broker, authority: Authority, own: Identity
) -> list[str]:
    (folder / "album").mkdir()
    album = make_album(data, folder / "album")
    files = {"ca": authority.certificate, "certificate": own.certificate, "key": own.key}
    tls = ["[mqtt.tls]", *(f'{key} = "{path}"' for key, path in files.items())]
    return [*tables_of_visits(album, make_small_model(data, folder)), mqtt(broker, *tls)]


def _all_are_there(crowd: Herd, clients: int) -> None:
    wait_for(lambda: crowd.there == clients, f"all {clients} are there", _PATIENCE)


def _numbers(ears: Subscriber) -> list[int]:
    return [int(each["sequence"]) for each in ears.payloads() if each]


def _flows(ears: Subscriber, daemon: Daemon) -> None:
    """Wait until an alert has arrived that is committed after now."""
    wait_for(lambda: daemon.state.joinpath("control.sock").exists(), "the daemon runs")
    before = int(daemon.ask_quickly()["outbox"]["committed"])
    wait_for(lambda: max(_numbers(ears), default=0) > before, "alerts flow", _PATIENCE)


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
        f"{found.attempts} connections; {found.committed} alerts, {found.lost} lost, "
        f"{found.disordered} out of order\n"
    )
    return 1 if found.back > BACK_SECONDS or found.lost or found.disordered else 0


if __name__ == "__main__":
    sys.exit(main())
