"""Alerts come while no broker is there: `python -m tests.faults.unreachable --alerts 10000`.

A process with the real outbox, of 2 MB at most, and the real publisher commits alerts of all
severities, a tenth of them urgent, and finds no broker. Then a broker starts, and a subscriber that
acknowledges. What has to be: each alert of high and critical severity arrives, each that does not
arrive is named as dropped, the outbox keeps within its bound, memory stays flat, and the backlog is
gone at 500 alerts a second or faster.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_runtime.alerts.alert import Alert, Severity
from edge_runtime.alerts.limits import Limits
from edge_runtime.alerts.outbox import Outbox, OutboxError
from edge_runtime.backoff import Backoff
from edge_runtime.messaging.publisher import Publisher
from edge_runtime.messaging.settings import MqttSettings
from edge_runtime.messaging.topics import Topics
from edge_runtime.service.board import resident_megabytes
from tests.broker import Broker, wait_for
from tests.faults.committing import ORIGIN, WITNESS, Witness, an_alert
from tests.small_centre import SmallCentre

BOUND = 2_000_000
LEAST_PER_SECOND = 500.0
MOST_GROWTH_MB = 8.0
OUTBOX = "outbox.sqlite"
_MIX = {
    Severity.INFO: 20,
    Severity.LOW: 35,
    Severity.MEDIUM: 35,
    Severity.HIGH: 7,
    Severity.CRITICAL: 3,
}
_URGENT = (Severity.HIGH, Severity.CRITICAL)
_AS_SHIPPED = ("autosave_interval 1000", "max_queued_messages 100000")
"""As in deploy/mosquitto. A broker that saves after each message takes 250 a second; one with its
default queue of 1,000 loses what comes faster than the subscriber reads."""
_QUICK = Backoff(0.2, 0.5)
_A_LINE = 200
"""Bytes, at most, of what the device tells at once."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found.

    Attributes:
        committed: alerts that were numbered.
        urgent: how many of them were of high or critical severity.
        arrived: how many different ones the subscriber got.
        lost: urgent ones that it did not get.
        unnamed: others that it did not get and that no message names as dropped.
        disordered: alerts that came for the first time after a later one.
        waited: alerts in the outbox when the broker came.
        largest: bytes of the outbox's files together, at their largest.
        grown: megabytes by which the process grew after a tenth of the commits.
        per_second: alerts that waited over the seconds from the first arrival to an empty outbox.
    """

    committed: int
    urgent: int
    arrived: int
    lost: int
    unnamed: int
    disordered: int
    waited: int = 0
    largest: int = 0
    grown: float = 0.0
    per_second: float = 0.0


def endure(alerts: int, bound: int = BOUND) -> Outcome:
    """Let so many alerts come while there is no broker, and then bring what fits into `bound`."""
    broker = Broker(extra=_AS_SHIPPED)
    with tempfile.TemporaryDirectory(prefix="edge-unreachable-") as name:
        folder = Path(name)
        where = ["--device", name, "--port", str(broker.port)]
        what = ["--alerts", str(alerts), "--bound", str(bound)]
        device = subprocess.Popen([sys.executable, "-m", "tests.faults.unreachable", *where, *what])
        try:
            with Scales(folder) as scales:
                wait_for(lambda: _done(folder, device), "all alerts are committed", 600.0)
                waited = _depth(folder)
                with broker, SmallCentre(broker) as centre:
                    wait_for(lambda: _empty(folder), "the outbox is empty", 300.0)
                    seconds = time.monotonic() - (centre.first_at or 0.0)
                    device.send_signal(signal.SIGTERM)
                    assert device.wait(20) == 0
                    arrived, dropped = centre.first_arrivals(), set(centre.dropped)
        finally:
            device.kill()
            device.wait()
        told = _told(folder)
    megabytes = [each["megabytes"] for each in told if "megabytes" in each]
    return replace(
        _compared(told, arrived, dropped),
        waited=waited,
        largest=scales.largest,
        grown=max(megabytes) - megabytes[0],
        per_second=waited / seconds,
    )


def _compared(told: list[dict[str, Any]], arrived: list[int], dropped: set[int]) -> Outcome:
    """What the device numbered, and what came of it."""
    severities = {each["numbered"]: each["severity"] for each in told if "numbered" in each}
    urgent = {number for number, severity in severities.items() if severity in _URGENT}
    missing = severities.keys() - set(arrived)
    highest = disordered = 0
    for number in arrived:
        disordered += number < highest
        highest = max(highest, number)
    return Outcome(
        committed=len(severities),
        urgent=len(urgent),
        arrived=len(arrived),
        lost=len(missing & urgent),
        unnamed=len(missing - dropped),
        disordered=disordered,
    )


class Scales:
    """Weighs the outbox's files again and again, from entering to leaving.

    Attributes:
        largest: bytes, at their largest.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._weigh)
        self.largest = 0

    def __enter__(self) -> Scales:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _weigh(self) -> None:
        files = [self._folder / f"{OUTBOX}{end}" for end in ("", "-wal", "-shm")]
        while not self._ending.wait(0.02):
            weight = sum(path.stat().st_size for path in files if path.exists())
            self.largest = max(self.largest, weight)


