"""Keeps what steps made, under the hash of all that went into it.

A step's folder gets its name only when all its files are in it: what was interrupted is done again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from model_export.errors import ExportError

_DIGITS = 16


def key_of(parts: Mapping[str, Any]) -> str:
    """The hash of what goes into a step; `parts` are as JSON has them."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def file_hash(path: Path) -> str:
    """Of a file's content, or of all files in a folder with their names.

    Raises:
        ExportError: it is missing or cannot be read.
    """
    try:
        if path.is_dir():
            files = sorted(each for each in path.rglob("*") if each.is_file())
            return key_of({str(each.relative_to(path)): file_hash(each) for each in files})
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise ExportError(f"{path} does not exist") from error
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror}") from error


class Cache:
    """Folders of steps, below one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, key: str, make: Callable[[Path], None]) -> tuple[Path, bool]:
        """The folder of that key, and whether it was there; else `make` fills it.

        Raises:
            ExportError: it cannot be written; or what `make` raises, then nothing is left.
        """
        place = self._root / key[:_DIGITS]
        if place.is_dir():
            return place, True
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            work = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=self._root))
        except OSError as error:
            raise ExportError(f"{self._root} cannot be written: {error.strerror}") from error
        try:
            make(work)
            work.rename(place)
        finally:
            # Gone already where it was renamed.
            shutil.rmtree(work, ignore_errors=True)
        return place, False
