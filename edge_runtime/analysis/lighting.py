"""Whether a place looks different only because the light on it has changed.

Light multiplies what is there: all colours become as much darker or brighter, the pattern of the
ground stays, and nothing is added to it. A thing replaces it: its own colours, its own pattern
(e.g. Sanin, Sanderson and Lovell, "Shadow detection: a survey and comparative evaluation of recent
methods", 2012, which finds the pattern to be the best evidence, and colours the quickest).

The colours speak first, then the pattern, where there is enough of it; last, on plain ground, the
border.
"""

from __future__ import annotations

from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.analysis.planes import Colours, Mask, Plane, grown, worn

_DARKEST, _BRIGHTEST = 0.3, 2.8
"""How much light there may be, by that of before; what is darker still is rather a black thing."""
_TINT = 0.3
"""By how much one colour may have gained more light than another, as a natural logarithm: a low sun
is warmer than the sky by about half of that."""
_PATTERN = 2.2
"""How many times stronger than the camera's noise a pattern is that is believed."""
_SURELY_SAME, _SAME, _OTHER = 0.3, 0.45, 0.62
"""What is left of the patterns of before and of now when the one, in another light, is taken from
the other: up to `_SAME` it is the same pattern (up to `_SURELY_SAME` where somebody may have put
something down, and it is small or no light explains it), from `_OTHER` on another one. The same
leaves 0, but for the noise; two that know nothing of each other leave 0.7, and one that covers a
plain ground 1."""
_LIT_LEVELS, _LIT_SHARE = 1.5, 0.18
"""Where only the light has changed, the picture of before in another light explains that of now, up
to so many levels or up to this part of the change."""
_SOFT = 0.8, 1.6, 3.2
"""How soft the border of a shadow or of a patch of light may be: standard deviations, pixels."""
_LEAST_GAIN = 0.02
_WHITE = 250.0
_FEW = 9
"""Pixels that are too few to say anything of a pattern."""
_CORE = 0.35
"""The part of a place that counts as its inside, at least."""
_NOISE = 0.6, 0.6, 0.8, 1.0
"""How much of a camera's noise is in the pattern one pixel from the border, two …"""


class Lighting(StrEnum):
    """What may have changed at a place."""

    LIGHT = "light"
    """Only the light, by all that can be seen."""
    PERHAPS = "perhaps"
    """A light would explain it, and so would a plain thing on plain ground."""
    MORE = "more"
    """Something else."""


def lighting(now: Colours, before: Colours, mask: Mask, noise: float, *, visited: bool) -> Lighting:
    """What has changed at `mask`.

    Args:
        now: the picture, with a margin around the place.
        before: the same part of the empty scene.
        mask: where it has changed, H x W.
        noise: how strong the pattern of the camera's noise is, in levels, as `pattern` sees it.
        visited: whether somebody may have put something there: then the pattern has to be clearer.
    """
    deep, inside = _inner(mask)
    gains = _gains(now, before, inside)
    if gains.min() < _DARKEST or gains.max() > _BRIGHTEST:
        return Lighting.MORE
    if float(np.log(gains.max() / gains.min())) > _TINT:
        return Lighting.MORE
    lit, fits = _lit(now, before, mask)
    rest = _rest(now.mean(axis=2), lit.mean(axis=2), inside, deep, noise)
    plainly = fits and deep > 1
    if rest is not None and rest <= (_SAME if plainly or not visited else _SURELY_SAME):
        return Lighting.LIGHT
    if rest is not None and rest >= _OTHER:
        return Lighting.MORE
    return Lighting.PERHAPS if fits else Lighting.MORE


def pattern(levels: Plane, deep: int = 4) -> Plane:
    """What is finer than can be told `deep` pixels from a border, without looking beyond it."""
    size = 2 * max(deep - 1, 1) + 1
    return np.asarray(levels - cv2.blur(levels, (size, size)), np.float32)


def _inner(mask: Mask) -> tuple[int, Mask]:
    """`mask` without its border, and how broad a border: as broad as the place allows."""
    least = max(_FEW, _CORE * np.count_nonzero(mask))
    for deep in range(len(_NOISE), 0, -1):
        inner = worn(mask, deep)
        if np.count_nonzero(inner) >= least:
            return deep, inner
    return 1, mask


def _gains(now: Colours, before: Colours, inside: Mask) -> NDArray[np.float64]:
    """By how much each colour has become brighter."""
    clear = inside & (now.max(axis=2) < _WHITE)
    where = clear if np.count_nonzero(clear) >= _FEW else inside
    seen, known = now[where], before[where]
    return np.asarray(np.median((seen + 2) / (known + 2), axis=0), np.float64)


def _rest(here: Plane, lit: Plane, inside: Mask, deep: int, noise: float) -> float | None:
    """What is left of both patterns when one is taken from the other; None: there are none."""
    fit = inside & (here < _WHITE) & (lit < _WHITE)
    if np.count_nonzero(fit) < _FEW:
        return None
    now, expected = pattern(here, deep)[fit], pattern(lit, deep)[fit]
    both = float(np.abs(now).mean() + np.abs(expected).mean())
    if both < _PATTERN * noise * _NOISE[deep - 1]:
        return None
    return float(np.abs(now - expected).mean()) / both


def _lit(now: Colours, before: Colours, mask: Mask) -> tuple[Colours, bool]:
    """`before` with that light, within a border of one softness, that explains `now` best.

    And whether it does.
    """
    near = grown(mask, 1)
    seen, known = now[near], before[near]
    part = _lit_part(now, before, mask, near)
    best, least = before, np.inf
    for softness in _SOFT:
        share = cv2.GaussianBlur(part, (0, 0), softness)
        lit = known * share[near][:, None]
        more = (((seen - known) * lit).sum(axis=0)) / np.maximum((lit * lit).sum(axis=0), 1.0)
        rest = _rms(seen - np.minimum(known + more * lit, 255.0))
        if rest < least:
            best, least = np.minimum(before * (1 + more * share[..., None]), 255.0), rest
    return best.astype(np.float32), least <= max(_LIT_LEVELS, _LIT_SHARE * _rms(seen - known))


def _lit_part(now: Colours, before: Colours, mask: Mask, near: Mask) -> Plane:
    """Where more than half of the change of the light is: 1.0, elsewhere 0.0, H x W.

    What differs by a fixed number of levels reaches further out where the shadow is deeper.
    """
    ratio = now.mean(axis=2) / np.maximum(before.mean(axis=2), 4.0)
    gain = float(np.median(ratio[mask])) - 1
    if abs(gain) < _LEAST_GAIN:
        return mask.astype(np.float32)
    part = cv2.blur((ratio - 1) / gain, (3, 3)) > 0.5
    return np.asarray(part & near, np.float32)


def _rms(levels: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.square(levels).mean()))
