"""What came of a recipe, as JSON holds it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from model_export.comparison import Disagreement
from model_export.detection_evaluation import DetectorQuality
from model_export.evaluation import ClassifierQuality, Mistake
from model_export.object_quality import BoxMistake
from model_export.recipes.outcome import RecipeOutcome, StepOutcome

LAYOUT = 1
"""Rises when a key goes away or changes its meaning; a new key alone is no new layout."""

# Texts that are paths: evaluation and comparison keep them so.
_PATHS: Mapping[type, str] = {
    BoxMistake: "picture",
    ClassifierQuality: "model",
    DetectorQuality: "model",
    Disagreement: "picture",
    Mistake: "picture",
}

# What a reader of the JSON would otherwise have to work out as we do.
_KINDS: Mapping[type, str] = {ClassifierQuality: "classifier", DetectorQuality: "detector"}


def as_dict(outcome: RecipeOutcome, folder: Path | None = None) -> dict[str, Any]:
    """All of the outcome under the names of its attributes, in values that JSON has.

    Beside them: ``layout`` (`LAYOUT`), ``passed``, each step's ``accuracy`` and each quality's
    ``kind``. Numbers that JSON does not have (NaN, infinity) are None.

    Args:
        folder: where the report will lie: paths of what lies in it are relative to it.
    """
    found: dict[str, Any] = json_value(outcome, folder.absolute() if folder else None)
    return {"layout": LAYOUT, "passed": outcome.passed, **found}


def as_json(outcome: RecipeOutcome, folder: Path | None = None) -> bytes:
    """The same as UTF-8."""
    text = json.dumps(as_dict(outcome, folder), indent=1, ensure_ascii=False, allow_nan=False)
    # A file name that is no Unicode becomes an escape, which JSON has for it.
    return f"{text}\n".encode(errors="backslashreplace")


def shown_path(path: Path | str, folder: Path | None) -> str:
    """The path as text: relative to the absolute `folder` where it lies in it."""
    if folder is not None and Path(path).absolute().is_relative_to(folder):
        return str(Path(path).absolute().relative_to(folder))
    return str(path)


def json_value(value: Any, folder: Path | None) -> Any:
    """A value of an outcome in what JSON has; `folder` is absolute, see `as_dict`."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): json_value(item, folder) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [json_value(item, folder) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return _of_dataclass(value, folder)
    return _plain(value, folder)


def _plain(value: Any, folder: Path | None) -> str | int | float | None:
    if isinstance(value, Path):
        return shown_path(value, folder)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, int | str):
        return value
    raise TypeError(f"JSON has nothing for {type(value).__name__}")


def _of_dataclass(value: Any, folder: Path | None) -> dict[str, Any]:
    kind = type(value)
    found = {field.name: json_value(getattr(value, field.name), folder) for field in fields(value)}
    if kind in _PATHS:
        found[_PATHS[kind]] = shown_path(found[_PATHS[kind]], folder)
    if kind in _KINDS:
        found = {"kind": _KINDS[kind], **found}
    if kind is StepOutcome:
        found["accuracy"] = json_value(value.accuracy, folder)
    return found
