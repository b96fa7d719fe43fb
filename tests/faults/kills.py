"""kill -9 of device, broker and centre at random while alerts flow: `python -m tests.faults.kills`.

The processes are real ones: Mosquitto with persistence, `edge-centre run` with SQLite, and
`edge-runtime run` before a camera that sends MJPEG over HTTP. With `--committer` the device is
`tests/faults/committer.py`, the real outbox and publisher without cameras, which is quicker. At the
end every alert that the device has committed has to be in the centre's store exactly once, in its
order, as it was committed. Ctrl-C ends the killing early, and the rest is as at the end.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge_runtime.centre.database import open_database
from edge_runtime.centre.view import look
from edge_runtime.messaging.receipts import AcknowledgedBy
from tests.bank import SHIPPED
from tests.broker import Broker, wait_for
from tests.faults.committing import WITNESS
from tests.faults.whole_daemon import WholeDaemon, busy_street

SHIPPED_LIMITS = re.findall(
    r"(?m)^(?:max_|autosave_|set_tcp_nodelay).*$", (SHIPPED / "mosquitto.conf").read_text()
)
"""What the shipped mosquitto.conf says of how much and how often."""
_PROGRESS_SECONDS = 90.0
_DRAIN_SECONDS = 180.0
_LAST_LINES = 40
_STRIKES = (
    *(("device",), ("centre",), ("broker",), ("broker",)),
    *(("device", "broker"), ("broker", "centre"), ("device", "centre")),
    ("device", "broker", "centre"),
)
"""What is killed at once; the broker is more often, for it is the one that starts at once."""


class Killable(Protocol):
    """A process that is killed and started again."""

    def start(self) -> None:
        """Start it; it may not be ready yet."""

    def kill(self) -> None:
        """kill -9."""


class Process:
    """One command, started again and again with one log.

    Args:
        log: where its output goes.
        command: what is run.
    """

    def __init__(self, log: Path, command: Sequence[str]) -> None:
        self._log = log
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What it wrote, in all its lives."""
        return self._log.read_text(errors="replace")

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=output)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(10)
            self._process = None


class Device(Protocol):
    """A device that is killed, and that says what it committed."""

    outbox: Path

    @property
    def log(self) -> str: ...

    @property
    def alive(self) -> bool: ...

    def start(self) -> None: ...

    def kill(self) -> None: ...

    def committed(self) -> dict[int, str | None]:
        """The alerts that it told of after their commit, and their hashes where it told them."""

    def quiet(self) -> None:
        """From the next start on it commits no more, and sends what waits."""


MakeDevice = Callable[[Path, Broker], Device]
"""Makes the device in that folder, at that broker."""


