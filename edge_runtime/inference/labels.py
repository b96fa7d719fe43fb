"""The names of a model's classes."""

from __future__ import annotations

import re
from pathlib import Path

from edge_runtime.inference.engine import ModelError

_NUMBERED = re.compile(r"(\d+)[\s:,]+(\S.*)")


def read_labels(path: Path) -> tuple[str, ...]:
    """One label a line; where every line is numbered (``0 person``), the numbers give the order.

    Numbers that no line has become ``unused``, as in lists of COCO's classes. Empty lines at the
    end are no labels.

    Raises:
        ModelError: missing, not text, empty, or a number stands there twice.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except FileNotFoundError as error:
        raise ModelError(f"the labels file {path} does not exist") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"the labels file {path} is not text in UTF-8") from error
    except OSError as error:
        raise ModelError(f"the labels file {path} cannot be read: {error.strerror}") from error
    if not lines:
        raise ModelError(f"the labels file {path} is empty: one label a line is needed")
    lines = [line.strip() for line in lines]
    numbered = [_NUMBERED.fullmatch(line) for line in lines]
    pairs = [(int(match[1]), match[2]) for match in numbered if match]
    return _in_order(path, pairs) if len(pairs) == len(lines) else tuple(lines)


def _in_order(path: Path, pairs: list[tuple[int, str]]) -> tuple[str, ...]:
    names = dict(pairs)
    if len(names) < len(pairs):
        raise ModelError(f"the labels file {path} gives one number to two labels")
    if max(names) > 100_000:
        raise ModelError(f"the labels file {path} numbers a label {max(names)}: that is no class")
    return tuple(names.get(number, "unused") for number in range(max(names) + 1))
