"""Parts of pictures that show a thing or an animal, and no object.

Where all pictures have a person in them, a detector learns little of what else there is: parts
around what a published detector calls something else are pictures without anybody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edge_runtime.frame import Image
from model_export.datasets.coco import BoxedPicture, BoxedPictures
from model_export.datasets.sightings import Sighting, Sightings

_WHOLE, _PART = 0.3, 0.5
"""The least score of what was seen in a whole picture, and in a part of it. What exactly a thing
is does not matter."""

_SMALLEST = 0.008
"""Of the picture's area: what is smaller shows too few pixels when it is enlarged."""

_OBJECT = 0.01
"""Of a part's area: more than that of an object in it makes it one with an object."""

_AROUND = (2.2, 1.7, 1.35, 1.1)
"""How large a part is beside the thing in it, the largest that has no object."""

_SAME = 0.5
"""Above this intersection over union two sightings are of one thing."""


@dataclass(frozen=True, slots=True)
class Thing:
    """A part of a picture.

    Attributes:
        picture: in which it is.
        label: what the thing in it was taken for.
        left, top, right, bottom: in pixels.
    """

    picture: BoxedPicture
    label: str
    left: int
    top: int
    right: int
    bottom: int

    def read(self) -> Image:
        """The part as H x W x 3 BGR.

        Raises:
            SourceError: the file is missing or is no picture.
        """
        image = self.picture.read()
        return np.ascontiguousarray(image[self.top : self.bottom, self.left : self.right])


def things(data: BoxedPictures, seen: Sightings, most: int, seed: int) -> tuple[Thing, ...]:
    """Parts around things, at most so many of a kind, in the order of the pictures.

    Args:
        data: of whose classes, and of whose boxes, crowds included, none may be in a part.
        seen: what a detector sees in these pictures.
        most: of each kind.
        seed: where in its part each thing is, and which of a kind are taken.
    """
    rng = np.random.default_rng(seed)
    kinds: dict[str, list[int]] = defaultdict(list)
    found: list[Thing] = []
    for picture in data.pictures:
        for thing in _beside(picture, seen.get(picture.path.name, ()), data.classes, rng):
            kinds[thing.label].append(len(found))
            found.append(thing)
    kept = [rng.permutation(kinds[kind])[:most] for kind in sorted(kinds)]
    return tuple(found[index] for index in sorted(np.concatenate(kept))) if kept else ()


def _beside(
    picture: BoxedPicture, seen: tuple[Sighting, ...], classes: tuple[str, ...], rng: Generator
) -> Iterator[Thing]:
    objects = _rows(
        [(box.x, box.y, box.x + box.width, box.y + box.height) for box in picture.boxes]
    )
    known, names = _rows([]), list[str]()
    # The surest come first: what was first called a thing is no object on second thoughts.
    for one in seen:
        corners = _rows([one.corners])
        small = _areas(corners)[0] < _SMALLEST * picture.width * picture.height
        if one.score < (_PART if one.enlarged else _WHOLE) or _is_among(corners, known):
            continue
        if one.label in classes:
            objects = np.concatenate([objects, corners])
        elif not small:
            known = np.concatenate([known, corners])
            names.append(one.label)
    for label, corners in zip(names, known, strict=True):
        part = _part(picture, corners, objects, rng)
        if part is not None:
            yield Thing(picture, label, *part)


def _is_among(one: NDArray[np.float64], known: NDArray[np.float64]) -> bool:
    """Whether it (1 x 4) is one of N that are known."""
    shared = _shared(one[0], known)
    return bool((shared > _SAME * (_areas(one) + _areas(known) - shared)).any())


def _part(
    picture: BoxedPicture, thing: NDArray[np.float64], objects: NDArray[np.float64], rng: Generator
) -> tuple[int, int, int, int] | None:
    """The corners of the largest part around it without an object; None: there is none."""
    size = np.array([picture.width, picture.height])
    extent = thing[2:] - thing[:2]
    shift = rng.uniform(-0.5, 0.5, 2)
    for factor in _AROUND:
        # Not much longer than wide: it is stretched to a square.
        sides = np.minimum(np.maximum(extent, extent.max() / 2) * factor, size)
        start = thing[:2] - (sides - extent) / 2 + shift * np.maximum(sides - extent, 0)
        start = np.clip(start, 0, size - sides)
        part = np.concatenate([start, start + sides])
        if not (_shared(part, objects) > _OBJECT * np.prod(sides)).any():
            left, top, right, bottom = part.round().astype(int).tolist()
            return left, top, right, bottom
    return None


def _rows(corners: list[tuple[float, float, float, float]]) -> NDArray[np.float64]:
    return np.array(corners, np.float64).reshape(-1, 4)


def _areas(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.prod(corners[:, 2:] - corners[:, :2], axis=1))


def _shared(one: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """The area that each of N others has in common with one."""
    low, high = np.maximum(others[:, :2], one[:2]), np.minimum(others[:, 2:], one[2:])
    return np.asarray(np.prod(np.maximum(high - low, 0), axis=1))
