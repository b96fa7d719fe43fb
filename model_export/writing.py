"""Files that are whole or not there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from model_export.errors import ExportError


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` to `path`, so that whoever looks sees all of it or what was there before.

    Raises:
        ExportError: the folder is missing, or cannot be written to.
    """
    require_folder(path)
    try:
        _replace(path, content)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror}") from error


def require_folder(path: Path) -> None:
    """See that a file could be written to `path`, before hours of work for it.

    Raises:
        ExportError: its folder is missing, or it is a folder itself.
    """
    if not path.parent.is_dir():
        raise ExportError(f"the folder {path.parent} for {path.name} does not exist: make it first")
    if path.is_dir():
        raise ExportError(f"{path} is a folder: name the file that is to be written")


def _replace(path: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o644)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise
