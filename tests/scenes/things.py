"""Things in the scene: a bag that stays, an object that is taken away."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from edge_runtime.frame import Image
from edge_runtime.tracks import Box
from tests.scenes.lens import as_picture, painted
from tests.scenes.truth import Frames, Made, Scene, Span, Truth

BAG: Box = (0.30, 0.66, 0.40, 0.82)
"""On the floor of both sources, left of the middle, in 0..1."""


def bag(start: float, end: float, box: Box = BAG) -> Scene:
    """A dark bag with a handle and a shadow stands in `box` from `start` to `end`."""
    return _placed("object-left", start, end, box, draw_bag)


def removed(start: float, end: float, box: Box = BAG) -> Scene:
    """The bag stands there from the first frame, and is missing from `start` to `end`."""

    def frames_of(frames: Frames) -> Frames:
        for now, image in frames:
            yield now, image if start <= now < end else draw_bag(image, box)

    def scene(frames: Frames) -> Made:
        return frames_of(frames), (Truth("object-removed", start, end, (box,)),)

    return scene


def _placed(
    kind: str, start: float, end: float, box: Box, draw: Callable[[Image, Box], Image]
) -> Scene:
    there = painted(kind, Span(start, start, end, fade=0.0), lambda image, _, __: draw(image, box))

    def scene(frames: Frames) -> Made:
        return there(frames)[0], (Truth(kind, start, end, (box,)),)

    return scene


BROWN, BLACK, GREY = (38, 34, 58), (24, 24, 25), (92, 88, 84)
"""Colours of bags, in blue, green and red."""


def draw_bag(image: Image, box: Box, colour: tuple[int, int, int] = BROWN) -> Image:
    """`image` with the bag in it, in memory of its own."""
    lid, pocket_edge = ([round(part * each) for each in colour] for part in (1.55, 0.6))
    height, width = image.shape[:2]
    x1, x2 = round(box[0] * width), round(box[2] * width)
    y1, y2 = round(box[1] * height), round(box[3] * height)
    wide, high = x2 - x1, y2 - y1
    shadow = np.zeros((height, width), np.float32)
    cv2.ellipse(shadow, ((x1 + x2) // 2 + wide // 6, y2), (wide * 2 // 3, max(high // 8, 2)),
                0, 0, 360, 0.5, cv2.FILLED)  # fmt: skip
    shadow = np.asarray(cv2.GaussianBlur(shadow, (0, 0), max(high / 16, 1)), np.float32)
    result = as_picture(image * (1 - shadow[..., None]))
    body = y1 + high // 3
    cv2.ellipse(result, ((x1 + x2) // 2, body), (wide // 4, high // 3), 0, 180, 360,
                (24, 26, 34), max(wide // 16, 1), cv2.LINE_AA)  # fmt: skip
    cv2.rectangle(result, (x1, body), (x2, y2), colour, cv2.FILLED)
    cv2.rectangle(result, (x1, body), (x2, body + high // 8), lid, cv2.FILLED)
    pocket = (x1 + wide // 5, body + high // 4), (x2 - wide // 5, y2 - high // 8)
    cv2.rectangle(result, *pocket, pocket_edge, max(wide // 32, 1), cv2.LINE_AA)
    return result
