"""Hostile payloads at centre and daemon: `python -m tests.faults.hostile --count 10000`.

Over a real broker, to a real `edge-centre run` and to the daemon's topics for commands and
acknowledgements. Half is whatever hypothesis makes up; half are real messages that were cut, bent
and stuffed so that they are no longer what their topic asks for. Nothing of it may be taken,
stored or acted on, and both go on as if nothing had been.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from edge_runtime.alerts.alert import rfc3339
from edge_runtime.alerts.chain import digest
from tests.broker import Broker, Subscriber, wait_for
from tests.centre import Chain, EmulatedDevice
from tests.daemon import DEVICE, SITE, Daemon, camera, mqtt, presence
from tests.faults.kills import Process

_QUICK = ("autosave_on_changes false", "autosave_interval 3600", "max_queued_messages 0")
"""The broker is not what is tried here."""
_TABLES = ("alerts", "chains", "gone", "conflicts", "devices")

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shot:
    """A message that nobody may take."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Target:
    """A topic, a message that it would take, and the members without which it would take none."""

    topic: str
    sample: Document
    required: tuple[tuple[str | int, ...], ...]


def anything() -> st.SearchStrategy[bytes]:
    """Bytes, text, and JSON of every shape."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    values = st.recursive(
        scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
    )
    made = values.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))
    return st.binary(max_size=300) | st.text().map(lambda text: text.encode()) | made


def made_up(count: int, seed: int, topics: Sequence[str]) -> Iterator[Shot]:
    """`count` messages out of hypothesis."""
    found: list[Shot] = []

    @seeded(seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(topic=st.sampled_from(list(topics)), payload=anything())
    def collect(topic: str, payload: bytes) -> None:
        found.append(Shot(topic, payload))

    while len(found) < count:
        collect()
        seed += 1
        collect = seeded(seed)(collect)
    yield from found[:count]


def bent(target: Target, dice: random.Random) -> Shot:
    """`target`'s sample as it may not be."""
    payload = json.dumps(target.sample).encode()
    return Shot(target.topic, dice.choice(_BENDERS)(payload, target, dice))


def _cut(payload: bytes, _target: Target, dice: random.Random) -> bytes:
    return payload[: dice.randrange(len(payload))]


def _doubled(payload: bytes, _target: Target, _dice: random.Random) -> bytes:
    return payload + payload


