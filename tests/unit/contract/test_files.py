"""The files of the contract are those of the code, and are what they say that they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from edge_runtime.analysis.camera_health.conditions import Condition
from edge_runtime.config import rules
from edge_runtime.contract.asyncapi import asyncapi, channels
from edge_runtime.contract.files import files
from edge_runtime.contract.gb28181 import CONDITIONS, RULES, Method, alarm_type
from edge_runtime.contract.schemas import schemas
from edge_runtime.messaging.topics import Topics
from edge_runtime.messaging.wire import Acknowledgement, Command, Response

FOLDER = Path(__file__).parents[3] / "docs/contract"


@pytest.mark.parametrize("name", files())
def test_each_file_is_as_the_code_makes_it(name: str) -> None:
    written = (FOLDER / name).read_text(encoding="utf-8")
    assert written == files()[name], "run: python -m edge_runtime.contract docs/contract"


@pytest.mark.parametrize("name", schemas())
def test_each_schema_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schemas()[name])


def test_all_that_the_document_refers_to_is_there() -> None:
    document = asyncapi()
    for reference in references(document):
        if reference.startswith("./"):
            assert reference.removeprefix("./") in files()
        else:
            node = document
            for part in reference.removeprefix("#/").split("/"):
                node = node[part]


def test_the_topics_are_those_of_the_device() -> None:
    topics = Topics("{site}".strip("{}"), "{device}".strip("{}"))
    known = {
        topics.alert("camera", "rule"),
        topics.dropped,
        topics.status,
        topics.health,
        topics.ack,
        topics.command("command"),
        f"{topics.responses}command",
    }
    described = {channel.address.translate(str.maketrans("", "", "{}")) for channel in channels()}
    assert described == known


@pytest.mark.parametrize(
    ("name", "message", "right"),
    [
        ("acknowledgement", Acknowledgement(epoch=1, sequence=2).to_json(), True),
        ("acknowledgement", '{"epoch": 1, "sequence": 0}', False),
        ("acknowledgement", '{"epoch": 1, "sequence": 1, "hash": "short"}', False),
        ("response", Response(command="status", outcome="done").to_json(), True),
        ("response", '{"command": "status"}', False),
        ("command", '{"id": "a-1", "expires": "2026-11-25T12:00:00Z"}', True),
        ("command", '{"id": "a b", "expires": "2026-11-25T12:00:00Z"}', False),
    ],
)
def test_a_schema_holds_what_the_type_holds(name: str, message: str, right: bool) -> None:
    kinds: dict[str, Any] = {
        "acknowledgement": Acknowledgement,
        "response": Response,
        "command": Command,
    }
    assert jsonschema.Draft202012Validator(schemas()[name]).is_valid(json.loads(message)) is right
    if right:
        kinds[name].read(message)


def test_every_kind_of_rule_has_its_alarm_type() -> None:
    models = [model for model in vars(rules).values() if isinstance(model, type)]
    kinds = {
        get_args(model.model_fields["kind"].annotation)[0]
        for model in models
        if "kind" in getattr(model, "model_fields", {})
    } - {None}
    assert kinds <= set(RULES)
    assert set(CONDITIONS) == set(Condition)


def test_what_is_not_known_is_some_other_alarm() -> None:
    assert alarm_type("juggling", "juggling").method is Method.OTHER
    assert alarm_type("camera-health", "no-frames").number == 1


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [found for value in node.values() for found in references(value)]
    return []
