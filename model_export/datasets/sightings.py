"""What a published detector sees in pictures, of all its classes.

Looked for once, since that takes five inferences a picture: `unboxed` and `things` go by it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge_runtime.frame import Image
from edge_runtime.inference.model import Detector, ModelSettings, load_detector
from model_export.datasets.coco import BoxedPicture, BoxedPictures
from model_export.errors import ExportError
from model_export.writing import write_whole

LEAST = 0.3
"""The least score of what is kept."""

_SIDE = 0.6
"""Of the picture's, of each of the four parts: what lies on their borders is whole in one."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One object.

    Attributes:
        label: what the detector calls it.
        score: how sure it is, 0..1.
        corners: x1, y1, x2, y2 in pixels of the picture, not beyond it.
        enlarged: whether it was seen in a part of the picture. Such a one shows more small
            objects, and more that only look like one.
    """

    label: str
    score: float
    corners: tuple[float, float, float, float]
    enlarged: bool


Sightings = Mapping[str, tuple[Sighting, ...]]
"""By the names of the pictures' files."""


def look(
    data: BoxedPictures,
    settings: ModelSettings,
    progress: Callable[[float], None] = lambda _: None,
) -> Sightings:
    """What the detector sees in each picture, as a whole and in parts, the surest first.

    Args:
        settings: the detector; its threshold and classes are not used.

    Raises:
        EdgeRuntimeError: the detector cannot be run, or a picture cannot be read.
    """
    detector = load_detector(replace(settings, threshold=LEAST, thresholds={}, classes=None))
    seen = {}
    for number, picture in enumerate(data.pictures):
        found = sorted(_seen(detector, picture), key=lambda one: -one.score)
        seen[picture.path.name] = tuple(found)
        progress((number + 1) / len(data))
    return seen


def save(path: Path, seen: Sightings) -> None:
    """Write them as JSON.

    Raises:
        ExportError: it cannot be written.
    """
    rows = {
        name: [[one.label, one.score, *one.corners, one.enlarged] for one in found]
        for name, found in seen.items()
    }
    write_whole(path, json.dumps(rows).encode())


def load(path: Path) -> Sightings:
    """Read what `save` wrote.

    Raises:
        ExportError: the file is missing, or something else.
    """
    try:
        rows = json.loads(path.read_bytes())
        return {
            name: tuple(
                Sighting(str(label), float(score), (x1, y1, x2, y2), bool(enlarged))
                for label, score, x1, y1, x2, y2, enlarged in found
            )
            for name, found in rows.items()
        }
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror}") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise ExportError(f"{path} does not hold what a detector saw: remove it") from error


def _seen(detector: Detector, picture: BoxedPicture) -> Iterator[Sighting]:
    image = picture.read()
    size = np.array([picture.width, picture.height] * 2)
    for part, left, top in _parts(image):
        found = detector.detect(part)
        corners = np.clip(found.boxes + np.array([left, top, left, top], np.float64), 0, size)
        for number, (x1, y1, x2, y2) in enumerate(corners.round(2).tolist()):
            score = round(float(found.scores[number]), 4)
            yield Sighting(found.label(number), score, (x1, y1, x2, y2), part is not image)


def _parts(image: Image) -> Iterator[tuple[Image, int, int]]:
    """The picture and four overlapping parts, each with its corner."""
    yield image, 0, 0
    height, width = image.shape[:2]
    high, wide = round(height * _SIDE), round(width * _SIDE)
    for top in (0, height - high):
        for left in (0, width - wide):
            yield np.ascontiguousarray(image[top : top + high, left : left + wide]), left, top
