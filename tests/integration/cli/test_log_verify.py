"""`edge-runtime log verify`, on the device and on what a subscriber stored."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.alerts.alert import Origin
from edge_runtime.alerts.outbox import Outbox
from edge_runtime.alerts.signing import Signer
from tests.alerts import ALERT
from tests.broker import Broker, Subscriber, wait_for
from tests.certificates import Authority, Identity
from tests.daemon import DEVICE, SITE, Daemon, edge_runtime, mqtt
from tests.visits import Visits

TIME = "2026-11-25T03:00:00.000Z"
Lines = list[dict[str, Any]]


class Device:
    """A device that has committed nine alerts, and what of it there is to verify.

    Attributes:
        identity: its certificate and key.
        alerts: what it told.
        name: how sentences name its chain.
    """

    def __init__(self, folder: Path, model: str) -> None:
        self._folder = folder
        self.daemon = Daemon(folder, [model, '[[cameras]]\nname = "front"\nsource = "synthetic:"'])
        self.daemon.state.mkdir()
        self.identity = Authority(folder / "bank").client(DEVICE)
        with self.outbox() as outbox:
            made = [outbox.commit(ALERT, model=None, clock_synchronised=True) for _ in range(9)]
            self.head = outbox.head
        self.alerts: Lines = [json.loads(each.to_json()) for each in made]
        self.name = f"{SITE}/{DEVICE}, epoch {self.head.epoch}"

    def outbox(self) -> Outbox:
        return Outbox(self.daemon.state / "outbox.sqlite", Origin(SITE, DEVICE))

    def stored(self, alerts: Lines) -> Path:
        return self._lines("alerts.jsonl", alerts)

    def health(self, key: Path | None) -> Path:
        chain = Signer(key).signed(self.head, TIME)
        return self._lines("health.json", [{"state": "online", "chain": chain}])

    def _lines(self, name: str, documents: Lines) -> Path:
        path = self._folder / name
        path.write_text("".join(f"{json.dumps(each)}\n" for each in documents))
        return path


@pytest.fixture
def device(tmp_path: Path, small_model: str) -> Device:
    return Device(tmp_path, small_model)


def test_what_a_subscriber_stored_is_whole_and_proved_by_the_certificate(device: Device) -> None:
    told = edge_runtime(
        *("log", "verify", "--alerts", device.stored(device.alerts)),
        *("--health", device.health(device.identity.key)),
        *("--certificate", device.identity.certificate),
    )
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout == f"{device.name}: 9 alerts, 1 to 9\nwhole\n"


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda a: a[:3] + a[4:], "alert 4 is missing before alert 5"),
        (
            lambda a: a[:7],
            "the tail is cut: alerts 8 to 9 are missing, which the device had told by " + TIME,
        ),
        (
            lambda a: [*a[:4], {**a[4], "severity": "low"}, *a[5:]],
            "alert 5 is changed: its content does not give the hash that it carries",
        ),
        (lambda a: [a[1], a[0], *a[2:]], "alert 1 is out of order: it comes after 2"),
    ],
)
def test_each_harm_has_its_sentence(
    device: Device, harm: Callable[[Lines], Lines], sentence: str
) -> None:
    arguments = (
        *("log", "verify", "--alerts", device.stored(harm(device.alerts))),
        *("--health", device.health(device.identity.key)),
        *("--certificate", device.identity.certificate),
    )
    told = edge_runtime(*arguments)
    assert (told.returncode, told.stderr) == (1, f"{device.name}: {sentence}\n")
    assert told.stdout.endswith("\nnot whole: 1 problems\n")
    answer = json.loads(edge_runtime(*arguments, "--json").stdout)
    assert answer["good"] is False
    (problem,) = answer["problems"]
    assert problem["text"] == f"{device.name}: {sentence}"
    assert problem["chain"] == {"site": SITE, "device": DEVICE, "epoch": device.head.epoch}


def test_a_head_of_another_key_or_none_does_not_count(device: Device, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "stranger").client(DEVICE)
    stored = device.stored(device.alerts)
    for key, sentence in [
        (stranger.key, "is not what the certificate's key ("),
        (None, "is not signed (this device has no key: [mqtt.tls] has none)"),
    ]:
        proof = ("--health", device.health(key), "--certificate", device.identity.certificate)
        told = edge_runtime("log", "verify", "--alerts", stored, *proof)
        assert told.returncode == 1
        assert f"{device.name}: the head that was told at {TIME} {sentence}" in told.stderr
        believed = edge_runtime("log", "verify", "--alerts", stored, *proof[:2])
        assert believed.returncode == 0
        assert "note: no certificate is given, so the heads are believed" in believed.stdout


def test_without_a_head_it_is_said_what_would_not_show(device: Device) -> None:
    told = edge_runtime("log", "verify", "--alerts", device.stored(device.alerts[:5]))
    assert told.returncode == 0
    assert f"note: {device.name}: no head of it is known, so a cut tail would not" in told.stdout


def test_lines_that_are_no_alerts_are_named(device: Device) -> None:
    stored = device.stored(device.alerts)
    nested = "[" * 100_000
    stored.write_text(stored.read_text() + f'{{"id": 1}}\nno json\n{{"a": NaN}}\n[]\n{nested}\n')
    told = edge_runtime("log", "verify", "--alerts", stored)
    assert told.returncode == 1
    assert told.stderr.splitlines() == [
        f"line 10 of {stored} has not the id and source of an alert",
        f"line 11 of {stored} is no JSON",
        f"line 12 of {stored} is no JSON",
        f"line 13 of {stored} is no JSON object",
        f"line 14 of {stored} is no JSON",
    ]


def test_what_cannot_be_verified_is_one_sentence(device: Device, tmp_path: Path) -> None:
    stored = device.stored(device.alerts)
    for arguments, sentence in [
        (("--alerts", tmp_path / "none"), f"{tmp_path}/none cannot be read: No such file or"),
        (("--alerts", stored, "--health", stored), f"line 1 of {stored} is no health message"),
        (("--alerts", stored, "--certificate", stored), "--certificate proves what is in health"),
    ]:
        told = edge_runtime("log", "verify", *arguments)
        assert told.returncode == 1
        assert told.stderr.startswith(f"edge-runtime: {sentence}"), told.stderr


def test_on_the_device_the_outbox_is_verified(device: Device) -> None:
    with device.outbox() as outbox:
        outbox.delivered([1, 2, 3, 5])
        # A daemon has it open: it is read all the same.
        told = edge_runtime("log", "verify", device.daemon.config)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout == (
        f"{device.name}: 5 alerts, 4 to 9\n"
        f"note: {device.name}: 4 alerts are delivered, and no longer here\nwhole\n"
    )
    proof = ("--health", device.health(device.identity.key))
    assert edge_runtime("log", "verify", device.daemon.config, *proof).returncode == 0


def test_what_is_done_to_the_outbox_by_hand_is_told(device: Device) -> None:
    changed = json.dumps({**device.alerts[4], "severity": "low"})
    with sqlite3.connect(device.daemon.state / "outbox.sqlite") as connection:
        connection.execute("DELETE FROM alerts WHERE sequence = 2")
        connection.execute("UPDATE alerts SET payload = ? WHERE sequence = 5", (changed,))
        connection.execute("UPDATE alerts SET payload = '{}' WHERE sequence = 7")
    connection.close()
    told = edge_runtime("log", "verify", device.daemon.config)
    assert told.returncode == 1
    assert told.stderr.splitlines() == [
        f"{device.name}: alert 7 has not the id and source of an alert",
        f"{device.name}: alert 5 is changed: its content does not give the hash that it carries",
        f"{device.name}: 1 alerts are gone from the outbox and were not delivered",
    ]


def test_an_outbox_that_an_old_copy_replaced_is_told_by_what_the_device_had_told(
    device: Device,
) -> None:
    copy = (device.daemon.state / "outbox.sqlite").read_bytes()
    with device.outbox() as outbox:
        outbox.commit(ALERT, model=None, clock_synchronised=True)
        device.head = outbox.head
    (device.daemon.state / "outbox.sqlite").write_bytes(copy)
    health = device.health(device.identity.key)
    told = edge_runtime("log", "verify", device.daemon.config, "--health", health)
    assert told.returncode == 1
    assert told.stderr == (
        f"{device.name}: alerts up to 10 were told at {TIME}, and the outbox ends with 9\n"
    )


def test_where_no_daemon_has_run_a_sentence_says_so(tmp_path: Path, small_model: str) -> None:
    tables = [small_model, '[[cameras]]\nname = "front"\nsource = "synthetic:"']
    told = edge_runtime("log", "verify", Daemon(tmp_path, tables).config)
    assert told.returncode == 1
    assert told.stderr.startswith("edge-runtime: there is no outbox ")


def test_a_daemon_signs_its_head_with_its_tls_key_and_what_a_subscriber_has_is_proved(
    tmp_path: Path, visits: Visits
) -> None:
    authority = Authority(tmp_path / "bank")
    server, client = authority.server(), authority.client(DEVICE)
    broker = Broker(
        ca=authority.certificate,
        certificate=server.certificate,
        key=server.key,
        client_certificates=True,
    )
    tables = [*visits(), mqtt(broker, 'acknowledgement = "broker"'), tls_table(authority, client)]
    extra = ("--cafile", authority.certificate, "--cert", client.certificate, "--key", client.key)
    alerts, health = tmp_path / "alerts.jsonl", tmp_path / "health.jsonl"
    with broker, Subscriber(broker, "edge/v1/#", map(str, extra)) as subscriber:
        with Daemon(tmp_path, tables) as daemon:
            wait_for(lambda: len(subscriber.payloads("/alert/")) >= 4, "alerts come")
            told = daemon.ask_quickly()
            wait_for(lambda: daemon.ask_quickly()["outbox"]["depth"] == 0, "they are delivered")
        wait_for(
            lambda: len(subscriber.payloads("/alert/")) >= told["chain"]["sequence"], "all are here"
        )
        messages = subscriber.messages()
    # As mosquitto_sub writes them: with its own form of the JSON, and its own words around it.
    alerts.write_text("\n".join(json.dumps(m) for m in messages if "/alert/" in m["topic"]))
    health.write_text(json.dumps(told, indent=2))
    proof = ("--health", health, "--certificate", client.certificate)
    assert edge_runtime("log", "verify", "--alerts", alerts, *proof).returncode == 0
    assert [m["payload"]["chain"] for m in messages if m["topic"].endswith("/health")]

    told["chain"]["sequence"] -= 1
    health.write_text(json.dumps(told))
    forged = edge_runtime("log", "verify", "--alerts", alerts, *proof)
    assert forged.returncode == 1
    assert "is not what the certificate's key" in forged.stderr


def tls_table(authority: Authority, client: Identity) -> str:
    return (
        f'[mqtt.tls]\nca = "{authority.certificate}"\n'
        f'certificate = "{client.certificate}"\nkey = "{client.key}"\n'
    )
