"""People who walk, stand, crouch and fall: cut out of the real clip, put into a room.

Whoever stands further away is smaller, walks slower through the picture and is hidden by whoever
stands nearer. With the pictures comes the truth: a box for each of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.frame import Image
from edge_runtime.tracks import Box

Layer = NDArray[np.float32]
"""H x W x 4: blue, green and red in 0..255, and the outline in 0..1."""

_PEOPLE = (90, 514, 760, 1100)
"""Frames of the clip in which one person stands or walks, head and feet in the picture."""
EMPTY = (10, 30, 210, 470, 720, 890, 1215)
"""Frames of the clip in which nobody is there."""
_DIFFERENT = 26
"""By how many grey levels a person's pixel differs from the empty room's."""
_STEPS = 1.8
"""Steps a second."""
_FALL_SECONDS = 0.7
_SWAY = 0.008
"""By how much of the own height somebody sways who stands."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where somebody's feet are at one moment; in between one walks straight.

    Attributes:
        at: seconds.
        x, y: in 0..1 of the picture; outside of it: not in view.
        stoop: what is left of the height, 0..1; below 1 one crouches.
    """

    at: float
    x: float
    y: float
    stoop: float = 1.0


@dataclass(frozen=True, slots=True)
class Walker:
    """One person's way.

    Attributes:
        marks: where, and when.
        look: which of the people it is.
        falls: when; and never gets up.
        sways: who stands shifts the weight from one foot to the other.
        unseen: spans of seconds, begin and end, in which no detector finds this person.
    """

    marks: tuple[Mark, ...]
    look: int = 0
    falls: float = math.inf
    sways: bool = False
    unseen: tuple[tuple[float, float], ...] = ()

    def at(self, now: float) -> tuple[Mark, bool] | None:
        """Where, and whether walking; None before the first mark and after the last."""
        return _between(self.marks, now)


@dataclass(frozen=True, slots=True, eq=False)
class Prop:
    """What is no person: `layer` stands, or moves, with the middle of its lower edge at `marks`."""

    layer: Layer
    marks: tuple[Mark, ...]


def _between(marks: tuple[Mark, ...], now: float) -> tuple[Mark, bool] | None:
    for a, b in pairwise(marks):
        if a.at <= now < b.at:
            part = (now - a.at) / (b.at - a.at)
            x, y, stoop = (
                one + part * (two - one)
                for one, two in ((a.x, b.x), (a.y, b.y), (a.stoop, b.stoop))
            )
            return Mark(now, x, y, stoop), (a.x, a.y) != (b.x, b.y)
    return None


@dataclass(frozen=True, slots=True)
class Body:
    """Where somebody is to be seen: the box in 0..1, and the share that nobody hides."""

    walker: int
    box: Box
    visible: float


def tall_at(y: float) -> float:
    """How high a person is whose feet are at `y`; both in 0..1 of the picture's height."""
    return 0.16 + 0.78 * (y - 0.35)


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """A room that is empty: what is pasted in stands on its floor.

    Attributes:
        picture: the room.
        people: who may walk there.
        scale: how tall they are in it, by how tall they are in a lobby.
    """

    picture: Image
    people: tuple[Layer, ...]
    scale: float = 1.0

    def paint(
        self,
        now: float,
        walkers: Sequence[Walker],
        furnished: Image | None = None,
        props: Sequence[Prop] = (),
    ) -> tuple[Image, tuple[Body, ...]]:
        """The room of that second with `walkers` and `props` in it.

        `furnished`: the room's picture with something in it.
        """
        result = (self.picture if furnished is None else furnished).copy()
        things = [(mark[0].y, prop, mark[0]) for prop in props
                  if (mark := _between(prop.marks, now))]  # fmt: skip
        places = [(place[0].y, number, walker, *place) for number, walker in enumerate(walkers)
                  if (place := walker.at(now))]  # fmt: skip
        bodies: list[Body] = []
        for entry in sorted((*things, *places), key=lambda each: each[0]):
            if len(entry) == 3:
                _, prop, mark = entry
                box = _put(result, prop.layer, mark)
                if box:
                    bodies = [_hidden_by(other, box) for other in bodies]
                continue
            _, number, walker, mark, walking = entry
            figure = self._figure(walker, mark, now)
            if walker.sways and not walking:
                lean = _SWAY * (math.sin(now * 0.9 + number) + math.sin(now * 0.37 + 2 * number))
                mark = replace(mark, x=mark.x + lean * self.tall(mark.y) * 9 / 16)
            box = self._stand(result, figure, mark, walking=walking)
            if box:
                bodies = [_hidden_by(other, box) for other in bodies]
                blind = any(begin <= now < end for begin, end in walker.unseen)
                bodies.append(Body(number, box, 0.0 if blind else 1.0))
        return result, tuple(bodies)

    def tall(self, y: float) -> float:
        """How high a person is whose feet are at `y`; both in 0..1 of the picture's height."""
        return self.scale * tall_at(y)

    def _figure(self, walker: Walker, mark: Mark, now: float) -> Layer:
        person = self.people[walker.look % len(self.people)]
        tall = max(round(self.tall(mark.y) * self.picture.shape[0]), 8)
        wide = max(round(person.shape[1] * tall / person.shape[0]), 4)
        stooped = max(round(tall * mark.stoop), 4)
        figure = np.asarray(
            cv2.resize(person, (wide, stooped), interpolation=cv2.INTER_AREA), np.float32
        )
        fallen = min(max((now - walker.falls) / _FALL_SECONDS, 0.0), 1.0)
        return _tilted(figure, 88.0 * fallen * fallen) if fallen > 0 else figure

    def _stand(self, canvas: Image, figure: Layer, mark: Mark, *, walking: bool) -> Box | None:
        """Paint `figure` at its mark; where it is to be seen."""
        height, width = canvas.shape[:2]
        tall, wide = figure.shape[:2]
        step = abs(math.sin(math.pi * _STEPS * mark.at)) * 0.015 * tall if walking else 0.0
        left, top = round(mark.x * width - wide / 2), round(mark.y * height - tall - step)
        if min(left + wide, width) - max(left, 0) >= 3:
            shade(canvas, (mark.x * width, mark.y * height), wide, tall)
        return pasted(canvas, figure, left, top)


