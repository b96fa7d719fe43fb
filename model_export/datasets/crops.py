"""Cuts pictures with boxes into pictures of one class: the objects, and what is beside them."""

from __future__ import annotations

import random

from model_export.datasets.coco import Box, BoxedPicture, BoxedPictures
from model_export.datasets.samples import LabelledPictures, Sample

BACKGROUND = "background"

_TRIES = 20


def crops(
    data: BoxedPictures, *, margin: float = 0.3, least: int = 40, seed: int = 0
) -> LabelledPictures:
    """One crop of the largest object and one of background from each picture that has them.

    Crops are square where the picture allows. The background is class 0, the data's classes follow.

    Args:
        data: pictures with boxes; no picture is read, the JSON's sizes count.
        margin: how much wider than its object's longer side a crop is.
        least: of an object's width and height, and of a crop of background, in pixels.
        seed: for where the background is taken.
    """
    generator = random.Random(seed)
    samples: list[Sample] = []
    for picture in data.pictures:
        largest = max(picture.boxes, key=lambda box: box.width * box.height, default=None)
        if largest and min(largest.width, largest.height) >= least and not largest.crowd:
            around = _around(largest, margin, picture)
            samples.append(Sample(picture.path, 1 + largest.label, around))
        beside = _beside(picture, least, generator)
        if beside:
            samples.append(Sample(picture.path, 0, beside))
    return LabelledPictures((BACKGROUND, *data.classes), tuple(samples))


def _around(box: Box, margin: float, picture: BoxedPicture) -> tuple[int, int, int, int]:
    half = max(box.width, box.height) * (1 + margin) / 2
    x, y = box.x + box.width / 2, box.y + box.height / 2
    return (
        max(0, int(x - half)),
        max(0, int(y - half)),
        min(picture.width, round(x + half)),
        min(picture.height, round(y + half)),
    )


def _beside(
    picture: BoxedPicture, least: int, generator: random.Random
) -> tuple[int, int, int, int] | None:
    """A square that no box touches; None where none was found in `_TRIES` tries."""
    most = min(picture.width, picture.height)
    if most < least:
        return None
    for _ in range(_TRIES):
        side = generator.randint(least, most)
        x = generator.randint(0, picture.width - side)
        y = generator.randint(0, picture.height - side)
        if not any(
            x < box.x + box.width
            and box.x < x + side
            and y < box.y + box.height
            and box.y < y + side
            for box in picture.boxes
        ):
            return x, y, x + side, y + side
    return None
