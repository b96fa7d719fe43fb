"""Things in the scene: a bag that stays, an object that is taken away."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from edge_runtime.frame import Image
from edge_runtime.tracks import Box
from tests.scenes.lens import as_picture, painted
from tests.scenes.people import Layer
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


def bag_layer(kind: str, size: tuple[int, int], colour: tuple[int, int, int]) -> Layer:
    """A thing to be put somewhere, `size` (width, height) in pixels, with its shadow around it.

    `kind`: one of `KINDS`.
    """
    wide, high = size
    # The shadow reaches as far below the thing as above it, so that its foot is a little higher.
    canvas = 2 * wide, high + 2 * max(high // 6, 2)
    left, top = wide // 2, max(high // 6, 2)
    box = (left / canvas[0], top / canvas[1], (left + wide) / canvas[0], (top + high) / canvas[1])
    black, white = (
        KINDS[kind](np.full((canvas[1], canvas[0], 3), level, np.uint8), box, colour)
        for level in (0, 255)
    )
    share = 1 - (white.astype(np.float32) - black).mean(axis=2, keepdims=True) / 255
    return np.dstack([black / np.maximum(share, 0.02), share]).astype(np.float32)


def _draw_case(image: Image, box: Box, colour: tuple[int, int, int]) -> Image:
    """A suitcase with ribs."""
    result, (x1, y1, x2, y2) = _on_shadow(image, box)
    wide, high = x2 - x1, y2 - y1
    handle = (x1 + wide // 3, y1), (x2 - wide // 3, y1 + high // 3)
    cv2.rectangle(result, *handle, (40, 42, 44), max(wide // 14, 1), cv2.LINE_AA)
    cv2.rectangle(result, (x1, y1 + high // 5), (x2, y2), colour, cv2.FILLED)
    rib = [round(0.75 * each) for each in colour]
    for x in range(x1 + wide // 6, x2, max(wide // 4, 2)):
        cv2.line(result, (x, y1 + high // 4), (x, y2), rib, max(wide // 24, 1), cv2.LINE_AA)
    return result


def _draw_sack(image: Image, box: Box, colour: tuple[int, int, int]) -> Image:
    """A rucksack or a plastic bag: round, brighter above."""
    result, (x1, y1, x2, y2) = _on_shadow(image, box)
    middle, half = ((x1 + x2) // 2, (y1 + y2) // 2), ((x2 - x1) // 2, (y2 - y1) // 2)
    for part in (1.0, 0.8, 0.55, 0.3):
        tone = [min(round((1.3 - 0.3 * part) * each), 255) for each in colour]
        centre = middle[0], middle[1] - round((1 - part) * half[1] * 0.5)
        axes = max(round(half[0] * part), 1), max(round(half[1] * part), 1)
        cv2.ellipse(result, centre, axes, 0, 0, 360, tone, cv2.FILLED, cv2.LINE_AA)
    return result


def _draw_box(image: Image, box: Box, colour: tuple[int, int, int]) -> Image:
    """A parcel: its upper side is brighter."""
    result, (x1, y1, x2, y2) = _on_shadow(image, box)
    lid, third = [min(round(1.35 * each), 255) for each in colour], y1 + (y2 - y1) // 3
    cv2.rectangle(result, (x1, third), (x2, y2), colour, cv2.FILLED)
    skew = (x2 - x1) // 6
    top = np.array([(x1, third), (x1 + skew, y1), (x2, y1), (x2, third)], np.int32)
    cv2.fillPoly(result, [top], lid, cv2.LINE_AA)
    return result


def _on_shadow(image: Image, box: Box) -> tuple[Image, tuple[int, int, int, int]]:
    """`image` with a soft shadow under `box`, and the box in pixels."""
    height, width = image.shape[:2]
    x1, x2 = round(box[0] * width), round(box[2] * width) - 1
    y1, y2 = round(box[1] * height), round(box[3] * height) - 1
    shadow = np.zeros((height, width), np.float32)
    axes = max((x2 - x1) * 3 // 5, 1), max((y2 - y1) // 10, 1)
    cv2.ellipse(shadow, ((x1 + x2) // 2 + (x2 - x1) // 8, y2), axes, 0, 0, 360, 0.45, cv2.FILLED)
    soft = np.asarray(cv2.GaussianBlur(shadow, (0, 0), max((y2 - y1) / 18, 0.8)), np.float32)
    return as_picture(image * (1 - soft[..., None])), (x1, y1, x2, y2)


KINDS: dict[str, Callable[[Image, Box, tuple[int, int, int]], Image]] = {
    "bag": draw_bag,
    "case": _draw_case,
    "sack": _draw_sack,
    "box": _draw_box,
}
"""What draws a thing of that kind into a box, in a colour."""
