"""The keys of a recipe as Markdown, out of its schema: the second half of docs/recipes.md.

python -m model_export.recipes.reference
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from model_export.recipes.recipe import schema

_TITLES = {
    "": "The file's top level",
    "DataTable": "`[data]`",
    "SplitTable": "`[data.split]`",
    "ModelTable": "`[model]`",
    "TrainStep": '`do = "train"`',
    "PruneStep": '`do = "prune"`',
    "QuantizeStep": '`do = "quantize"`',
    "QatStep": '`do = "qat"`',
    "HeadTable": "`head`",
    "AugmentationTable": "`augmentation`",
    "BenchTable": "`[bench]`",
    "GateTable": "`[gate]`",
    "BundleTable": "`[bundle]`",
}


def reference() -> str:
    """A section for each table: its keys, their defaults and what they mean."""
    return "\n".join(_sections(schema()))


def _sections(made: Mapping[str, Any]) -> Iterator[str]:
    for name, title in _TITLES.items():
        table = made["$defs"][name] if name else made
        yield f"## {title}"
        yield f"{_one_line(table['description'])}\n"
        yield "| key | default | meaning |\n|---|---|---|"
        for key, node in table["properties"].items():
            if key != "do":
                yield f"| `{key}` | {_default(key, node, table)} | {_meaning(node, made)} |"
        yield ""


def _default(key: str, node: Mapping[str, Any], table: Mapping[str, Any]) -> str:
    if key in table.get("required", ()):
        return "required"
    default = node.get("default")
    is_table = isinstance(default, dict)
    return "" if default in (None, "", []) or is_table else f"`{json.dumps(default)}`"


def _meaning(node: Mapping[str, Any], made: Mapping[str, Any]) -> str:
    node = {**_target(node, made), **node}
    text, choices = _one_line(node["description"]), node.get("enum", [])
    if choices:
        text += f" One of {', '.join(f'`{json.dumps(choice)}`' for choice in choices)}."
    return text


def _target(node: Mapping[str, Any], made: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the node refers to; nothing where it refers to nothing."""
    found: Mapping[str, Any] = made["$defs"].get(node.get("$ref", "").rpartition("/")[2], {})
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    sys.stdout.write(reference())
