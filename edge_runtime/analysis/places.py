"""Where it was looked in vain: leaves in the wind move all day, and are nobody each time.

The picture is divided into places. One in which something moves and a closer look has found nobody
is let be for a while, and for twice as long with each further time; where somebody is found, it
begins anew.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.analysis.glance import Grey
from edge_runtime.tracks import Box

_COLUMNS, _ROWS = 16, 12
_FIRST_REST, _LONGEST_REST = 0.3, 10.0
"""Seconds."""


class Places:
    """The places of one camera's picture; boxes are in 0..1 of it."""

    def __init__(self) -> None:
        self._looked = np.full((_ROWS, _COLUMNS), -np.inf)
        self._rest = np.zeros((_ROWS, _COLUMNS))

    def waiting(self, box: Box, now: float) -> float | None:
        """Seconds since the last look at what has its middle where `box` has; None: let it be."""
        at = _at((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        waits = float(now - self._looked[at])
        return waits if waits >= self._rest[at] else None

    def looked(
        self,
        region: Box,
        moved: Grey,
        candidates: Iterable[Box],
        found: Iterable[Box],
        now: float,
    ) -> None:
        """A look at `region` was taken for `candidates`, and has `found` somebody, or nobody.

        All in it that moves was looked at; `moved` is a small picture, 0 where nothing moves.
        """
        asked = cv2.resize(moved, (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA) > 0
        asked &= _mask(region)
        for box in candidates:
            asked[_at((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)] = True
        self._looked[asked] = now
        self._rest[asked] = np.clip(2 * self._rest[asked], _FIRST_REST, _LONGEST_REST)
        for box in found:
            self._rest[_mask(box)] = 0.0


def _at(x: float, y: float) -> tuple[int, int]:
    """Row and column of a point."""
    return (
        min(max(int(y * _ROWS), 0), _ROWS - 1),
        min(max(int(x * _COLUMNS), 0), _COLUMNS - 1),
    )


def _mask(box: Box) -> NDArray[np.bool_]:
    """The places that `box` touches."""
    mask = np.zeros((_ROWS, _COLUMNS), bool)
    (top, left), (bottom, right) = _at(box[0], box[1]), _at(box[2], box[3])
    mask[top : bottom + 1, left : right + 1] = True
    return mask