def _put(canvas: Image, layer: Layer, mark: Mark) -> Box | None:
    """Paint `layer` at its mark; where it is to be seen."""
    height, width = canvas.shape[:2]
    tall, wide = layer.shape[:2]
    left, top = round(mark.x * width - wide / 2), round(mark.y * height - tall)
    return pasted(canvas, layer, left, top)


def pasted(canvas: Image, layer: Layer, left: int, top: int) -> Box | None:
    height, width = canvas.shape[:2]
    tall, wide = layer.shape[:2]
    x1, y1, x2, y2 = max(left, 0), max(top, 0), min(left + wide, width), min(top + tall, height)
    if x2 - x1 < 3 or y2 - y1 < 3:
        return None
    part = layer[y1 - top : y2 - top, x1 - left : x2 - left]
    share = part[..., 3:]
    under = canvas[y1:y2, x1:x2]
    under[:] = (under * (1 - share) + part[..., :3] * share).astype(np.uint8)
    return x1 / width, y1 / height, x2 / width, y2 / height


def clip_room(path: Path, size: tuple[int, int] = (640, 360)) -> Room:
    """The real clip's own room, empty, and its people."""
    frames = frames_of(path, (*EMPTY, *_PEOPLE))
    empty = empty_room(frames)
    people = tuple(_cut_out(frames[n], empty) for n in _PEOPLE)
    return Room(np.asarray(cv2.resize(empty, size, interpolation=cv2.INTER_AREA), np.uint8), people)


