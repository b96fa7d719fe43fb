"""What a real daemon and a real centre say is what the contract's files promise."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edge_runtime.alerts.alert import rfc3339
from tests.broker import Broker, Subscriber, publish, wait_for
from tests.centre import database_in, running_centre
from tests.daemon import DEVICE, SITE, Daemon, camera, mqtt, presence

FOLDER = Path(__file__).parents[3] / "docs/contract"
ROOT = f"edge/v1/{SITE}/{DEVICE}"
TABLES = [
    '[model]\nname = "person"\n',
    "[outbox]\nmax_alerts = 1\n",  # of two alerts at once the first is dropped
    camera("atm", "scene:atm", "fps = 5"),
    presence("night"),
    presence("day"),
]


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """All that is said while somebody comes, a command is done, one is refused, and it stops.

    What a centre says is among it.
    """
    folder = tmp_path_factory.mktemp("daemon")
    with (
        Broker() as broker,
        Subscriber(broker, "edge/v1/#") as ears,
        Subscriber(broker, "homeassistant/#") as home,
        running_centre(broker, database_in(folder)),
        Daemon(folder, [*TABLES, mqtt(broker, 'home_assistant = "homeassistant"')]) as daemon,
    ):
        daemon.wait_for_log("MQTT online")
        wait_for(lambda: ears.payloads("/alert/"), "an alert", 40)
        for identity in ("a-1", "no identity"):
            command = {"id": identity, "expires": rfc3339(time.time() + 60)}
            publish(broker, f"{ROOT}/command/status", json.dumps(command))
        wait_for(lambda: len(ears.payloads("/response/status")) == 2, "two answers")
        wait_for(lambda: ears.payloads("/dropped"), "what was dropped")
        wait_for(lambda: ears.payloads("/ack"), "an acknowledgement")
        daemon.stop()
        wait_for(lambda: ears.payloads("/status")[-1]["state"] == "offline", "it says goodbye")
        return ears.messages() + home.messages()


def test_each_message_is_on_a_topic_of_the_contract_and_as_its_schema_says(
    messages: list[dict[str, Any]],
) -> None:
    document = json.loads((FOLDER / "asyncapi.json").read_text(encoding="utf-8"))
    seen = set()
    for message in messages:
        if message["topic"].startswith("homeassistant"):
            continue
        name, channel = found(document, message["topic"])
        seen.add(name)
        if name == "command":  # the test's own
            continue
        (kind,) = (document["components"]["messages"][each] for each in channel["messages"])
        schema = json.loads((FOLDER / kind["payload"]["$ref"]).read_text(encoding="utf-8"))
        close(schema)
        jsonschema.Draft202012Validator(schema).validate(message["payload"])
        assert message["properties"]["content-type"] == kind["contentType"]
        operations = document["operations"]
        said = operations.get(f"send-{name}") or operations[f"receive-{name}"]
        assert message["qos"] == said["bindings"]["mqtt"]["qos"]
    assert seen == set(document["channels"])


def test_home_assistant_is_told_of_topics_on_which_something_comes(
    messages: list[dict[str, Any]],
) -> None:
    (told,) = [each["payload"] for each in messages if each["topic"].startswith("homeassistant")]
    heard = {each["topic"] for each in messages}
    asked = {entity["state_topic"] for entity in told["components"].values()}
    assert asked - heard == {f"{ROOT}/alert/atm/camera-health"}
    assert told["availability_topic"] in heard


def found(document: Any, topic: str) -> tuple[str, Any]:
    """The channel of `topic`."""
    for name, channel in document["channels"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", channel["address"]), topic):
            return name, channel
    raise AssertionError(f"no channel has the topic {topic}")


def close(node: Any) -> None:
    """Forbid members that the schema does not name."""
    if isinstance(node, dict):
        if "properties" in node:
            node.setdefault("additionalProperties", False)
        for value in node.values():
            close(value)