def _not_utf8(payload: bytes, _target: Target, dice: random.Random) -> bytes:
    at = payload.index(b'"', dice.randrange(len(payload) // 2)) + 1
    return payload[:at] + dice.choice([b"\xff", b"\xc3(", b"\xed\xa0\x80"]) + payload[at:]


def _too_large(payload: bytes, _target: Target, _dice: random.Random) -> bytes:
    return payload + b" " * 300_000 + b"x"


def _too_deep(payload: bytes, target: Target, dice: random.Random) -> bytes:
    depth = dice.choice([500, 20_000])
    key = str(target.required[0][0]).encode()
    return b'{"%b": ' % key + b"[" * depth + b"]" * depth + b"}"


def _without(_payload: bytes, target: Target, dice: random.Random) -> bytes:
    document, parent, key = _place(target, dice)
    del parent[key]
    return json.dumps(_rehashed(document)).encode()


def _of_another_type(_payload: bytes, target: Target, dice: random.Random) -> bytes:
    document, parent, key = _place(target, dice)
    wrong: list[Any] = [None, [], {}, [[]], {"a": 1}, True, -1, 1.5, "\x00", "x" * 5000, 10**40]
    parent[key] = dice.choice([each for each in wrong if _kind(each) is not _kind(parent[key])])
    return json.dumps(document if key == "hash" else _rehashed(document)).encode()


def _kind(value: object) -> type:
    return float if type(value) is int else type(value)


_BENDERS = (_cut, _doubled, _not_utf8, _too_deep, _without, _of_another_type, _without)
_BENDERS += (_of_another_type,) * 3
_RARE = _too_large
"""A third of a megabyte: one in a hundred will do."""


def _place(target: Target, dice: random.Random) -> tuple[Document, Any, Any]:
    """A copy of the sample, and where in it a required member is."""
    document = copy.deepcopy(target.sample)
    parent: Any = document
    *way, key = dice.choice(target.required)
    for step in way:
        parent = parent[step]
    return document, parent, key


def _rehashed(document: Document) -> Document:
    """With the right hash, as whoever forges an alert would see to."""
    if "hash" not in document or "previoushash" not in document:
        return document
    try:
        return {**document, "hash": digest(document)}
    except (ValueError, RecursionError):
        return document


def centre_targets(chain: Chain, stranger: Chain) -> list[Target]:
    """What a centre listens to: of `chain`, which it knows, and of a device that it does not."""
    alert = json.loads(chain.alerts[0].to_json())
    members = [(name,) for name in alert]
    members += [("data", name) for name in ("rule", "name", "camera", "state", "incident")]
    members += [("data", name) for name in ("since", "duration", "decided_after")]
    members += [("data", "clock_synchronised")]
    targets = []
    for each in (chain, stranger):
        root = each.topics.root
        targets += [
            Target(each.topics.alert("front", "presence"), alert, tuple(members)),
            Target(
                f"{root}/dropped",
                json.loads(chain.dropped(1, 1)),
                (
                    *(("id",), ("source",), ("type",), ("data",)),
                    *(("data", "epoch"), ("data", "ranges"), ("data", "ranges", 0)),
                    *(("data", "ranges", 0, name) for name in ("from", "to", "severity", "count")),
                ),
            ),
            Target(f"{root}/status", {"state": "online", "version": "1"}, (("state",),)),
            Target(
                f"{root}/health",
                json.loads(chain.health(time.time())),
                (
                    *(("state",), ("time",), ("outbox",)),
                    *(("outbox", name) for name in ("depth", "epoch", "committed")),
                ),
            ),
            Target(
                f"{root}/response/resend",
                {
                    "id": "resend-1",
                    "command": "resend",
                    "outcome": "done",
                    "result": {"sent": 0, "missing": [[1, 1]]},
                },
                (("command",), ("outcome",), ("result", "missing"), ("result",)),
            ),
        ]
    return targets


def daemon_targets(epoch: int) -> list[Target]:
    """What a daemon listens to."""
    root = f"edge/v1/{SITE}/{DEVICE}"
    whole: Document = {"id": "c-1", "expires": rfc3339(time.time() + 3600), "arguments": {}}
    resend = {**whole, "arguments": {"epoch": epoch, "from": 1, "to": 2}}
    places = (("id",), ("expires",))
    return [
        Target(
            f"{root}/ack",
            {"epoch": epoch, "sequence": 1},
            (("epoch",), ("sequence",)),
        ),
        *(
            Target(f"{root}/command/{name}", whole, places)
            for name in ("status", "identify", "reload")
        ),
        Target(
            f"{root}/command/resend",
            resend,
            (*places, *(("arguments", name) for name in ("epoch", "from", "to"))),
        ),
        Target(f"{root}/command/nonsense", whole, places),
    ]


def false_ones(epoch: int) -> list[Shot]:
    """Well formed, and wrong: acknowledgements of what never was, commands of yesterday."""
    root = f"edge/v1/{SITE}/{DEVICE}"
    acknowledgements: list[Document] = [
        {"epoch": epoch, "sequence": 10**9},
        {"epoch": epoch + 1, "sequence": 1},
        {"epoch": 0, "sequence": 1},
        {"epoch": epoch, "sequence": 1, "hash": "e" * 64},
    ]
    expired = {"id": "c-2", "expires": "2020-01-01T00:00:00Z"}
    far = {"id": "c-3", "expires": "2999-01-01T00:00:00Z"}
    unknown = {"id": "c-4", "expires": rfc3339(time.time() + 3600), "arguments": {"x": 1}}
    commands: list[Document] = [expired, far, unknown]
    return [
        *(Shot(f"{root}/ack", json.dumps(each).encode()) for each in acknowledgements),
        *(Shot(f"{root}/command/status", json.dumps(each).encode()) for each in commands),
    ]


def shots(targets: Sequence[Target], count: int, seed: int) -> list[Shot]:
    """`count` messages at `targets`, in random order."""
    dice = random.Random(seed)
    half = count // 2
    found = list(made_up(half, seed, [target.topic for target in targets]))
    while len(found) < count:
        target = dice.choice(targets)
        shot = bent(target, dice)
        if dice.random() < 0.01:
            payload = json.dumps(target.sample).encode()
            shot = replace(shot, payload=_RARE(payload, target, dice))
        found.append(shot)
    dice.shuffle(found)
    return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one who was shot at: how often, and what is wrong, a sentence each."""

    shots: int
    faults: tuple[str, ...]


def at_the_centre(folder: Path, count: int, seed: int) -> Outcome:
    """Shoot at a real `edge-centre run`."""
    chain, stranger = Chain(), Chain(site="oslo-1", device="cam-9")
    with Broker(extra=_QUICK) as broker, EmulatedDevice(broker, chain) as device:
        config = folder / "centre.toml"
        config.write_text(
            'database = "sqlite:///centre.sqlite"\n'
            f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\n'
        )
        command = [sys.executable, "-m", "edge_runtime.centre.cli", "run", "-c", str(config)]
        centre = Process(folder / "centre.log", command)
        centre.start()
        try:
            wait_for(lambda: "listening" in centre.log, "the centre listens")
            device.send(chain.grow(3))
            device.acknowledged_to(3)
            before = _held(folder)
            fired = shots(centre_targets(chain, stranger), count, seed)
            device.publish_all((shot.topic, shot.payload) for shot in fired)
            device.send(chain.grow(2))
            device.acknowledged_to(5, timeout=60.0)
            after = _held(folder)
            refused = Counter(dict(_rows(folder, "SELECT kind, count FROM refused")))
            expected = Counter(shot.topic.split("/")[4] for shot in fired)
            faults = _differences(before, after)
            if refused != expected:
                faults.append(f"refused are {dict(refused)} and not {dict(expected)}")
            faults += _tracebacks(centre.log)
            if not centre.alive:
                faults.append("the centre ended")
        finally:
            centre.kill()
    return Outcome(len(fired), tuple(faults))


def at_the_daemon(folder: Path, count: int, seed: int) -> Outcome:
    """Shoot at the commands and acknowledgements of a real daemon, whose alerts wait."""
    tables = [
        '[model]\nname = "person"\n',
        camera("atm", "scene:atm", "fps = 5"),
        presence("presence", "seconds = 0.2"),
    ]
    chain = Chain(device="somebody")
    with (
        Broker(extra=_QUICK) as broker,
        Subscriber(broker, f"edge/v1/{SITE}/{DEVICE}/response/#") as ears,
        Subscriber(broker, f"edge/v1/{SITE}/{DEVICE}/alert/#"),
        EmulatedDevice(broker, chain) as attacker,
    ):
        daemon = Daemon(folder, [*tables, mqtt(broker)])
        daemon.start_ready()
        try:
            wait_for(lambda: daemon.ask_quickly()["outbox"]["depth"] > 0, "alerts wait", 60.0)
            pid, epoch = daemon.pid, daemon.ask_quickly()["outbox"]["epoch"]
            fired = shots(daemon_targets(epoch), count, seed) + false_ones(epoch) * 3
            attacker.publish_all((shot.topic, shot.payload) for shot in fired)
            attacker.publish(*_command("last"))
            wait_for(
                lambda: any("last" in str(each) for each in ears.payloads()), "it is answered", 60.0
            )
            outbox = daemon.ask_quickly()["outbox"]
            told = [each for each in ears.payloads() if each.get("id") != "last"]
            answers = Counter(each["outcome"] for each in told)
            faults = []
            if set(answers) != {"refused"}:
                faults.append(f"answers are {dict(answers)}")
            if outbox["depth"] != outbox["committed"]:
                faults.append(f"alerts are gone: {outbox}")
            if daemon.pid != pid:
                faults.append("the daemon ended")
            if "Traceback" in daemon.log:
                faults.append("there is a traceback in its log")
        finally:
            daemon.kill()
    return Outcome(len(fired), tuple(faults))


def _command(number: str) -> tuple[str, bytes]:
    content = {"id": number, "expires": rfc3339(time.time() + 60)}
    return f"edge/v1/{SITE}/{DEVICE}/command/identify", json.dumps(content).encode()


def _rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(folder / "centre.sqlite") as connection:
        return connection.execute(query).fetchall()


def _held(folder: Path) -> dict[str, int]:
    return {name: _rows(folder, f"SELECT count(*) FROM {name}")[0][0] for name in _TABLES}


def _differences(before: dict[str, int], after: dict[str, int]) -> list[str]:
    """Two alerts that were meant came in between, and nothing else."""
    expected = before | {"alerts": before["alerts"] + 2}
    return [
        f"{after[name]} rows in {name}, and {count} were to be there"
        for name, count in expected.items()
        if after[name] != count
    ]


def _tracebacks(log: str) -> list[str]:
    return [f"a traceback: {log[log.index('Traceback') :][:2000]}"] if "Traceback" in log else []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    status = 0
    for what, shoot in (("centre", at_the_centre), ("daemon", at_the_daemon)):
        with tempfile.TemporaryDirectory(prefix="edge-hostile-") as name:
            outcome = shoot(Path(name), arguments.count // 2, arguments.seed)
        for fault in outcome.faults:
            sys.stdout.write(f"  ! {fault}\n")
        verdict = "FAILED" if outcome.faults else "none taken, nothing stored, no crash"
        sys.stdout.write(f"{outcome.shots} hostile messages at the {what}: {verdict}\n")
        status |= bool(outcome.faults)
    return status


if __name__ == "__main__":
    sys.exit(main())
