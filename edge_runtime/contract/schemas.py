"""The JSON Schema (draft 2020-12) of every message, made of the types that write and read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from edge_runtime import report
from edge_runtime.centre.reading import alert_schema
from edge_runtime.json_schema import Untitled, WithoutNull
from edge_runtime.messaging.commands import ARGUMENTS, Envelope, NoArguments
from edge_runtime.messaging.wire import (
    Acknowledgement,
    Command,
    Dropped,
    Response,
    SignedCommand,
)

_TITLES = {
    "alert": "An alert",
    "dropped": "The alerts that a device gave up",
    "status": "How a device is, in a word",
    "health": "How a device is, in figures",
    "acknowledgement": "How far a monitoring centre holds a device's alerts",
    "command": "What a monitoring centre asks of a device",
    "signed-command": "A signed command, a DSSE envelope",
    "signed-command-content": "What is in the envelope of a signed command",
    "response": "A device's answer to a command",
}
_REPORTS = (
    report.Status,
    report.Health,
    report.OutboxReport,
    report.ChainReport,
    report.AcknowledgementReport,
    report.LinkReport,
    report.ModelReport,
    report.CameraReport,
)


def schemas() -> Mapping[str, JsonSchemaValue]:
    """The schemas, by the name of the message."""
    for each in _REPORTS:
        # As a member of the class it would be a key of the dictionaries.
        setattr(each, "__pydantic_config__", ConfigDict(use_attribute_docstrings=True))  # noqa: B010
    made = {
        "alert": alert_schema(_Plain),
        "dropped": _written(Dropped),
        "status": _written(report.Status),
        "health": _written(report.Health),
        "acknowledgement": _written(Acknowledgement),
        "command": _command(Command),
        "signed-command": _written(Envelope),
        "signed-command-content": _command(SignedCommand),
        "response": _written(Response),
    }
    return {
        name: {
            "$schema": GenerateJsonSchema.schema_dialect,
            **schema,
            "title": _TITLES[name],
        }
        for name, schema in made.items()
    }


class _Plain(WithoutNull):
    """With what the documentation of the class says of each attribute."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        made["title"] = made["title"].strip("_")
        _describe(made, schema["cls"])
        return made


def _describe(made: JsonSchemaValue, model: type[BaseModel]) -> None:
    """Give each property the line that the class's documentation has for the attribute."""
    text, _, attributes = made.get("description", "").partition("\n\nAttributes:\n")
    if not attributes:
        return
    made["description"] = text
    for entry in re.split(r"\n(?=    \w+: )", attributes):
        name, _, meaning = entry.strip().partition(": ")
        key = model.model_fields[name].alias or name
        words = " ".join(meaning.split()).replace("None", "left out")
        made["properties"][key]["description"] = words[0].upper() + words[1:]


def _written(kind: Any) -> JsonSchemaValue:
    """The schema of what is sent as `kind`."""
    generator = Untitled if kind in _REPORTS else _Plain
    return TypeAdapter(kind).json_schema(by_alias=True, schema_generator=generator)


def _command(kind: type[Command]) -> JsonSchemaValue:
    """A command with the arguments of each name beside it: the name is in the topic."""
    made = _written(kind)
    definitions = made.setdefault("$defs", {})
    for arguments in {*ARGUMENTS.values()} - {NoArguments}:
        inner = _written(arguments)
        definitions.update(inner.pop("$defs", {}))
        definitions[arguments.__name__] = inner
    made["$defs"] = dict(sorted(definitions.items()))
    return made
