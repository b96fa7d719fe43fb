"""From measures to what seems to be wrong at one moment; nothing here has a memory."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from edge_runtime.analysis.camera_health.conditions import Condition
from edge_runtime.analysis.camera_health.measures import Measures, part
from edge_runtime.analysis.camera_health.reference import Likeness, Reference
from edge_runtime.analysis.planes import Mask

_DARK_MEAN, _DARK_SHARE = 25, 0.95
_WHITE_MORE, _WHITE_MUCH_MORE, _WHITE_ALL = 0.12, 0.4, 0.6
_LOST = 0.25
"""The correlation below which a tile no longer shows what it did."""
_BLIND_SHARE, _LITTLE = 0.6, 0.4
"""The share of structure that is hidden, and that which is still found, of what is covered."""
_FAINT = 0.3
"""The part of the edges' energy above which nothing lies over the picture."""
_SHARP = 0.4
"""The part of the fine detail, by that of the same light, up to which a picture is blurred."""
_WELL_AGAIN = {Condition.MOVED: 0.4, Condition.COVERED: 0.5}
"""The share of tiles above which it is over: they show again what they did."""
_FLAT = 100.0
"""The mean square of the gradient below which a tile shows nothing."""
_LEAST_TEXTURED = 6
"""With fewer tiles that have structure nothing is said about structure."""
_NOISE_LEAST, _NOISE_TIMES = 30.0, 5.0
_COARSE_SEEN, _EDGES_SEEN = 0.6, 0.7
"""Under noise the picture is still there, edges and all; under a woven coat in motion it is not."""
_SNOW = 1500.0
"""Noise under which nothing of a picture can be left."""
_SHIFT_PIXELS = 1.6
"""One per cent of the picture's width."""
_MOST_IS_THERE = 0.6
_LINES_ARE_THERE, _ALL = 0.85, 0.95
"""Along level lines a small shift is not seen: where so many tiles fit, all have to elsewhere."""
_ELSEWHERE, _BETTER = 0.35, 0.15
"""The share of tiles that fit where the picture has moved to: so many, and so many more than where
it was."""
_NOTHING_FOUND, _OTHER_STANDS = 0.25, 0.5
"""The share of tiles that fit by chance at most, and of those of a new view that keep still."""
_NEAR = 0.25
"""With so little of the usual fine detail, what stands there is too near to be in focus: a web."""
_AS_USUAL, _LEAST_STANDS = 0.5, 0.15
"""Where less keeps still at any time: that part of the usual share, but at least so much."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one moment shows.

    Attributes:
        wrong: what seems wrong, but for a frozen picture and none at all; None: nothing.
        sureness: how far beyond its limit the measure is that says so, see `beyond`.
        elsewhere: how many pixels away the old picture is found in the new one; 0: it is not.
    """

    wrong: Condition | None = None
    sureness: float = 0.0
    elsewhere: float = 0.0


_WELL = Sight()


def beyond(limit: float, value: float, most: float) -> float:
    """How far `value` is beyond its `limit`: 0.5 at the limit, 1 at `most` and further."""
    return 0.5 + 0.5 * min(max((value - limit) / (most - limit), 0.0), 1.0)


def seen(
    now: Measures,
    noise: float,
    beside: tuple[Reference, Likeness] | None,
    still: Mask | None,
    present: Collection[Condition] = (),
) -> Sight:
    """What seems wrong.

    Args:
        now: the measures.
        noise: of the picture, see `Change`; the usual one where there is no glance before.
        beside: the reference, and how the glance is beside it; None while none is believed: then
            only the light is judged.
        still: the tiles in which nothing has moved for a second; None where that is not known.
        present: what is known to be wrong: what covers the lens may move, and people may walk where
            a turned camera looks.
    """
    if now.mean < _DARK_MEAN and now.black >= _DARK_SHARE:
        return Sight(Condition.DARK, beyond(_DARK_MEAN, now.mean, 0.0))
    if beside is None:
        return _white(now, _WHITE_ALL) or _WELL
    reference, like = beside
    lost = like.textured & (like.fit < _LOST)
    count = int(np.count_nonzero(like.textured))
    share = int(np.count_nonzero(lost)) / max(count, 1)
    over = _over(now, noise, like, share, reference)
    if over is not None or count < _LEAST_TEXTURED:
        return over or _WELL
    sight = _structure(now, like, lost, still, reference)
    if sight.wrong is None:
        for stays, enough in _WELL_AGAIN.items():
            if stays in present and like.matched <= enough:
                return Sight(stays, beyond(enough, like.matched, 0.0))
    return sight


