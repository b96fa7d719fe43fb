"""Objects that have no box: what a published detector sees there is left out of account.

Training on pictures with missing boxes teaches that what stands there is background. A crowd is
neither object nor background, so that a detector that errs does no harm beyond its own place.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from model_export.datasets.coco import Box, BoxedPicture, BoxedPictures
from model_export.datasets.sightings import Sightings
from model_export.errors import ExportError

_WHOLE, _PART = 0.45, 0.6
"""The least score of what was seen in a whole picture, and in a part of it."""

_SAME, _WITHIN = 0.35, 0.55
"""Above this intersection over union with a box, or with more than that share of its own area in
one, something has its box."""

Corners = NDArray[np.float64]
"""N x 4 (x1, y1, x2, y2) in pixels."""


def with_crowds(data: BoxedPictures, seen: Sightings) -> BoxedPictures:
    """The data with a crowd wherever an object was seen and there is no box.

    Args:
        data: of one class.
        seen: what a detector sees in these pictures; what bears the name of that class counts.

    Raises:
        ExportError: the data has several classes.
    """
    if len(data.classes) != 1:
        raise ExportError(
            f"boxes that are missing are looked for in data of one class, not {len(data.classes)}"
        )
    pictures = []
    for picture in data.pictures:
        corners = [
            one.corners
            for one in seen.get(picture.path.name, ())
            if one.label == data.classes[0] and one.score >= (_PART if one.enlarged else _WHOLE)
        ]
        pictures.append(_with_crowds(picture, np.array(corners, np.float64).reshape(-1, 4)))
    return replace(data, pictures=tuple(pictures))


def _with_crowds(picture: BoxedPicture, corners: Corners) -> BoxedPicture:
    """The surest come first; each is held against all boxes and those that came before."""
    known = np.array(
        [(box.x, box.y, box.x + box.width, box.y + box.height) for box in picture.boxes], np.float64
    ).reshape(-1, 4)
    crowds = []
    for one in corners:
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
