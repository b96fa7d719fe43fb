"""Whether something came or went, told by its outline in the pictures of before and of now."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.analysis.lighting import Lighting, lighting
from edge_runtime.analysis.planes import Colours, Mask, Plane, grown

_PAD = 5
"""Pixels around a blob that are looked at, too."""
_EDGE = 4.0
"""Grey levels a pixel that the outline of a thing has; that of a shadow is softer."""
_SHARP = 0.12
"""The part of the change that happens from one pixel to the next there."""
_CLEARER = 1.5
"""By how much an outline has to be clearer in one picture than in the other."""


class Verdict(StrEnum):
    """What has happened at a place."""

    APPEARED = "appeared"
    VANISHED = "vanished"
    LIGHT = "light"
    """Only the light has changed."""
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What has happened, and how sure that is, 0..1."""

    verdict: Verdict
    sure: float


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture twice, in levels of 0..255: `grey`, H x W, and `colours`, H x W x 3."""

    grey: NDArray[Any]
    colours: NDArray[Any]


def judge(
    now: Picture,
    before: Picture,
    box: tuple[int, int, int, int],
    blob: Mask,
    *,
    noise: float,
    visited: bool,
) -> Judgement:
    """What has changed at `blob`.

    Args:
        now: the picture.
        before: the empty scene.
        box: (x1, y1, x2, y2) of the blob in pixels.
        blob: its pixels within `box`.
        noise: how strong the pattern of the camera's noise is, as `lighting.pattern` sees it.
        visited: whether somebody was beside it just before: what might be a light or a plain thing
            is then a thing.
    """
    x1, y1, x2, y2 = box
    height, width = now.grey.shape
    left, top = min(_PAD, x1), min(_PAD, y1)
    rows = slice(y1 - top, min(y2 + _PAD, height))
    columns = slice(x1 - left, min(x2 + _PAD, width))
    here, there = (each.colours[rows, columns].astype(np.float32) for each in (now, before))
    mask = np.zeros(here.shape[:2], np.bool_)
    mask[top : top + y2 - y1, left : left + x2 - x1] = blob
    light = lighting(here, there, mask, noise, visited=visited)
    if light is Lighting.LIGHT or (light is Lighting.PERHAPS and not visited):
        return Judgement(Verdict.LIGHT, 1.0)
    came, went, change = _steps(here, there, mask)
    if max(came, went) < max(_EDGE, _SHARP * change) or max(came, went) < _CLEARER * min(
        came, went
    ):
        return Judgement(Verdict.UNCLEAR, 0.0)
    verdict = Verdict.APPEARED if came > went else Verdict.VANISHED
    return Judgement(verdict, max(came, went) / (max(came, 0.0) + max(went, 0.0)))


def _steps(here: Colours, there: Colours, mask: Mask) -> tuple[float, float, float]:
    """How much of the step across the outline is in the picture of now, and of before.

    And by how much both differ within it.

    Only that part of each picture counts which makes up their difference: what crosses the outline
    in both, as the pattern of a floor does, is nobody's edge. Of the three colours the one counts
    in which the difference is largest.
    """
    changes = np.abs((here - there)[mask].mean(axis=0))
    colour = int(changes.argmax())
    outline = grown(mask, 1) & grown(~mask, 1)
    inwards = _gradient(np.asarray(cv2.blur(mask.astype(np.float32), (3, 3)), np.float32))
    length = np.maximum(np.hypot(*inwards), 1e-6)
    now, before = (
        ((x * inwards[0] + y * inwards[1]) / length)[outline]
        for x, y in (_gradient(each[..., colour]) for each in (here, there))
    )
    sign = np.sign(now - before)
    came, went = float((sign * now).mean()), float((-sign * before).mean())
    return came, went, float(changes[colour])


def _gradient(levels: Plane) -> tuple[Plane, Plane]:
    """How steep each pixel is across and down, in levels a pixel."""
    across = cv2.Sobel(levels, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(levels, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(across, np.float32), np.asarray(down, np.float32)