def _over(
    now: Measures, noise: float, like: Likeness, share: float, reference: Reference
) -> Sight | None:
    """What lies over the picture: light or noise; `share` of its structure is lost."""
    more = _WHITE_MORE if share >= 0.25 else _WHITE_MUCH_MORE
    bright = _white(now, min(reference.white + more, _WHITE_ALL))
    if bright is not None:
        return bright
    there = (
        like.coarse >= _COARSE_SEEN
        and like.energy >= _EDGES_SEEN
        and like.matched >= _NOTHING_FOUND
    )
    limit = max(_NOISE_LEAST, _NOISE_TIMES * reference.usual_noise)
    if noise >= limit and (there or noise >= _SNOW):
        return Sight(Condition.NOISY, 1 - 0.5 * limit / noise)
    return None


def _white(now: Measures, limit: float) -> Sight | None:
    return Sight(Condition.BRIGHT, beyond(limit, now.white, 1.0)) if now.white >= limit else None


def _structure(
    now: Measures,
    like: Likeness,
    lost: Mask,
    still: Mask | None,
    reference: Reference,
) -> Sight:
    """What has become of the structure that the reference has."""
    if _faint(like):
        return Sight(Condition.COVERED, beyond(_FAINT, like.energy, 0.0))
    # Beside somebody who has come, only the contrast says that nothing lies over the picture.
    beside = like.matched >= 0.5 and like.coarse >= 0.4 and 0.7 <= like.gain <= 1.3
    same = like.coarse >= 0.75 or beside
    blurred = _blurred(now, like, reference) if same and like.gain >= 0.3 else 0.0
    if blurred:
        return Sight(Condition.DEFOCUSED, blurred)
    quiet = np.zeros_like(lost) if still is None else still
    if like.matched <= _LINES_ARE_THERE and like.energy >= 0.35:
        pixels, found = _elsewhere(now, like, reference)
        stands = max(min(_OTHER_STANDS, _AS_USUAL * reference.usual_still), _LEAST_STANDS)
        something_stands = part(quiet) >= stands
        if not pixels and like.matched <= _LITTLE and something_stands and like.detail <= _NEAR:
            return Sight(Condition.COVERED, beyond(_NEAR, like.detail, 0.0))
        another = like.matched < _NOTHING_FOUND and something_stands
        gone = beyond(_NOTHING_FOUND, like.matched, 0.0) if another else 0.0
        if pixels or another:
            return Sight(Condition.MOVED, max(found, gone), pixels)
    flat = now.energy < _FLAT
    hidden = lost & (flat | quiet)
    blind = int(np.count_nonzero(hidden)) / int(np.count_nonzero(like.textured))
    if like.matched <= _LITTLE and blind >= _BLIND_SHARE:
        return Sight(Condition.COVERED, beyond(_BLIND_SHARE, blind, 1.0))
    return _WELL


def _blurred(now: Measures, like: Likeness, reference: Reference) -> float:
    """How surely detail is gone, and not for want of light: over all, or where a shadow lies."""
    detail = min(like.detail, like.energy)
    most = max(like.gain * like.gain, 0.01)
    if detail > _SHARP * most:  # so it nearly always is, and the light need not be asked about
        return 0.0
    limit = _SHARP * max(min(most, reference.lit(now)), 0.01)
    return beyond(limit, detail, 0.0) if detail <= limit else 0.0


def _faint(like: Likeness) -> bool:
    """Whether hardly anything is left; less light leaves a fainter picture, but the same one."""
    gone = like.gain <= 0.15 and like.energy <= 0.15
    overlaid = like.coarse <= 0.5 and like.energy <= _FAINT and like.detail <= 0.1
    return gone or overlaid or (like.gain <= 0.35 and like.energy <= 0.2 and like.coarse <= 0.5)


def _elsewhere(now: Measures, like: Likeness, reference: Reference) -> tuple[float, float]:
    """How far away the old picture is found, clearly better than where it was, and how surely."""
    most = like.matched > _MOST_IS_THERE
    pixels, matched = reference.elsewhere(now, far=not most)
    least = _ALL if most else max(_ELSEWHERE, like.matched + _BETTER)
    if matched < least or pixels < _SHIFT_PIXELS:
        return 0.0, 0.0
    return pixels, beyond(least, matched, 1.0)
