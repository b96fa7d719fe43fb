"""Pictures in one folder a class."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.capture.images import SUFFIXES, natural_order
from model_export.datasets.samples import LabelledPictures, Sample
from model_export.errors import ExportError


def read_folders(root: Path, classes: tuple[str, ...] | None = None) -> LabelledPictures:
    """The pictures in `root`/CLASS/, in folders below that too.

    Args:
        root: holds one folder for each class.
        classes: their order, as a model has them; None: by name. Hidden folders do not count.

    Raises:
        ExportError: it is missing, holds no folders, or its folders are not those of `classes`.
    """
    if not root.is_dir():
        raise ExportError(
            f"the folder {root} does not exist"
            if not root.exists()
            else f"{root} is a file: name the folder that holds one folder for each class"
        )
    found = sorted(
        (entry.name for entry in root.iterdir() if entry.is_dir() and entry.name[0] != "."),
        key=natural_order,
    )
    if not found:
        raise ExportError(f"the folder {root} holds no folders: one for each class is needed")
    if classes is not None and set(classes) != set(found):
        raise ExportError(
            f"the folders in {root} are {', '.join(found)}, and the model's classes are "
            f"{', '.join(classes)}: they have to be the same"
        )
    names = classes or tuple(found)
    samples = tuple(
        Sample(path, label) for label, name in enumerate(names) for path in _pictures(root / name)
    )
    if not samples:
        raise ExportError(f"the folders in {root} hold no pictures ({', '.join(sorted(SUFFIXES))})")
    return LabelledPictures(names, samples)


def _pictures(folder: Path) -> list[Path]:
    found = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES]
    return sorted(found, key=lambda path: natural_order(str(path)))
