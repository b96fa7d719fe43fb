"""Objects that have no box: what a published detector sees there is left out of account.

Training on pictures with missing boxes teaches that what stands there is background. A crowd is
neither object nor background, so that a detector that errs does no harm beyond its own place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge_runtime.frame import Image
from edge_runtime.inference.model import Detector, ModelSettings, load_detector
from model_export.datasets.coco import Box, BoxedPicture, BoxedPictures
from model_export.errors import ExportError

_WHOLE, _PART = 0.45, 0.6
"""The least score of what is seen in a whole picture, and in a part of it: an enlarged one shows
more small objects, and more that only look like one."""

_SIDE = 0.6
"""Of the picture's, of each of the four parts: what lies on their borders is whole in one."""

_SAME, _WITHIN = 0.35, 0.55
"""Above this intersection over union with a box, or with more than that share of its own area in
one, something has its box."""

Corners = NDArray[np.float64]
"""N x 4 (x1, y1, x2, y2) in pixels."""


def with_crowds(
    data: BoxedPictures,
    settings: ModelSettings,
    progress: Callable[[float], None] = lambda _: None,
) -> BoxedPictures:
    """The data with a crowd wherever the detector sees an object and there is no box.

    Args:
        data: of one class.
        settings: a detector that knows that class; its threshold and classes are not used.

    Raises:
        ExportError: the data has several classes.
        EdgeRuntimeError: the detector cannot be run, does not know the class, or a picture cannot
            be read.
    """
    if len(data.classes) != 1:
        raise ExportError(
            f"boxes that are missing are looked for in data of one class, not {len(data.classes)}"
        )
    detector = load_detector(
        replace(settings, threshold=_WHOLE, thresholds={}, classes=frozenset(data.classes))
    )
    pictures = []
    for number, picture in enumerate(data.pictures):
        corners, scores = _seen(detector, picture.read())
        pictures.append(_with_crowds(picture, corners[np.argsort(-scores, kind="stable")]))
        progress((number + 1) / len(data))
    return replace(data, pictures=tuple(pictures))


def _seen(detector: Detector, image: Image) -> tuple[Corners, NDArray[np.float32]]:
    """Boxes and scores of what the detector is sure enough of, in the whole and in its parts."""
    boxes, scores = [], []
    for part, left, top, least in _parts(image):
        found = detector.detect(part)
        sure = found.scores >= least
        boxes.append(found.boxes[sure] + np.array([left, top, left, top], np.float64))
        scores.append(found.scores[sure])
    return np.concatenate(boxes), np.concatenate(scores)


def _parts(image: Image) -> Iterator[tuple[Image, int, int, float]]:
    """The picture and four overlapping parts, each with its corner and the least score."""
    yield image, 0, 0, _WHOLE
    height, width = image.shape[:2]
    high, wide = round(height * _SIDE), round(width * _SIDE)
    for top in (0, height - high):
        for left in (0, width - wide):
            part = np.ascontiguousarray(image[top : top + high, left : left + wide])
            yield part, left, top, _PART


def _with_crowds(picture: BoxedPicture, corners: Corners) -> BoxedPicture:
    """The surest come first; each is held against all boxes and those that came before."""
    size = np.array([picture.width, picture.height] * 2)
    known = np.array(
        [(box.x, box.y, box.x + box.width, box.y + box.height) for box in picture.boxes], np.float64
    ).reshape(-1, 4)
    crowds = []
    for one in np.clip(corners, 0, size):
        if not _has_box(one, known):
            known = np.concatenate([known, one[np.newaxis]])
            x, y, right, bottom = map(float, one)
            crowds.append(Box(x, y, right - x, bottom - y, 0, crowd=True))
    return replace(picture, boxes=(*picture.boxes, *crowds))


def _has_box(one: Corners, boxes: Corners) -> bool:
    """Whether a box lies there already; what has no extent needs none."""
    area = np.prod(one[2:] - one[:2])
    if area <= 0:
        return True
    low, high = np.maximum(boxes[:, :2], one[:2]), np.minimum(boxes[:, 2:], one[2:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    union = area + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) - shared
    return bool((shared > _SAME * union).any() or (shared > _WITHIN * area).any())
