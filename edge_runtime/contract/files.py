"""The contract's files: schemas, the AsyncAPI document, the table of GB/T 28181."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_runtime.contract.asyncapi import asyncapi
from edge_runtime.contract.gb28181 import table
from edge_runtime.contract.schemas import schemas

_GB28181 = """# Alerts as alarms of GB/T 28181

For platforms that speak GB/T 28181: which numbers of its alarm notification (2022 edition, annex
A.2.5) an alert has. `edge_runtime.contract.gb28181` has the same for programs. Where the standard
has no number, the method is 7 (other) without a type. The 2016 edition ends at type 12: a covered
picture is 11 (abnormal video) there. An `ended` alert has no counterpart: the standard resets
alarms by a command of the platform.

"""


def files() -> Mapping[str, str]:
    """The content of each file, by its name."""
    made = {f"{name}.schema.json": _text(schema) for name, schema in schemas().items()}
    made["asyncapi.json"] = _text(asyncapi())
    made["gb28181.md"] = f"{_GB28181}{table()}\n"
    return made


def write(folder: Path) -> None:
    """Write the files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (folder / name).write_text(content, encoding="utf-8")


def _text(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