class Committer(Process):
    """`tests/faults/committer.py`."""

    def __init__(
        self, folder: Path, broker: Broker, by: AcknowledgedBy = AcknowledgedBy.CENTRE
    ) -> None:
        self._folder = folder
        self.outbox = folder / "outbox.sqlite"
        self._base = [
            *(sys.executable, "-m", "tests.faults.committer", str(folder), str(broker.port)),
            *("--acknowledged-by", by),
        ]
        super().__init__(folder / "device.log", self._base)

    def committed(self) -> dict[int, str | None]:
        lines = (self._folder / WITNESS).read_text().splitlines()
        told = [json.loads(line) for line in lines]
        return {each["committed"]: each["hash"] for each in told}

    def quiet(self) -> None:
        self._command = [*self._base, "--every", "0"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        kills: how often each was killed.
        told: how many alerts the device told of.
        committed: how many it committed.
        stored: how many the centre holds.
        faults: what is wrong, a sentence each.
        seconds: how long it took.
    """

    kills: dict[str, int]
    told: int
    committed: int
    stored: int
    faults: tuple[str, ...]
    seconds: float


class World:
    """Device, broker and centre; a context manager.

    Args:
        folder: for all that they keep.
        device: makes the device.
    """

    def __init__(self, folder: Path, device: MakeDevice) -> None:
        self._stack = ExitStack()
        self.broker = self._stack.enter_context(Broker(extra=SHIPPED_LIMITS))
        self.database = folder / "centre.sqlite"
        config = folder / "centre.toml"
        config.write_text(
            'database = "sqlite:///centre.sqlite"\n'
            f'[mqtt]\nhost = "{self.broker.host}"\nport = {self.broker.port}\n'
        )
        command = [sys.executable, "-m", "edge_runtime.centre.cli", "run", "-c", str(config)]
        self.centre = Process(folder / "centre.log", command)
        self.device = device(folder, self.broker)

    def __enter__(self) -> World:
        self.centre.start()
        self.device.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.device.kill()
        self.centre.kill()
        self._stack.close()

    def stored(self) -> int:
        """How many alerts the centre holds."""
        with suppress(sqlite3.Error), sqlite3.connect(self.database, timeout=5.0) as connection:
            (count,) = connection.execute("SELECT count(*) FROM alerts").fetchone()
            return int(count)
        return 0

    def waiting(self) -> int:
        """How many alerts wait on the device."""
        with sqlite3.connect(f"file:{self.device.outbox}?mode=ro", uri=True) as connection:
            (count,) = connection.execute("SELECT count(*) FROM alerts").fetchone()
            return int(count)

    def flows(self) -> None:
        """Wait until alerts arrive."""
        before = self.stored()

        def arrived() -> bool:
            assert self.device.alive, "the device ended by itself"
            assert self.centre.alive, "the centre ended by itself"
            return self.stored() > before

        try:
            wait_for(arrived, "alerts arrive", _PROGRESS_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self._standing()}") from None

    def _standing(self) -> str:
        """Where the alerts are, and what each said last: which link it is that stands still."""
        logs = {"device": self.device.log, "broker": self.broker.log, "centre": self.centre.log}
        said = [
            f"--- {name}\n" + "\n".join(log.splitlines()[-_LAST_LINES:])
            for name, log in logs.items()
        ]
        waiting = self.waiting() if self.device.outbox.exists() else 0
        where = f"{waiting} wait on the device, {self.stored()} are stored"
        return "\n".join([where, *said])

    def end(self, dice: random.Random, kills: Counter[str], began: float) -> Outcome:
        """Let what waits arrive, and hold the store against what was committed."""
        self.device.kill()
        self.device.quiet()
        self.device.start()
        wait_for(lambda: self.waiting() == 0, "all is acknowledged", _DRAIN_SECONDS)
        self.device.kill()
        told = self.device.committed()
        with sqlite3.connect(self.device.outbox) as connection:
            (committed,) = connection.execute("SELECT seq FROM sqlite_sequence").fetchone()
        with sqlite3.connect(self.database) as connection:
            held = connection.execute(
                "SELECT sequence, hash FROM alerts ORDER BY chain, sequence"
            ).fetchall()
        return Outcome(
            kills=dict(kills),
            told=len(told),
            committed=int(committed),
            stored=len(held),
            faults=(*faults(told, int(committed), held), *self._chain_faults(int(committed))),
            seconds=time.monotonic() - began,
        )

    def _chain_faults(self, committed: int) -> list[str]:
        engine = open_database(f"sqlite:///{self.database}")
        chains = [chain for view in look(engine, time.time()) for chain in view.chains]
        engine.dispose()
        if [(each.acknowledged, each.verified) for each in chains] == [(committed, True)]:
            return []
        return [f"the chain is not one that is verified to {committed}: {chains}"]


def faults(told: dict[int, str | None], committed: int, held: list[tuple[int, str]]) -> list[str]:
    """What is wrong with what is held, number and hash, of what was committed."""
    found = []
    if [number for number, _ in held] != list(range(1, committed + 1)):
        found.append(f"the store does not hold 1 to {committed}, each once and in order")
    hashes = dict(held)
    wrong = [n for n, own in told.items() if n not in hashes or own not in (None, hashes[n])]
    if wrong:
        found.append(f"{len(wrong)} alerts are not as they were committed, {wrong[0]} is one")
    return found


def run(kills: int, seed: int, device: MakeDevice) -> Outcome:
    """Kill so often, and see what became of the alerts."""
    dice = random.Random(seed)
    began = time.monotonic()
    done: Counter[str] = Counter()
    with (
        tempfile.TemporaryDirectory(prefix="edge-kills-") as name,
        World(Path(name), device) as world,
    ):
        victims: dict[str, Killable] = {
            "device": world.device,
            "broker": world.broker,
            "centre": world.centre,
        }
        with suppress(KeyboardInterrupt):
            while done.total() < kills:
                # Mostly while alerts flow, at times while something starts.
                if dice.random() < 0.7:
                    world.flows()
                time.sleep(dice.uniform(0.0, 0.1))
                struck = dice.choice(_STRIKES)
                for each in struck:
                    victims[each].kill()
                    done[each] += 1
                for each in dice.sample(struck, len(struck)):
                    victims[each].start()
        return world.end(dice, done, began)


@contextmanager
def _whole_daemon(data: Path, by: AcknowledgedBy) -> Iterator[MakeDevice]:
    with (
        tempfile.TemporaryDirectory(prefix="edge-kills-street-") as folder,
        busy_street(data, Path(folder)) as street,
    ):
        yield functools.partial(WholeDaemon, street=street, by=by)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=os.environ.get("EDGE_TEST_DATA"))
    parser.add_argument(
        "--committer", action="store_true", help="kill an outbox and a publisher without cameras"
    )
    parser.add_argument(
        "--acknowledged-by",
        type=AcknowledgedBy,
        choices=list(AcknowledgedBy),
        default=AcknowledgedBy.CENTRE,
        help="broker: its word lets alerts go, which loses some, and shows that this can fail",
    )
    arguments = parser.parse_args()
    by = arguments.acknowledged_by
    if arguments.committer:
        outcome = run(arguments.kills, arguments.seed, functools.partial(Committer, by=by))
    elif arguments.data is None:
        parser.error("--data, or the variable EDGE_TEST_DATA, has to name the test data")
    else:
        with _whole_daemon(arguments.data, by) as device:
            outcome = run(arguments.kills, arguments.seed, device)
    return _tell(outcome)


def _tell(outcome: Outcome) -> int:
    killed = ", ".join(f"{name} {count}" for name, count in sorted(outcome.kills.items()))
    sys.stdout.write(
        f"{sum(outcome.kills.values())} kills ({killed}) in {outcome.seconds:.0f} s: "
        f"{outcome.committed} alerts committed, {outcome.told} told of, {outcome.stored} stored\n"
    )
    for fault in outcome.faults:
        sys.stdout.write(f"  ! {fault}\n")
    sys.stdout.write("FAILED\n" if outcome.faults else "each once, in order, as committed\n")
    return int(bool(outcome.faults))


if __name__ == "__main__":
    sys.exit(main())
