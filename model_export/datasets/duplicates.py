"""Finds pictures that are nearly the same, so that a split does not test what was trained on.

The perceptual hash of a picture is 63 bits: whether each of the lowest frequencies of its
brightness, without the mean, is above their median. Pictures that were scaled, compressed or
slightly retouched differ in a few bits, others in about half of them.

Source: Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions (2010), part
3.2.1, the hash by discrete cosine transform.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.capture.source import SourceError
from edge_runtime.frame import Image
from model_export.datasets.samples import Sample

Hashes = NDArray[np.uint64]
"""N x 2 uint64: of the picture, and of its mirror image."""

ALIKE = 8
"""Bits: two pictures are taken for nearly the same up to this difference.

Up to 6 all pairs of a set of faces were the same picture; of those that differ by 7 or 8 about half
were, and from 10 on chains join what has nothing in common. One that is missed makes a test too
kind; one too many costs nothing."""

_SIDE = 32
_LOW = 8
_BLOCK = 512


def perceptual_hashes(
    samples: Sequence[Sample], progress: Callable[[float], None] = lambda _: None
) -> Hashes:
    """The hashes of all samples; of one that cannot be read, hashes that no other one has.

    `checks` is what names pictures that cannot be read.
    """
    small = np.zeros((len(samples), _SIDE, _SIDE), np.float32)
    broken: list[int] = []
    for number, image in enumerate(_images(samples)):
        if image is None:
            broken.append(number)
        else:
            grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
            small[number] = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        progress((number + 1) / len(samples))
    hashes = np.stack([_hashes(small), _hashes(small[:, :, ::-1])], axis=1)
    hashes[broken] = np.random.default_rng(0).integers(2**63, size=(len(broken), 2))
    return hashes


def _images(samples: Sequence[Sample]) -> Iterator[Image | None]:
    """Each sample's picture; crops that follow one another share the decoding of their file."""

    def of_file(sample: Sample) -> Path:
        return sample.path

    for _, group in groupby(samples, key=of_file):
        yield from _cuts(list(group))


def _cuts(samples: Iterable[Sample]) -> Iterator[Image | None]:
    whole: Image | None = None
    for number, sample in enumerate(samples):
        if number == 0:
            try:
                whole = Sample(sample.path, 0).read()
            except SourceError:
                whole = None
        cut = None if whole is None else sample.cut(whole)
        yield cut if cut is not None and cut.size else None


def _hashes(small: NDArray[np.float32]) -> NDArray[np.uint64]:
    """The hash of each of N x 32 x 32 brightnesses."""
    cosines = _cosines()
    low = (cosines @ small @ cosines.T).reshape(-1, _LOW * _LOW)[:, 1:]
    bits = low > np.median(low, axis=1, keepdims=True)
    weights = np.uint64(1) << np.arange(bits.shape[1], dtype=np.uint64)
    hashes: NDArray[np.uint64] = (bits * weights).sum(axis=1, dtype=np.uint64)
    return hashes


def _cosines() -> NDArray[np.float32]:
    """The lowest rows of the matrix of the discrete cosine transform (DCT-II)."""
    places = np.arange(_SIDE) + 0.5
    return np.cos(np.pi / _SIDE * np.arange(_LOW)[:, None] * places).astype(np.float32)


def group(hashes: Hashes, alike: int = ALIKE) -> NDArray[np.int64]:
    """The number of each picture's group: what is alike, also by way of others, is in one.

    A picture and its mirror image are alike. Groups are numbered from 0.
    """
    groups = np.arange(len(hashes))
    first, second = _pairs(hashes, alike)
    while True:
        # Each takes the lowest number among those it is paired with, until all have it.
        before = groups.copy()
        np.minimum.at(groups, first, groups[second])
        np.minimum.at(groups, second, groups[first])
        groups = groups[groups]
        if np.array_equal(groups, before):
            return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _pairs(hashes: Hashes, alike: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The indexes of all pairs that differ by at most `alike` bits."""
    rows, columns = [], []
    plain, mirrored = hashes[:, 0], hashes[:, 1]
    for start in range(0, len(hashes), _BLOCK):
        block = plain[start : start + _BLOCK, None]
        near = (_bits(block ^ plain[None, start:]) <= alike) | (
            _bits(block ^ mirrored[None, start:]) <= alike
        )
        row, column = np.nonzero(near)
        rows.append(row + start)
        columns.append(column + start)
    none = np.empty(0, np.int64)
    return np.concatenate([none, *rows]), np.concatenate([none, *columns])


def _bits(values: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """How many bits are set in each value; numpy before 2.0 cannot count them.

    Source: Warren, Hacker's Delight (2002), figure 5-2.
    """
    if hasattr(np, "bitwise_count"):
        counted: NDArray[np.uint8] = np.bitwise_count(values)
        return counted
    values = values - ((values >> np.uint64(1)) & np.uint64(0x5555555555555555))
    pairs = np.uint64(0x3333333333333333)
    values = (values & pairs) + ((values >> np.uint64(2)) & pairs)
    values = (values + (values >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return ((values * np.uint64(0x0101010101010101)) >> np.uint64(56)).astype(np.uint8)
