"""How much brighter each part of the picture is than what is remembered of it.

The shadows of clouds, a lamp, the camera's exposure change the light over large parts of the
picture, and evenly from each part to the next; a thing changes one place, and has an outline. So
the light is a smooth surface through all pixels but those that are far from it, and what is next
to them. It begins where it was at the last look: clouds move slowly, and what has come since then
is far from it from its first moment on.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge_runtime.analysis.planes import Bytes, Mask, Plane, grown

_HALF = slice(None, None, 2)
"""Every second pixel is enough."""
_COARSE, _SMOOTH = 16, 5
"""Pixels a side of large squares, and how many of them a side have about one light, that of most:
a thing among them does not count."""
_DETAIL = 0.25
"""By what part the light of a place may be other than that."""
_CELL, _PASSES = 8, 2
"""Pixels a side of the squares in which it is fitted, in so many steps."""
_FAR, _FAR_LEVELS = 0.15, 4.0
"""What differs from what is expected by more than this part of it, and by more levels, is no
light."""
_SEEN = 0.25
"""The part of a large square that has to be free for its light to be measured."""
_DARK = 2.0
"""Levels that are added before two are divided, as a camera's black is none."""
_STEADY = 2.0
"""So much weight, in levels, has what was expected against what is measured."""
_LEAST, _MOST = 0.004, 5.0


class Illumination:
    """The light on a picture of H x W pixels; 1 is that of the memory."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        self._gain: Plane = np.ones(_cells(shape, _CELL)[::-1], np.float32)

    def follow(self, grey: Bytes, before: Plane, free: Mask) -> None:
        """Fit it anew.

        Args:
            grey: the picture of now, H x W.
            before: what is remembered.
            free: where the two can be compared.
        """
        now, known = grey[_HALF, _HALF].astype(np.float32), before[_HALF, _HALF]
        weights = free[_HALF, _HALF].astype(np.float32)
        coarse = self._coarse(now, known, weights)
        if coarse is None:
            self._gain[:] = 1
            return
        gain = self._gain * np.median(coarse / self._gain)
        gain = np.clip(gain, coarse * (1 - _DETAIL), coarse * (1 + _DETAIL))
        for _ in range(_PASSES):
            gain = _fitted(gain, now, known, weights)
        self._gain = np.asarray(np.clip(gain, 1 / _MOST, _MOST), np.float32)

    def take(self, share: float) -> Plane | None:
        """What the memory has to be multiplied with to take on `share` of the light of now.

        From then on that much is the light of the memory. None: it is that of now already.
        """
        if not self._has_changed():
            return None
        taken = self._spread(np.power(self._gain, share))
        self._gain = np.power(self._gain, 1 - share)
        return taken

    def rest(self) -> Plane | None:
        """What the memory has to be multiplied with to be in the light of now; None: nothing."""
        return self._spread(self._gain) if self._has_changed() else None

    def _has_changed(self) -> bool:
        return float(np.abs(self._gain - 1).max()) > _LEAST

    def _coarse(self, now: Plane, known: Plane, weights: Plane) -> Plane | None:
        """The light of most in large squares, at each small one; None: nothing can be seen."""
        size = _cells(self._shape, _COARSE)
        light, dark, seen = (
            _means(each, size) for each in (now * weights, known * weights, weights)
        )
        clear = seen >= _SEEN
        if not clear.any():
            return None
        gain = (light + _DARK * seen) / np.maximum(dark + _DARK * seen, 1e-3)
        gain[~clear] = np.median(gain[clear])
        smooth = cv2.medianBlur(gain, _SMOOTH)
        return np.asarray(cv2.resize(smooth, self._gain.shape[::-1]), np.float32)

    def _spread(self, gain: Plane) -> Plane:
        """For each pixel."""
        height, width = self._shape
        return np.asarray(cv2.resize(gain, (width, height)), np.float32)


def _fitted(gain: Plane, now: Plane, known: Plane, weights: Plane) -> Plane:
    """`gain`, nearer to what makes `known` look like `now` where that is a light."""
    height, width = now.shape
    lit = known * cv2.resize(gain, (width, height))
    far = np.abs(now - lit) > np.maximum(_FAR * lit, _FAR_LEVELS)
    near = weights * ~grown(far & (weights > 0), 1)
    size = gain.shape[1], gain.shape[0]
    light, expected = (
        cv2.GaussianBlur(_means((each + _DARK) * near, size), (0, 0), 1.0) for each in (now, lit)
    )
    return np.asarray(gain * (light + _STEADY) / (expected + _STEADY), np.float32)


def _means(levels: Plane, size: tuple[int, int]) -> Plane:
    """The mean in each square."""
    return np.asarray(cv2.resize(levels, size, interpolation=cv2.INTER_AREA), np.float32)


def _cells(shape: tuple[int, int], side: int) -> tuple[int, int]:
    """How many squares there are across and down."""
    return max(shape[1] // side, 1), max(shape[0] // side, 1)