def _told(folder: Path) -> list[dict[str, Any]]:
    witness = folder / WITNESS
    lines = witness.read_text().splitlines() if witness.exists() else []
    return [json.loads(line) for line in lines]


def _done(folder: Path, device: subprocess.Popen[bytes]) -> bool:
    assert device.poll() is None, "the device ended"
    return (folder / "done").exists()


def _depth(folder: Path) -> int:
    with closing(sqlite3.connect(f"file:{folder / OUTBOX}?mode=ro", uri=True)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM alerts").fetchone()
    return int(count)


def _empty(folder: Path) -> bool:
    """Whether the device says so: who reads the file while it works makes its log grow."""
    with (folder / WITNESS).open("rb") as witness:
        witness.seek(-_A_LINE, os.SEEK_END)
        *_, line, _ = witness.read().split(b"\n")
    return json.loads(line).get("waiting") == 0


def _be_device(folder: Path, port: int, alerts: int, bound: int) -> None:
    """In a process of its own: commit, publish, and end with SIGTERM."""
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    witness = Witness(folder / WITNESS)
    with Outbox(folder / OUTBOX, ORIGIN, Limits(max_bytes=bound)) as outbox:
        settings = MqttSettings("127.0.0.1", "atm-1", port=port)
        topics = Topics(ORIGIN.site, ORIGIN.device)
        publisher = Publisher(settings, outbox, topics, reconnect=_QUICK, retry=_QUICK)
        publisher.start()
        dice = random.Random(1)
        for number in range(alerts):
            _commit(outbox, _one(dice), witness)
            if number % (alerts // 10) == alerts // 10 - 1:
                witness.tell(megabytes=resident_megabytes())
        (folder / "done").touch()
        while not ending.wait(0.02):
            witness.tell(megabytes=resident_megabytes(), waiting=outbox.depth())
        publisher.stop(5.0)


def _one(dice: random.Random) -> Alert:
    (severity,) = dice.choices(list(_MIX), list(_MIX.values()))
    return replace(an_alert(dice), severity=severity, boxes=((0.1, 0.2, 0.3, 0.4),))


def _commit(outbox: Outbox, alert: Alert, witness: Witness) -> None:
    # Where there is no room it has its number all the same, and is told as dropped.
    with suppress(OutboxError):
        outbox.commit(alert, model=None, clock_synchronised=True)
    witness.tell(numbered=outbox.committed, severity=alert.severity)


def main() -> int:
    """Run it, and say what was found: 1 if something is not as it has to be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=10_000)
    parser.add_argument("--bound", type=int, default=BOUND, help="of the outbox, in bytes")
    parser.add_argument("--device", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.device:
        _be_device(arguments.device, arguments.port, arguments.alerts, arguments.bound)
        return 0
    found = endure(arguments.alerts, arguments.bound)
    sys.stdout.write(
        f"{found.committed} alerts without a broker, {found.urgent} of them high or critical: "
        f"{found.waited} waited, {found.arrived} arrived, {found.lost} urgent ones lost, "
        f"{found.unnamed} gone without a word, {found.disordered} out of order\n"
        f"outbox at most {found.largest / 1e6:.2f} MB; memory grew by {found.grown:.1f} MB; "
        f"drained at {found.per_second:.0f} alerts a second\n"
    )
    bad = found.lost or found.unnamed or found.disordered or found.largest > arguments.bound
    return 1 if bad or found.grown > MOST_GROWTH_MB or found.per_second < LEAST_PER_SECOND else 0


if __name__ == "__main__":
    sys.exit(main())
