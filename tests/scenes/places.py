"""Places outdoors and in a mall, drawn by code: a square, a street corner, a hall with windows.

Each differs with its seed. They have what an empty lobby lacks: stones with joints and grain, walls
with windows, trees, tiles that shine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.frame import Image
from tests.scenes.lens import as_picture
from tests.scenes.people import Room

Rng = np.random.Generator
Plane = NDArray[np.float32]
"""H x W, or H x W x 3."""

SIZE = (640, 360)
HORIZON = 0.33
"""Where the ground ends, in 0..1 of the height."""


def square(rng: Rng) -> Image:
    """Slabs of stone before a house; trees on the left."""
    floor = _ground(rng, tone=rng.uniform(105, 165), grain=7.0, joints=-26.0, slab=0.55)
    canvas = _behind(rng, floor, wall=rng.uniform(90, 150))
    return _finished(canvas)


def corner(rng: Rng) -> Image:
    """Asphalt with a coarse grain, a kerb and a lane's line; a pole stands there."""
    canvas = _ground(rng, tone=rng.uniform(70, 115), grain=12.0, joints=0.0, slab=1.0)
    height, width = canvas.shape[:2]
    kerb = rng.uniform(0.5, 0.58)
    pavement = _ground(rng, tone=rng.uniform(120, 160), grain=6.0, joints=-18.0, slab=0.35)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    near = rows / height > kerb + 0.05 * columns / width
    canvas[near] = pavement[near]
    for y, levels in ((kerb, 178.0), (kerb - 0.012, 60.0), (kerb - 0.09, 205.0)):
        ends = (0, round(y * height)), (width, round((y + 0.05) * height))
        cv2.line(canvas, *ends, (levels,) * 3, 2, cv2.LINE_AA)
    canvas = _behind(rng, canvas, wall=rng.uniform(80, 130))
    x = round(rng.uniform(0.7, 0.9) * width)
    cv2.line(canvas, (x, 0), (x, round(0.6 * height)), (62, 66, 64), 6, cv2.LINE_AA)
    return _finished(canvas)


def mall(rng: Rng) -> Image:
    """Large light tiles that mirror the shops behind them a little."""
    canvas = _ground(rng, tone=rng.uniform(150, 195), grain=2.0, joints=-14.0, slab=1.0)
    canvas = _behind(rng, canvas, wall=rng.uniform(110, 160), windows=(3, 1))
    height = canvas.shape[0]
    horizon = round(HORIZON * height)
    mirrored = cv2.GaussianBlur(canvas[horizon - 1 :: -1], (0, 0), 4.0)
    deep = min(len(mirrored), height - horizon)
    fades = np.linspace(0.3, 0.0, deep, dtype=np.float32)[:, None, None]
    part = canvas[horizon : horizon + deep]
    part[:] = part * (1 - fades) + mirrored[:deep] * fades
    return _finished(canvas)


PLACES: dict[str, tuple[Callable[[Rng], Image], float]] = {
    "square": (square, 0.55),
    "corner": (corner, 0.7),
    "mall": (mall, 0.85),
}
"""By name: what draws it, and how tall people are in it, by how tall they are in a lobby."""


def room(name: str, seed: int, people: Room) -> Room:
    """The place of that seed, with somebody else's people."""
    draw, scale = PLACES[name]
    picture = draw(np.random.default_rng((seed, *map(ord, name))))
    return replace(people, picture=picture, scale=scale)


def _ground(rng: Rng, *, tone: float, grain: float, joints: float, slab: float) -> Plane:
    """A ground in perspective: `slab` metres wide, with joints so much darker."""
    width, height = SIZE
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    near = np.maximum(rows / height - HORIZON, 0.02) / (1 - HORIZON)
    depth = 3.0 / near
    across = (columns / width - 0.5) * depth * 1.6
    turn = rng.uniform(-0.4, 0.4)
    u = (across * np.cos(turn) - depth * np.sin(turn)) / slab
    v = (across * np.sin(turn) + depth * np.cos(turn)) / slab
    shades = rng.normal(0, grain * 0.7, (64, 64)).astype(np.float32)
    levels = tone + shades[np.floor(v).astype(int) % 64, np.floor(u).astype(int) % 64]
    # What is smaller than a pixel far away is not seen: it fades with the distance.
    fades = np.clip(near * 3, 0, 1)
    for each in (u, v):
        gap = np.abs(each - np.round(each)) * slab / depth * width / 1.6
        levels += joints * np.exp(-((gap / 0.9) ** 2)) * fades
    fine = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 0.8)
    levels += fine * grain * 1.6 * (0.3 + 0.7 * near)
    stains = rng.normal(0, 1, (9, 16)).astype(np.float32)
    levels += cv2.resize(stains, SIZE, interpolation=cv2.INTER_CUBIC) * 7
    tint = np.array([1, 1, 1], np.float32) + rng.uniform(-0.06, 0.06, 3).astype(np.float32)
    return np.asarray(levels[..., None] * tint, np.float32)


def _behind(rng: Rng, canvas: Plane, *, wall: float, windows: tuple[int, int] = (6, 2)) -> Plane:
    """A wall with windows above the horizon."""
    height, width = canvas.shape[:2]
    horizon = round(HORIZON * height)
    tint = 1 + rng.uniform(-0.1, 0.1, 3)
    canvas[:horizon] = (wall * tint).astype(np.float32)
    canvas[:horizon] += rng.normal(0, 4, (horizon, width, 1)).astype(np.float32)
    many, floors = windows
    for row in range(floors):
        for column in range(many):
            x1 = round((column + 0.2) * width / many)
            x2 = round((column + 0.8) * width / many)
            y1 = round((row + 0.15) * horizon / floors)
            y2 = round((row + 0.85) * horizon / floors)
            levels = rng.uniform(30, 190, 3).tolist()
            cv2.rectangle(canvas, (x1, y1), (x2, y2), levels, cv2.FILLED)
            cv2.rectangle(canvas, (x1, y1), (x2, y2), (60.0, 60.0, 58.0), 2)
    return canvas


def _finished(canvas: Plane) -> Image:
    return as_picture(cv2.GaussianBlur(canvas, (0, 0), 0.7))
