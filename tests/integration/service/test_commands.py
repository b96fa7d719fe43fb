"""The real daemon is asked things over a real broker."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.alerts.alert import rfc3339
from tests.broker import Broker, Subscriber, publish, wait_for
from tests.daemon import DEVICE, SITE, Daemon, camera, mqtt, presence

ROOT = f"edge/v1/{SITE}/{DEVICE}"
MODEL = '[model]\nname = "person"\n'
CAMERA = camera("atm", "scene:atm", "fps = 5")


@dataclass
class Centre:
    """Commands, and hears what is answered."""

    broker: Broker
    ears: Subscriber
    daemon: Daemon
    count: int = 0

    def say(self, name: str, payload: str | bytes, *options: str) -> None:
        """Publish to a command's topic."""
        publish(self.broker, f"{ROOT}/command/{name}", payload, *options)

    def ask(self, name: str, *options: str, **arguments: Any) -> dict[str, Any]:
        """Publish a command: the answer's payload."""
        self.count += 1
        content = {
            "id": f"c-{self.count}",
            "expires": rfc3339(time.time() + 60),
            "arguments": arguments,
        }
        answer = self.answer(name, json.dumps(content), *options)
        assert answer["id"] == content["id"]
        return answer

    def answer(self, name: str, payload: str | bytes, *options: str) -> dict[str, Any]:
        """What is answered to `payload`, whatever it is."""
        known = len(self.ears.messages())
        self.say(name, payload, *options)
        wait_for(lambda: len(self.ears.messages()) > known, f"an answer to {name}")
        answer: dict[str, Any] = self.ears.messages()[-1]["payload"]
        return answer


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    with (
        Broker() as broker,
        Subscriber(broker, f"{ROOT}/response/#") as ears,
        Daemon(tmp_path, [MODEL, CAMERA, presence("night"), mqtt(broker)]) as daemon,
    ):
        daemon.wait_for_log("MQTT online")
        daemon.wait_for_log("first inference")
        yield Centre(broker, ears, daemon)


def test_it_says_how_and_who_it_is(centre: Centre) -> None:
    status = centre.ask("status")
    identity = centre.ask("identify")

    assert (status["outcome"], identity["outcome"]) == ("done", "done")
    assert status["result"]["cameras"][0]["name"] == "atm"
    assert (identity["result"]["site"], identity["result"]["device"]) == (SITE, DEVICE)


def test_an_answer_goes_where_it_was_asked_for_with_what_it_has_to_carry(centre: Centre) -> None:
    topic = f"{ROOT}/response/desk-3"
    centre.ask(
        "identify",
        *("-D", "publish", "response-topic", topic, "-D", "publish", "correlation-data", "x7"),
    )

    message = centre.ears.messages()[-1]
    assert message["topic"] == topic
    assert message["properties"]["correlation-data"] == "x7"


def test_a_rule_rests_and_works_again(centre: Centre) -> None:
    until = rfc3339(time.time() + 3600)
    off = centre.ask("rule", rule="night", enabled=False, until=until)
    resting = centre.daemon.ask()["warnings"]
    on = centre.ask("rule", rule="night", enabled=True)
    unknown = centre.ask("rule", rule="day", enabled=True)

    assert off["result"] == {"cameras": ["atm"], "rule": "night", "enabled": False}
    assert f"rule night of camera atm rests until {until}" in resting
    assert (on["outcome"], unknown["outcome"]) == ("done", "refused")
    assert unknown["reason"] == "there is no rule 'day' on this device"
    assert not any("rests" in each for each in centre.daemon.ask()["warnings"])


def test_the_configuration_is_reloaded_or_stays_and_the_answer_says_why(centre: Centre) -> None:
    reloaded = centre.ask("reload")
    centre.daemon.configure([MODEL, "[nonsense]\n", CAMERA])
    failed = centre.ask("reload")

    assert reloaded["outcome"] == "done"
    assert failed["outcome"] == "failed"
    assert "nonsense" in failed["reason"]


def acknowledged(daemon: Daemon) -> int:
    return int(daemon.ask_quickly()["mqtt"]["acknowledged"]["upto"])


def test_alerts_that_wait_are_sent_again_and_those_that_do_not_are_named(centre: Centre) -> None:
    with Subscriber(centre.broker, f"{ROOT}/alert/#") as alerts:
        wait_for(alerts.payloads, "an alert", 40)
        told = centre.daemon.ask_quickly()
        epoch, head = told["outbox"]["epoch"], told["outbox"]["committed"]
        known = len(alerts.payloads())
        again = centre.ask("resend", epoch=epoch, **{"from": 1, "to": head})
        assert again["outcome"] == "done"
        assert again["result"] == {"sent": head, "missing": []}
        wait_for(lambda: len(alerts.payloads()) >= known + head, "they come again")
        came = [each["id"] for each in alerts.payloads()]
        assert came.count(f"{DEVICE}/{epoch}/1") >= 2

        said = json.dumps({"epoch": epoch, "sequence": 1})
        publish(centre.broker, f"{ROOT}/ack", said)
        wait_for(
            lambda: centre.daemon.ask_quickly()["mqtt"]["acknowledged"]["upto"] == 1,
            "1 is forgotten",
        )
        gone = centre.ask("resend", epoch=epoch, **{"from": 1, "to": 1})
        assert gone["result"] == {"sent": 0, "missing": [[1, 1]]}

    beyond = centre.ask("resend", epoch=epoch, **{"from": 1, "to": 1000})
    other = centre.ask("resend", epoch=1, **{"from": 1, "to": 1})
    assert (beyond["outcome"], other["outcome"]) == ("refused", "refused")
    assert beyond["reason"].startswith("alert 1000 is asked for, and the last one is ")
    assert other["reason"] == (
        f"alerts of epoch 1 are asked for, and this outbox is of epoch {epoch}"
    )


def test_what_is_hostile_is_refused_with_a_reason_and_harms_nothing(centre: Centre) -> None:
    content = {"id": "once", "expires": rfc3339(time.time() + 60), "arguments": {}}
    hostile: list[tuple[str, str | bytes, tuple[str, ...], str]] = [
        ("status", b"\xff\x00", (), "cannot be read"),
        ("explode", "{}", (), "there is no command 'explode'"),
        ("status", "x" * 40_000, (), "40000 bytes"),
        ("status", json.dumps(content), ("-r",), "must not set the retain flag"),
        (
            "status",
            json.dumps(content),
            ("-D", "publish", "response-topic", f"edge/v1/{SITE}/atm-2/status"),
            "is not below",
        ),
        ("snapshot", json.dumps(content), (), "its configuration does not allow it"),
        ("identify", json.dumps(content), (), ""),
        ("identify", json.dumps(content), (), "was taken already"),
    ]
    for name, payload, options, reason in hostile:
        answer = centre.answer(name, payload, *options)
        assert answer["outcome"] == ("refused" if reason else "done")
        assert reason in answer.get("reason", "")
    assert centre.ask("status")["outcome"] == "done"
