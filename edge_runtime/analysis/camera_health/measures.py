"""What is measured of one glance, without an opinion about it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.analysis.glance import Glance
from edge_runtime.analysis.planes import Bytes, Mask, Plane

COLUMNS, ROWS = 8, 6
"""The tiles of the picture over which structure is compared."""
WHITE, BLACK = 245, 42
"""Grey levels: from WHITE on a pixel counts as saturated, and below BLACK as without light."""
_COARSE = (32, 18)
_QUIET, _QUIET_SIGMAS = 0.3, 0.385
"""Of normal noise, 30% of the values are below 0.385 standard deviations."""


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """One glance in numbers.

    Attributes:
        mean: of all pixels, in grey levels.
        black: the share of pixels without light.
        white: the share of saturated pixels, among those that are not black.
        light: the mean of each tile, ROWS x COLUMNS, in grey levels.
        across, down: the gradient, H x W.
        energy: the gradient's mean square in each tile, ROWS x COLUMNS.
        fine: the mean square of what a blur takes away, in each tile.
        coarse: the picture without its details, 18 x 32.
    """

    mean: float
    black: float
    white: float
    light: Plane
    across: Plane
    down: Plane
    energy: Plane
    fine: Plane
    coarse: Plane

    @classmethod
    def of(cls, glance: Glance) -> Measures:
        """Measure `glance`."""
        counts = _counts(glance.grey)
        size = glance.grey.size
        across = np.asarray(cv2.Sobel(glance.calm, cv2.CV_32F, 1, 0), np.float32)
        down = np.asarray(cv2.Sobel(glance.calm, cv2.CV_32F, 0, 1), np.float32)
        detail = np.asarray(cv2.subtract(glance.grey, glance.calm, dtype=cv2.CV_32F), np.float32)
        return cls(
            mean=float(counts @ np.arange(256)) / size,
            black=float(counts[:BLACK].sum()) / size,
            white=float(counts[WHITE:].sum()) / max(size - int(counts[0]), size // 20, 1),
            light=tiles(np.asarray(glance.calm, np.float32)),
            across=across,
            down=down,
            energy=tiles(across * across + down * down),
            fine=tiles(detail * detail),
            coarse=np.asarray(
                cv2.resize(glance.calm, _COARSE, interpolation=cv2.INTER_AREA), np.float32
            ),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One glance beside an earlier one.

    Attributes:
        levels: the mean difference of a pixel in each tile, in grey levels.
        noise: the mean square of the difference's fine part, judged by its smaller values: noise
            is in every pixel, but people and rain are in some.
    """

    levels: Plane
    noise: float

    @classmethod
    def of(cls, before: Glance, now: Glance) -> Change:
        """Compare `now` with `before`, of the same size."""
        difference = np.asarray(cv2.subtract(now.grey, before.grey, dtype=cv2.CV_16S), np.int16)
        # In ninths of a grey level a blur of 3 x 3 is whole, and counting is faster than sorting.
        rest = 9 * difference - cv2.boxFilter(difference, -1, (3, 3), normalize=False)
        ninths = np.asarray(cv2.convertScaleAbs(rest), np.uint8)  # above 255 none is quiet
        place = round(_QUIET * ninths.size)
        quiet = int(np.searchsorted(np.cumsum(_counts(ninths)), place, side="right")) / 9
        return cls(
            levels=tiles(np.abs(difference, dtype=np.float32)),
            noise=(quiet / _QUIET_SIGMAS) ** 2,
        )


def alike(one: Measures, other: Measures) -> Plane:
    """The correlation of two glances' gradients in each tile, -1..1; brightness does not count."""
    product = tiles(one.across * other.across + one.down * other.down)
    return np.asarray(product / np.sqrt(np.maximum(one.energy * other.energy, 1.0)), np.float32)


def part(mask: Mask) -> float:
    """The part of `mask` that is True: a fifth of the time of its `mean`."""
    return int(np.count_nonzero(mask)) / mask.size


def _counts(plane: Bytes) -> NDArray[np.int64]:
    """How many pixels have each of the 256 levels: a fifth of the time of `np.bincount`."""
    counts = cv2.calcHist([plane], [0], None, [256], [0, 256])
    return counts.reshape(-1).astype(np.int64)


def tiles(plane: Plane) -> Plane:
    """The means of `plane` over its tiles, ROWS x COLUMNS."""
    return np.asarray(cv2.resize(plane, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA), np.float32)
