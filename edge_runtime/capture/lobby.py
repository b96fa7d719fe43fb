"""The room that the virtual camera looks into: drawn once, in fractions of the picture's size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

Layer = NDArray[np.float32]
"""H x W x channels, values of 0 to 255."""

HORIZON = 0.44
"""Where floor and rear wall meet, as a fraction of the picture's height."""
LEDGE = 0.88
"""Where the machine's own ledge begins, behind which a visitor stands."""

_Colour = tuple[float, float, float]
_Corners = Sequence[tuple[float, float]]

_SIDES: tuple[_Corners, ...] = (
    [(0, 0), (0.13, 0.06), (0.13, 0.47), (0, 0.80)],
    [(1, 0), (0.87, 0.06), (0.87, 0.47), (1, 0.80)],
)
_PANES: tuple[_Corners, ...] = ([(0.452, 0.10), (0.545, 0.43)], [(0.555, 0.10), (0.648, 0.43)])


def room(width: int, height: int) -> Layer:
    """Rear wall, floor in perspective, a glass door, a counter and a plant."""
    canvas = np.empty((height, width, 3), np.float32)
    horizon = round(HORIZON * height)
    at = partial(_pixels, width, height)
    rows = np.linspace(0, 1, horizon, dtype=np.float32)[:, None, None]
    canvas[:horizon] = np.array([176, 190, 198], np.float32) * (0.86 + 0.18 * rows)
    _paint_floor(canvas, horizon)
    # The side walls run towards the eye.
    for corners in _SIDES:
        cv2.fillPoly(canvas, [at(corners)], (150, 163, 170), cv2.LINE_AA)
        cv2.polylines(canvas, [at(corners)], True, (118, 130, 138), 1, cv2.LINE_AA)
    _box(canvas, at([(0.44, 0.08), (0.66, HORIZON + 0.01)]), (92, 100, 104))
    for pane in _PANES:
        _box(canvas, at(pane), (196, 190, 172))
    _box(canvas, at([(0.18, 0.30), (0.38, 0.47)]), (88, 104, 122))
    _box(canvas, at([(0.17, 0.285), (0.39, 0.305)]), (60, 72, 84))
    _box(canvas, at([(0.20, 0.09), (0.36, 0.22)]), (120, 74, 40))
    _box(canvas, at([(0.21, 0.105), (0.35, 0.205)]), (206, 196, 182))
    _paint_plant(canvas, at)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), 0.9), np.float32)


def _paint_floor(canvas: Layer, horizon: int) -> None:
    """Tiles, by the inverse of the distance; the nearer, the brighter under the ceiling's lamp."""
    height, width = canvas.shape[:2]
    y, x = np.mgrid[horizon:height, 0:width].astype(np.float32)
    near = (y - horizon) / (height - horizon)
    depth = 1.0 / (near + 0.06)
    across = (x / width - 0.5) * depth * 5.0
    along = depth * 1.6
    dark = (np.floor(across) + np.floor(along)) % 2
    grey = 122 + 16 * dark * np.minimum(near * 3, 1) + 30 * near
    canvas[horizon:] = grey[..., None] * np.array([0.92, 0.98, 1.02], np.float32)


def _paint_plant(canvas: Layer, at: Callable[[_Corners], NDArray[np.int32]]) -> None:
    _box(canvas, at([(0.735, 0.41), (0.785, 0.52)]), (70, 88, 120))
    ((x, y),) = at([(0.76, 0.41)])
    reach = 0.17 * canvas.shape[0]
    for angle in np.linspace(math.radians(200), math.radians(340), 9):
        tip = round(x + reach * 0.7 * math.cos(angle)), round(y + reach * math.sin(angle))
        cv2.line(
            canvas, (int(x), int(y)), tip, (58, 104, 66), max(2, canvas.shape[0] // 90), cv2.LINE_AA
        )


def ledge(width: int, height: int) -> Layer:
    """The edge of the machine below its camera: brushed metal, near and out of focus."""
    rows = height - round(LEDGE * height)
    rng = np.random.default_rng(7)
    grain = rng.normal(0, 22, (rows, width)).astype(np.float32)
    streaks = np.asarray(cv2.blur(grain, (max(width // 12, 1), 1)), np.float32)
    fall = np.linspace(1.25, 0.7, rows, dtype=np.float32)[:, None]
    metal = (96 + streaks) * fall
    metal[: max(1, rows // 12)] += 50
    return np.repeat(metal[..., None], 3, axis=2) * np.array([1.02, 1.0, 0.97], np.float32)


def window_light(width: int, height: int) -> Layer:
    """What falls through the glass door onto the floor, and the door itself, for a sun of 1."""
    at = partial(_pixels, width, height)
    patch = np.zeros((height, width), np.float32)
    cv2.fillPoly(patch, [at([(0.46, 0.45), (0.64, 0.45), (0.82, 0.84), (0.50, 0.84)])], 34.0)
    for pane in _PANES:
        _box(patch, at(pane), 46.0)
    soft = np.asarray(cv2.GaussianBlur(patch, (0, 0), height / 60), np.float32)
    return soft[..., None] * np.array([0.86, 0.96, 1.06], np.float32)


def _pixels(width: int, height: int, corners: _Corners) -> NDArray[np.int32]:
    return np.round(np.array(corners) * (width, height)).astype(np.int32)


def _box(canvas: Layer, corners: NDArray[np.int32], colour: _Colour | float) -> None:
    (x1, y1), (x2, y2) = corners.tolist()
    cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, cv2.FILLED)
