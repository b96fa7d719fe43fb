"""Says what is wrong with data, all of it, before hours are spent on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from edge_runtime.capture.images import read_image
from edge_runtime.capture.source import SourceError
from model_export.datasets.coco import BoxedPicture, BoxedPictures
from model_export.datasets.samples import LabelledPictures
from model_export.errors import ExportError

_SHOWN = 20

# A box may reach out by what rounding does.
_SLACK = 1.0


def check_labelled(
    data: LabelledPictures, progress: Callable[[float], None] = lambda _: None
) -> tuple[str, ...]:
    """One sentence for each picture that cannot be read and each class that has none."""
    problems = [
        f"the class {name} has no pictures" for name, count in data.counts().items() if not count
    ]
    paths = sorted({sample.path for sample in data.samples})
    for number, path in enumerate(paths, 1):
        problems += _unreadable(path)
        progress(number / len(paths))
    return tuple(problems)


def check_boxed(
    data: BoxedPictures, progress: Callable[[float], None] = lambda _: None
) -> tuple[str, ...]:
    """One sentence for each picture, box and class that is not as it has to be.

    That is: a picture that cannot be read or is of another size than the JSON says, a box that is
    empty or outside its picture, a class without boxes.
    """
    problems: list[str] = []
    labels = {box.label for picture in data.pictures for box in picture.boxes}
    problems += [
        f"the class {name} has no boxes"
        for label, name in enumerate(data.classes)
        if label not in labels
    ]
    for number, picture in enumerate(data.pictures, 1):
        problems += _of_boxes(picture)
        problems += _of_size(picture)
        progress(number / len(data.pictures))
    return tuple(problems)


def require(problems: tuple[str, ...]) -> None:
    """Stop where there are problems.

    Raises:
        ExportError: with all of them, a line each, at most 20.
    """
    if problems:
        more = len(problems) - _SHOWN
        shown = [*problems[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]
        found = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
        raise ExportError(f"the data has {found}:\n  " + "\n  ".join(shown))


def _unreadable(path: Path) -> Iterator[str]:
    try:
        read_image(path)
    except SourceError as error:
        yield str(error)


def _of_boxes(picture: BoxedPicture) -> Iterator[str]:
    for box in picture.boxes:
        right, low = box.x + box.width, box.y + box.height
        where = f"the box ({box.x:g}, {box.y:g}, {box.width:g} x {box.height:g})"
        if box.width <= 0 or box.height <= 0:
            yield f"{where} in {picture.path} has no area"
        elif (
            min(box.x, box.y) < -_SLACK
            or right > picture.width + _SLACK
            or low > picture.height + _SLACK
        ):
            yield (
                f"{where} reaches out of {picture.path}, which is "
                f"{picture.width} x {picture.height}"
            )


def _of_size(picture: BoxedPicture) -> Iterator[str]:
    try:
        height, width = read_image(picture.path).shape[:2]
    except SourceError as error:
        yield str(error)
        return
    if (width, height) != (picture.width, picture.height):
        yield (
            f"{picture.path} is {width} x {height}, and the JSON says "
            f"{picture.width} x {picture.height}"
        )
