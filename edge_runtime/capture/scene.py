"""The virtual camera of an ATM: ``scene:atm`` is a lobby drawn by code, in which a person comes.

The room, its light, its shadows and the camera's noise are drawn; the person is a real picture (see
pictures/README.md), because a detector that was made for people is to be tried on one. What happens
is a script over the scene's own time, in seconds:

    0  nobody; 3  somebody comes, stays, and leaves at 12; 18  two come and stay; 32  the lens is
    covered, and stays so.

Nothing here knows of detectors. The same seed and the same second give the same picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.capture.drawn import Drawing, Drawn, Painter
from edge_runtime.capture.lobby import LEDGE, Layer, ledge, room, window_light
from edge_runtime.capture.opencv import as_image
from edge_runtime.capture.source import SourceError, SourceSettings
from edge_runtime.frame import Image

VISITOR = Path(__file__).parent / "pictures" / "visitor.webp"
COVERED_AT = 32.0
"""The second from which the lens is being covered."""

_COVERING_SECONDS = 0.6
_SEEPS = 0.01
"""The share of the light that comes through a covered lens; at 3% a detector still sees people."""
_NOISE = 3.0
"""Standard deviation of a pixel, in grey levels: a small sensor indoors."""
_NOISES = 8
_STEPS = 1.8
"""Steps a second of who walks; the head goes up and down with each."""

_HEAD = 0.36
"""The part of the visitor's picture that is the head."""
_BLUE = 108
"""As a hue of OpenCV's, 0 to 179."""

_SHADOW = 0.4
"""The share of the light that a body takes from what is behind it."""
_BLACK = np.zeros((1, 1, 3), np.float32)


@dataclass(frozen=True, slots=True)
class Mark:
    """Where somebody is at one moment.

    Attributes:
        at: seconds.
        x: the middle of the body, in 0..1 of the picture's width; outside of it: not in view.
        size: the height of what is seen of the body, in 0..1 of the picture's height.
    """

    at: float
    x: float
    size: float


@dataclass(frozen=True, slots=True)
class Walk:
    """One person's way through the scene; `other` is another person than the first one."""

    marks: tuple[Mark, ...]
    other: bool = False

    def at(self, seconds: float) -> tuple[Mark, bool] | None:
        """Where the person is, and whether walking; None before the first and after the last."""
        for before, after in pairwise(self.marks):
            if before.at <= seconds < after.at:
                part = (seconds - before.at) / (after.at - before.at)
                eased = part * part * (3 - 2 * part)
                x = before.x + (after.x - before.x) * eased
                size = before.size + (after.size - before.size) * eased
                return Mark(seconds, x, size), before.x != after.x
        return None


_WALKS = (
    # Comes from the right, stays at the machine, leaves to the left.
    Walk((Mark(3, 1.3, 0.62), Mark(5.5, 0.40, 0.74), Mark(12, 0.40, 0.74), Mark(14.5, -0.3, 0.66))),
    # Two come, one after the other; the second stands beside and a little behind the first.
    Walk((Mark(18, 1.3, 0.62), Mark(20.5, 0.36, 0.74), Mark(math.inf, 0.36, 0.74))),
    Walk((Mark(20, 1.3, 0.56), Mark(22.5, 0.77, 0.64), Mark(math.inf, 0.77, 0.64)), other=True),
)


def scene(name: str, settings: SourceSettings) -> Drawn:
    """The source ``scene:NAME?width=640&height=360&fps=10&seconds=5&seed=1``.

    Raises:
        SourceError: there is no scene of that name, or a setting is wrong.
    """
    title, _, query = name.partition("?")
    if title not in _SCENES:
        raise SourceError(f"there is no scene {title!r}: there is {', '.join(_SCENES)}")
    what, begin = _SCENES[title]
    return Drawn(what, Drawing.parse(query), settings, begin)


