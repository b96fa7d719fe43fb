"""The pictures below a folder."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.capture.images import SUFFIXES, natural_order
from model_export.errors import ExportError


def find_pictures(folder: Path) -> tuple[Path, ...]:
    """All picture files in `folder` and the folders in it, in natural order.

    Raises:
        ExportError: it is missing, is no folder, cannot be listed, or holds no pictures.
    """
    if not folder.exists():
        raise ExportError(f"the folder {folder} does not exist")
    if not folder.is_dir():
        raise ExportError(f"{folder} is a file: name the folder with the pictures")
    try:
        found = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES]
    except OSError as error:
        raise ExportError(f"the folder {folder} cannot be listed: {error.strerror}") from error
    if not found:
        raise ExportError(f"the folder {folder} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    return tuple(sorted(found, key=lambda path: natural_order(str(path))))
