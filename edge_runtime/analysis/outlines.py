"""Whether something came or went, told by its outline in the pictures of before and of now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.scene import Change

Mask = NDArray[np.bool_]
Colours = NDArray[np.float32]
"""H x W x 3, in levels of 0..255."""

_PAD = 4
"""Pixels around a blob that are looked at, too."""
_EDGE = 4.0
"""Grey levels a pixel that the outline of a thing has; that of a shadow is softer."""
_CLEARER = 1.25
"""By how much an outline has to be clearer in one picture than in the other."""
_LIT_LEVELS, _LIT_SHARE = 1.5, 0.18
"""Where only the light has changed, the picture of before in another light explains that of now, up
to so many levels or up to this part of the change."""
_DARKEST, _BRIGHTEST = 0.35, 2.4
"""How much light that may be, by that of before; what is darker still is rather a black thing."""
_SOFT = 0.8, 1.6, 3.2
"""How soft the border of a shadow or of a patch of light may be: standard deviations, pixels."""
_LEAST_GAIN = 0.02
_WHITE = 255.0
_TEXTURE, _ALIKE = 4.0, 0.9
"""A place of so much texture (standard deviation, grey levels) that looks so much as before
(correlation) has only become brighter or darker, by whatever multiple."""
_KERNEL = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What has happened, and how sure that is, 0..1."""

    change: Change
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
    blob: NDArray[np.bool_],
) -> Judgement | None:
    """What has changed at `blob`; None where it is only the light, or cannot be told.

    Args:
        now: the picture.
        before: the empty scene.
        box: (x1, y1, x2, y2) of the blob in pixels.
        blob: its pixels within `box`.
    """
    x1, y1, x2, y2 = box
    height, width = now.grey.shape
    left, top = min(_PAD, x1), min(_PAD, y1)
    rows = slice(y1 - top, min(y2 + _PAD, height))
    columns = slice(x1 - left, min(x2 + _PAD, width))
    here, there = (each.grey[rows, columns].astype(np.float32) for each in (now, before))
    mask = np.zeros(here.shape, np.uint8)
    mask[top : top + y2 - y1, left : left + x2 - x1] = blob
    if _only_light(now.colours[rows, columns], before.colours[rows, columns], mask):
        return None
    came, went = _steps(here, there, mask)
    if max(came, went) < _EDGE or max(came, went) < _CLEARER * min(came, went):
        return None
    change = Change.APPEARED if came > went else Change.VANISHED
    return Judgement(change, max(came, went) / (max(came, 0.0) + max(went, 0.0)))


def _steps(
    here: NDArray[np.float32], there: NDArray[np.float32], mask: NDArray[np.uint8]
) -> tuple[float, float]:
    """How much of the step across the outline is in the picture of now, and of before.

    Only that part of each picture counts which makes up their difference: what crosses the outline
    in both, as the pattern of a floor does, is nobody's edge.
    """
    outline = (cv2.dilate(mask, _KERNEL) - cv2.erode(mask, _KERNEL)).astype(np.bool_)
    inwards = _gradient(np.asarray(cv2.blur(mask.astype(np.float32), (3, 3)), np.float32))
    length = np.maximum(np.hypot(*inwards), 1e-6)
    now, before = (
        ((x * inwards[0] + y * inwards[1]) / length)[outline]
        for x, y in (_gradient(here), _gradient(there))
    )
    sign = np.sign(now - before)
    return float((sign * now).mean()), float((-sign * before).mean())


def _gradient(picture: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How steep each pixel is across and down, in grey levels a pixel."""
    across = cv2.Sobel(picture, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(picture, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(across, np.float32), np.asarray(down, np.float32)


def _only_light(here: NDArray[Any], there: NDArray[Any], mask: NDArray[np.uint8]) -> bool:
    """Whether what was seen at `mask` is still to be seen in another light.

    A shadow takes the same part of all colours, leaves what it falls on, and has no edge but its
    border, which may be soft; a thing has colours and a pattern of its own.
    """
    now, before = here.astype(np.float32), there.astype(np.float32)
    if _is_lit(now, before, mask):
        return True
    inner = cv2.erode(mask, _KERNEL)
    inside = (inner if inner.any() else mask).astype(np.bool_)
    dark, light = now[inside].mean(axis=1), before[inside].mean(axis=1)
    if min(dark.std(), light.std()) < _TEXTURE:
        return False
    return bool(np.corrcoef(dark, light)[0, 1] > _ALIKE)


def _is_lit(now: Colours, before: Colours, mask: NDArray[np.uint8]) -> bool:
    """Whether `before`, with one light within a border of one softness, explains `now`."""
    near = cv2.dilate(mask, _KERNEL).astype(np.bool_)
    seen, known = now[near], before[near]
    change = _rms(seen - known)
    part = _lit_part(now, before, mask, near)
    for softness in _SOFT:
        share = cv2.GaussianBlur(part, (0, 0), softness)
        lit = known * share[near][:, None]
        more = float(((seen - known) * lit).sum() / max(float((lit * lit).sum()), 1.0))
        rest = _rms(seen - np.minimum(known + more * lit, _WHITE))
        if _DARKEST <= 1 + more <= _BRIGHTEST and rest <= max(_LIT_LEVELS, _LIT_SHARE * change):
            return True
    return False


def _lit_part(
    now: Colours, before: Colours, mask: NDArray[np.uint8], near: Mask
) -> NDArray[np.float32]:
    """Where more than half of the change of the light is: 1.0, elsewhere 0.0, H x W.

    What differs by a fixed number of levels reaches further out where the shadow is deeper.
    """
    ratio = now.mean(axis=2) / np.maximum(before.mean(axis=2), 4.0)
    gain = float(np.median(ratio[mask > 0])) - 1
    if abs(gain) < _LEAST_GAIN:
        return mask.astype(np.float32)
    part = cv2.blur((ratio - 1) / gain, (3, 3)) > 0.5
    return np.asarray(part & near, np.float32)


def _rms(levels: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.square(levels).mean()))
