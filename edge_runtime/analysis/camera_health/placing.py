"""How far one picture is turned and shifted against another of the same scene.

No shift changes the magnitude of the spectrum, and a turn turns it; drawn over angle and radius,
that is a shift itself (Reddy and Chatterji: An FFT-based technique for translation, rotation, and
scale-invariant image registration, IEEE TIP 5(8), 1996).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.analysis.planes import Plane

_ANGLES, _RADII = 180, 64
"""The polar picture: a row a degree, and columns with the logarithm of the radius."""
_SIDE = 160
_INNER, _OUTER = 4.0, 72.0
"""The radii, in the spectrum of _SIDE x _SIDE: what is coarser is light, what is finer noise."""


@dataclass(frozen=True, slots=True, eq=False)
class Placing:
    """Where the picture of before lies in the one of now.

    Attributes:
        back: the affine matrix, 2 x 3, from a place in the picture of before to its place now.
    """

    back: NDArray[np.float32]

    @property
    def turned(self) -> NDArray[np.float32]:
        """The part of it that turns gradients, 2 x 2."""
        return self.back[:, :2]

    def warp(self, plane: Plane) -> Plane:
        """`plane` of the picture of now as it lay before; 0 where nothing is known."""
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = plane.shape[1], plane.shape[0]
        return np.asarray(cv2.warpAffine(plane, self.back, size, flags=flags), np.float32)

    def pixels(self, width: int, height: int) -> float:
        """By how many pixels the corner has moved that has moved furthest."""
        corners = np.array([(0, 0), (width, 0), (0, height), (width, height)], np.float32)
        moved = corners @ self.turned.T + self.back[:, 2] - corners
        return float(np.hypot(moved[:, 0], moved[:, 1]).max())


class Outline:
    """The edges of a picture, from its gradient (two planes, H x W)."""

    def __init__(self, across: Plane, down: Plane) -> None:
        self.edges: Plane = np.hypot(across, down)

    @cached_property
    def polar(self) -> Plane:
        """The magnitude of their spectrum over angle and radius."""
        return _polar(self.edges)


def may_be_shifted(before: tuple[Plane, Plane], now: tuple[Plane, Plane]) -> bool:
    """Whether the sums over columns, or over rows, fit better beside one another than upon.

    A tenth of the time of `shifted`; both are gradients, across and down.
    """
    return any(
        _best_shift(np.abs(one).sum(axis=axis), np.abs(other).sum(axis=axis)) != 0
        for axis, (one, other) in enumerate(zip(before, now, strict=True))
    )


def shifted(before: Outline, now: Outline) -> Placing:
    """The placing of `now` against `before` if it is but shifted."""
    x, y = _shift(before.edges, now.edges)
    return Placing(np.array([(1, 0, round(x)), (0, 1, round(y))], np.float32))


def turned(before: Outline, now: Outline) -> Placing:
    """The same if it is turned, by less than 90 degrees, and shifted."""
    height, width = before.edges.shape
    centre = (width - 1) / 2, (height - 1) / 2
    turn = cv2.getRotationMatrix2D(centre, _angle(before.polar, now.polar), 1.0)
    upright = Placing(np.asarray(turn, np.float32))
    x, y = _shift(before.edges, upright.warp(now.edges))
    upright.back[:, 2] += upright.turned @ np.array((x, y), np.float32)
    return upright


def _best_shift(before: NDArray[np.float32], now: NDArray[np.float32]) -> int:
    alike = np.correlate(now - now.mean(), before - before.mean(), "same")
    return int(np.argmax(alike)) - len(before) // 2


def _angle(before: Plane, now: Plane) -> float:
    """By how many degrees the polar picture `now` is turned against `before`, anticlockwise."""
    product = np.fft.rfft(before, axis=0) * np.conj(np.fft.rfft(now, axis=0))
    alike = np.fft.irfft((product / np.maximum(np.abs(product), 1e-6)).sum(axis=1), _ANGLES)
    best = int(np.argmax(alike))
    left, middle, right = alike[[best - 1, best, (best + 1) % _ANGLES]]
    peak = best + 0.5 * (right - left) / max(2 * middle - left - right, 1e-9)  # of a parabola
    return float((peak + _ANGLES / 2) % _ANGLES - _ANGLES / 2)


def _shift(before: Plane, now: Plane) -> tuple[float, float]:
    window = _window(before.shape[1], before.shape[0])
    # Given the window itself, OpenCV multiplies what it was given in place.
    (x, y), _ = cv2.phaseCorrelate(before * window, now * window)
    return x, y


def _polar(edges: Plane) -> Plane:
    """The magnitude of the spectrum over angle and radius, _ANGLES x _RADII."""
    height, width = min(edges.shape[0], _SIDE), min(edges.shape[1], _SIDE)
    square = np.zeros((_SIDE, _SIDE), np.float32)
    part = edges[:height, :width]
    np.multiply(part - part.mean(), _window(width, height), out=square[:height, :width])
    spectrum = np.fft.fftshift(np.log1p(np.abs(np.fft.rfft2(square))), axes=0).astype(np.float32)
    polar = cv2.remap(spectrum, *_grid(), cv2.INTER_LINEAR)
    return np.asarray(polar - polar.mean(axis=0), np.float32)


@cache
def _window(width: int, height: int) -> Plane:
    return np.asarray(cv2.createHanningWindow((width, height), cv2.CV_32F), np.float32)


@cache
def _grid() -> tuple[Plane, Plane]:
    angles = np.deg2rad(np.arange(_ANGLES) - _ANGLES / 2)[:, None]
    radii = np.geomspace(_INNER, _OUTER, _RADII)[None]
    across = (radii * np.cos(angles)).astype(np.float32)
    return across, (_SIDE / 2 + radii * np.sin(angles)).astype(np.float32)