class Lobby:
    """Paints what the camera of an ATM sees."""

    def __init__(self, drawing: Drawing, walks: Sequence[Walk], covered_at: float) -> None:
        self._size = drawing.width, drawing.height
        self._walks = walks
        self._covered_at = covered_at
        self._room = room(*self._size)
        self._ledge = ledge(*self._size)
        self._light = window_light(*self._size)
        self._people = _people()
        rng = np.random.default_rng(drawing.seed)
        shape = (drawing.height, drawing.width, 3)
        self._noises = [rng.normal(0, _NOISE, shape).astype(np.int8) for _ in range(_NOISES)]

    def paint(self, number: int, seconds: float) -> Image:
        """The picture of that second."""
        canvas = self._room + self._light * _sun(seconds)
        places = [(walk, place) for walk in self._walks if (place := walk.at(seconds))]
        # Who is further away is hidden by who is nearer.
        for walk, (mark, walking) in sorted(places, key=lambda each: each[1][0].size):
            self._stand(canvas, self._people[walk.other], mark, walking=walking)
        top = canvas.shape[0] - self._ledge.shape[0]
        canvas[top:] = self._ledge
        canvas *= _lamp(seconds)
        canvas *= _cover(canvas.shape[0], seconds - self._covered_at)
        canvas += self._noises[number % _NOISES]
        return as_image(np.clip(canvas, 0, 255).astype(np.uint8))

    def _stand(self, canvas: Layer, person: Layer, mark: Mark, *, walking: bool) -> None:
        """Paint a person whose lower end is behind the ledge, with a shadow on the room."""
        width, height = self._size
        tall = round(mark.size * height)
        wide = round(person.shape[1] * tall / person.shape[0])
        figure = np.asarray(
            cv2.resize(person, (wide, tall), interpolation=cv2.INTER_AREA), np.float32
        )
        step = abs(math.sin(math.pi * _STEPS * mark.at)) * 0.02 * tall if walking else 0.0
        left = round(mark.x * width - figure.shape[1] / 2)
        top = round((LEDGE + 0.03) * height - tall - step)
        outline = figure[..., 3:]
        soft = tall // 7
        around = np.pad(outline[..., 0], soft)
        shadow = _SHADOW * np.asarray(cv2.blur(around, (soft, soft)), np.float32)[..., None]
        _blend(canvas, _BLACK, shadow, (left + tall // 8 - soft, top + tall // 24 - soft))
        _blend(canvas, figure[..., :3], outline, (left, top))


def _blend(canvas: Layer, colour: Layer, share: Layer, corner: tuple[int, int]) -> None:
    """Lay `colour` over `canvas` at `corner` (x, y), as far as `share` (0..1) says.

    What is outside of the canvas is left out.
    """
    x, y = corner
    height, width = share.shape[:2]
    x1, y1 = max(x, 0), max(y, 0)
    x2, y2 = min(x + width, canvas.shape[1]), min(y + height, canvas.shape[0])
    if x1 >= x2 or y1 >= y2:
        return
    part = slice(y1 - y, y2 - y), slice(x1 - x, x2 - x)
    over = share[part]
    under = canvas[y1:y2, x1:x2]
    under *= 1 - over
    under += (colour if colour.shape[0] == 1 else colour[part]) * over


def _people() -> tuple[Layer, Layer]:
    """The person, and another one: H x W x 4, blue, green and red in 0..255, outline in 0..1."""
    found = cv2.imread(str(VISITOR), cv2.IMREAD_UNCHANGED)
    if found is None:
        raise SourceError(f"the scene's picture {VISITOR} cannot be read: install again")
    picture, outline = as_image(found[..., :3]), found[..., 3:].astype(np.float32) / 255
    first: Layer = np.dstack([picture.astype(np.float32), outline])
    other: Layer = np.dstack([_dressed(picture).astype(np.float32), outline])
    return first, np.ascontiguousarray(other[:, ::-1])


def _dressed(picture: Image) -> Image:
    """The same in other clothes: what is orange below the head becomes a dull blue."""
    hue, saturation, value = cv2.split(cv2.cvtColor(picture, cv2.COLOR_BGR2HSV))
    suit = (saturation > 60) & ((hue < 20) | (hue > 165))
    suit[: round(_HEAD * len(suit))] = False
    share = np.asarray(cv2.GaussianBlur(suit.astype(np.float32), (0, 0), 1.5))[..., None]
    dull = cv2.merge([np.full_like(hue, _BLUE), saturation // 2, value // 5 * 3])
    other = np.asarray(cv2.cvtColor(dull, cv2.COLOR_HSV2BGR))
    return as_image((picture * (1 - share) + other * share).astype(np.uint8))


# What changes.


def _sun(seconds: float) -> float:
    """Clouds pass: 0.3 to 1, within half a minute."""
    return 0.65 + 0.35 * math.sin(seconds / 27 * math.tau)


def _lamp(seconds: float) -> float:
    """The ceiling's lamps, and what the camera makes of them: a few per cent, slowly."""
    return 0.97 + 0.03 * math.sin(seconds / 11 * math.tau)


def _cover(height: int, seconds: float) -> NDArray[np.float32]:
    """By how much the light of each row gets through, `seconds` after the covering began."""
    if seconds <= 0:
        return np.ones((1, 1, 1), np.float32)
    edge = seconds / _COVERING_SECONDS * 1.4 - 0.2  # it slides down over the lens, out of focus
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    through: NDArray[np.float32] = np.clip((rows - edge) / 0.2, 0, 1)
    return through * (1 - _SEEPS) + _SEEPS


_SCENES: dict[str, tuple[str, Callable[[Drawing], Painter]]] = {
    "atm": (
        "drawn lobby of an ATM",
        partial(Lobby, walks=_WALKS, covered_at=COVERED_AT),
    ),
}