def empty_room(frames: Mapping[int, Image]) -> Image:
    """The real clip's own room, with nobody in it, by its frames `EMPTY`."""
    return np.asarray(np.median([frames[n] for n in EMPTY], axis=0), np.uint8)


def other_room(room: Room, picture: Image) -> Room:
    """The same people in another room."""
    height, width = room.picture.shape[:2]
    resized = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return replace(room, picture=np.asarray(resized, np.uint8))


def frames_of(path: Path, numbers: Sequence[int]) -> dict[int, Image]:
    """Those frames of the clip."""
    capture = cv2.VideoCapture(str(path))
    found = {}
    for number in range(max(numbers) + 1):
        there, image = capture.read()
        if not there:
            raise ValueError(f"{path} has no frame {number}")
        if number in numbers:
            found[number] = np.asarray(image, np.uint8)
    capture.release()
    return found


def _cut_out(image: Image, empty: Image) -> Layer:
    """The largest thing in `image` that the empty room has not."""
    different = cv2.absdiff(image, empty).max(axis=2) > _DIFFERENT
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    closed = cv2.morphologyEx(different.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    closed = cv2.morphologyEx(closed, cv2.MORPH_OPEN, kernel)
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=cv2.contourArea)
    mask = np.zeros(closed.shape, np.float32)
    cv2.drawContours(mask, [largest], -1, 1.0, cv2.FILLED)
    x, y, width, height = cv2.boundingRect(largest)
    part = slice(y, y + height), slice(x, x + width)
    soft = np.asarray(cv2.GaussianBlur(mask, (0, 0), 1.0), np.float32)[part]
    return np.dstack([image[part].astype(np.float32), soft])


def _tilted(figure: Layer, degrees: float) -> Layer:
    """`figure` turned about its feet, in a layer that is just large enough."""
    tall, wide = figure.shape[:2]
    angle = math.radians(degrees)
    width = math.ceil(tall * math.sin(angle) + wide * math.cos(angle)) + 2
    height = math.ceil(tall * math.cos(angle) + wide * math.sin(angle)) + 2
    matrix = cv2.getRotationMatrix2D((wide / 2, tall / 2), -degrees, 1.0)
    matrix[:, 2] += ((width - wide) / 2, (height - tall) / 2)
    return np.asarray(cv2.warpAffine(figure, matrix, (width, height)), np.float32)


def shade(canvas: Image, foot: tuple[float, float], wide: int, tall: int) -> None:
    """A soft shadow on the floor beside the feet."""
    height, width = canvas.shape[:2]
    reach, flat = max(round(0.7 * wide), 2), max(round(0.05 * tall), 2)
    x, y = round(foot[0] + 0.3 * wide), round(foot[1])
    x1, x2 = max(x - 2 * reach, 0), min(x + 2 * reach, width)
    y1, y2 = max(y - 3 * flat, 0), min(y + 3 * flat, height)
    if x1 >= x2 or y1 >= y2:
        return
    rows, columns = np.mgrid[y1:y2, x1:x2].astype(np.float32)
    far = ((columns - x) / reach) ** 2 + ((rows - y) / flat) ** 2
    part = canvas[y1:y2, x1:x2]
    part[:] = (part * (1 - 0.45 * np.exp(-far))[..., None]).astype(np.uint8)


def _hidden_by(body: Body, nearer: Box) -> Body:
    """`body` behind somebody whose box is `nearer`; a body is narrower than its box."""
    slim = 0.15 * (nearer[2] - nearer[0])
    x1, y1, x2, y2 = body.box
    across = max(min(x2, nearer[2] - slim) - max(x1, nearer[0] + slim), 0.0)
    down = max(min(y2, nearer[3]) - max(y1, nearer[1]), 0.0)
    return replace(body, visible=body.visible * (1 - across * down / ((x2 - x1) * (y2 - y1))))
