"""Turns what pydantic found into sentences.

What would be right is not written down a second time: it is read out of the JSON Schema of the
configuration, with the example that stands there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from pydantic_core import ErrorDetails

from edge_runtime.config.errors import Finding, closest, shown, suggestion
from edge_runtime.config.lines import Key
from edge_runtime.config.values import OUTSIDE_PICTURE

Schema = Mapping[str, Any]

_FAULTS = {
    "greater_than": "is too small",
    "greater_than_equal": "is too small",
    "less_than": "is too large",
    "less_than_equal": "is too large",
    "finite_number": "is not a finite number",
    "string_too_short": "is too short",
    "string_too_long": "is too long",
}
_KINDS: Mapping[type, str] = {
    str: "text",
    bool: "a boolean",
    int: "a whole number",
    float: "a number with a fraction",
    list: "a list",
    dict: "a table",
}
_TAG_ERRORS = ("union_tag_invalid", "union_tag_not_found")


@dataclass(frozen=True, slots=True)
class _Place:
    """What an error is about.

    Attributes:
        loc: pydantic's way there, in which the kinds of rules stand as if they were keys.
        key: the same without them, as in the document.
        node: what the schema says of it; empty where it says nothing.
    """

    loc: Key
    key: Key
    node: Schema


def findings(
    errors: list[ErrorDetails], document: dict[str, Any], schema: Schema
) -> Iterator[Finding]:
    """A sentence for each key of `document` in which pydantic found an error."""
    texts: dict[Key, str] = {}
    for error in errors:
        if error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]:
            continue  # its entries are wrong, which is told by itself
        place = _place(error, schema)
        texts.setdefault(place.key, _sentence(error, place, document, schema))
    return (Finding(key, text) for key, text in texts.items())


def _place(error: ErrorDetails, schema: Schema) -> _Place:
    place = _walk(error["loc"], schema)
    if error["type"] in _TAG_ERRORS and isinstance(error["input"], dict):
        name = place.node["discriminator"]["propertyName"]
        kinds = list(place.node["discriminator"]["mapping"])
        return _Place((), (*place.key, name), {"enum": kinds, "examples": kinds})
    if error["type"] == "missing" and isinstance(place.key[-1], int):
        return _walk(place.loc[:-1], schema)  # an array that is too short
    return place


def _walk(loc: Key, schema: Schema) -> _Place:
    key: Key = ()
    node = schema
    for part in loc:
        kinds = node["discriminator"]["mapping"] if "oneOf" in node else {}
        if part in kinds:
            node = _resolved({"$ref": kinds[part]}, schema)
        else:
            key = (*key, part)
            node = _resolved(_child(node, part), schema)
    return _Place(loc, key, node)


def _child(node: Schema, part: str | int) -> Schema:
    if isinstance(part, int):
        items = node.get("prefixItems", ())
        child = items[part] if part < len(items) else node.get("items", {})
    else:
        child = node.get("properties", {}).get(part, node.get("additionalProperties"))
    return child if isinstance(child, dict) else {}


def _resolved(node: Schema, schema: Schema) -> Schema:
    if "$ref" not in node:
        return node
    target = schema["$defs"][node["$ref"].rpartition("/")[2]]
    return {**target, **node}


def _sentence(error: ErrorDetails, place: _Place, document: dict[str, Any], schema: Schema) -> str:
    match error["type"]:
        case "value_error":
            return str(error["ctx"]["error"])
        case "extra_forbidden":
            return _unknown_key(place.loc, schema)
        case kind if kind == OUTSIDE_PICTURE:
            return _outside_picture(**error["ctx"], key=place.key, document=document)
    value = _at(document, place.key)
    fault = "is missing" if value is None else _fault(error["type"], value, place.node)
    return f"{fault}; {_wanted(place.node, schema)} is asked for{_example(place, schema)}"


def _fault(error_type: str, value: object, node: Schema) -> str:
    choices = _choices(node)
    if isinstance(value, str) and choices:
        meant = closest(value, choices)
        return f"{shown(value)} is not known" + (f" (did you mean '{meant}'?)" if meant else "")
    what = "the value" if node.get("writeOnly") else shown(value)
    if isinstance(value, list) and node.get("type") == "array":
        return f"{what} has {len(value)} entr{'y' if len(value) == 1 else 'ies'}"
    return f"{what} {_FAULTS.get(error_type, f'is {_kind(value)}')}"


def _unknown_key(loc: Key, schema: Schema) -> str:
    *around, name = loc
    table = _walk(tuple(around), schema)
    header = _header(table.key)
    text = f"is no key of {header}; {suggestion(str(name), table.node.get('properties', {}))}"
    while around:
        around.pop()
        outer = _walk(tuple(around), schema)
        if name in outer.node.get("properties", {}):
            return f"{text} (a key of {_header(outer.key)} stands before {header})"
    return text


def _header(table: Key) -> str:
    """How the header of `table` is written."""
    if not table:
        return "the file's top level"
    names = ".".join(part for part in table if isinstance(part, str))
    return f"[[{names}]]" if isinstance(table[-1], int) else f"[{names}]"


def _outside_picture(
    what: str, point: tuple[float, float], key: Key, document: dict[str, Any]
) -> str:
    x, y = point
    text = (
        f"the {what} lies outside the picture with [{x:g}, {y:g}]; fractions of the picture's "
        "width and height from 0 to 1 are asked for"
    )
    if max(x, y) < 2 or min(x, y) < 0:
        return text
    match _at(document, (*key[:2], "resolution")):
        case [int(width), int(height)] if x <= width and y <= height:
            return (
                f"{text}: of {width} x {height} pixels, that point is "
                f"[{x / width:.3g}, {y / height:.3g}]"
            )
    return f"{text}: divide pixels by the width and by the height"


def _at(document: dict[str, Any], key: Key) -> Any:
    """The value at `key`, or None where there is none; TOML has no null."""
    value: Any = document
    for part in key:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _kind(value: object) -> str:
    if isinstance(value, float) and not isfinite(value):
        return "no finite number"
    return _KINDS.get(type(value), "a date or time")


def _choices(node: Schema) -> list[str]:
    return node.get("enum") or ([node["const"]] if "const" in node else [])


def _wanted(node: Schema, schema: Schema) -> str:
    """What the schema asks for, in words."""
    choices = _choices(node)
    if choices:
        return "one of " * (len(choices) > 1) + ", ".join(f"'{choice}'" for choice in choices)
    words = {
        "string": "text" + " that is not empty" * (node.get("minLength", 0) > 0),
        "boolean": "true or false",
        "integer": f"a whole number{_bounds(node)}",
        "number": f"a number{_bounds(node)}",
    }
    kind = node.get("type", "object")
    return _wanted_list(node, schema) if kind == "array" else words.get(kind, "a table")


def _bounds(node: Schema) -> str:
    if "minimum" in node and "maximum" in node:
        return f" from {node['minimum']:g} to {node['maximum']:g}"
    bounds = {
        "exclusiveMinimum": "above {:g}",
        "minimum": "of at least {:g}",
        "exclusiveMaximum": "below {:g}",
        "maximum": "of at most {:g}",
    }
    texts = [text.format(node[name]) for name, text in bounds.items() if name in node]
    return " " + " and ".join(texts) if texts else ""


def _wanted_list(node: Schema, schema: Schema) -> str:
    item = _resolved(node.get("items") or node.get("prefixItems", [{}])[0], schema)
    least, most = node.get("minItems", 0), node.get("maxItems")
    if item.get("type", "object") == "object":
        return "a list of tables"
    many = "entries" if least == most else "or more entries"
    return f"a list of {least} {many} (each {_wanted(item, schema)})"


def _example(place: _Place, schema: Schema) -> str:
    """How it would be written: the value itself, or the list that it is in."""
    if isinstance(place.key[-1], int):
        return _example(_walk(place.loc[:-1], schema), schema)
    if place.node.get("examples"):
        example = json.dumps(place.node["examples"][0], ensure_ascii=False)
        return f", e.g. {place.key[-1]} = {example}"
    names = ".".join(part for part in place.key if isinstance(part, str))
    match place.node.get("type"):
        case "object":
            return f", e.g. [{names}]"
        case "array":
            return f", e.g. [[{names}]]"
        case _:
            return ""
