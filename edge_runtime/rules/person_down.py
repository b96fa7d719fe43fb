"""Person down: somebody lies on the floor and does not get up.

A box says little about a pose. It is taken for that of somebody lying if it is clearly wider than
high, or if it has lost about half of its height where it stood; and if it then keeps still. Who
crouches in time, or is cut off by the edge of the picture, does not count.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from math import hypot

from edge_runtime.rules.incidents import Claim, Incidents, Timing
from edge_runtime.rules.watch import Watch
from edge_runtime.scene import Scene
from edge_runtime.tracks import Box, Track

KIND = "person-down"

TIMING = Timing(seconds=4.0, grace=1.5)

_LYING, _UPRIGHT = 1.2, 0.75
"""Width by height of a box, in pixels, from which somebody lies, and up to which one stands."""
_COLLAPSED = 0.55
"""The part of the upright height that is left of somebody who went down facing the camera."""
_NEAR = 0.5
"""How far the lower edge may have moved since somebody stood upright, in upright heights."""
_STILL_FOR, _STILL_WITHIN = 1.0, 0.2
"""Seconds for which the middle of the box has moved less than this part of its longer side."""
_EDGE = 0.01
"""A box so near to the edge of the picture may be cut off by it."""


@dataclass(slots=True)
class _Pose:
    """What is remembered of one track; lengths in heights of the picture."""

    upright: Box | None
    anchor: tuple[float, float]
    since: float


def person_down(watch: Watch, timing: Timing = TIMING) -> Incidents:
    """The rule, for one camera."""
    poses: dict[int, _Pose] = {}

    def claims(scene: Scene) -> dict[Hashable, Claim]:
        found: dict[Hashable, Claim] = {}
        for track in watch.seen(scene):
            if _is_down(poses, track, scene):
                found[track.id] = Claim.of(track)
        for gone in poses.keys() - {track.id for track in scene.tracks}:
            del poses[gone]
        return found

    return Incidents(KIND, watch, timing, claims, together=False)


def _is_down(poses: dict[int, _Pose], track: Track, scene: Scene) -> bool:
    x1, y1, x2, y2 = track.box
    if x1 < _EDGE or x2 > 1 - _EDGE or y2 > 1 - _EDGE:
        return False
    width, height = (x2 - x1) * scene.aspect, y2 - y1
    middle = (x1 + x2) / 2 * scene.aspect, (y1 + y2) / 2
    pose = poses.setdefault(track.id, _Pose(None, middle, scene.timestamp))
    moved = hypot(middle[0] - pose.anchor[0], middle[1] - pose.anchor[1])
    if moved > _STILL_WITHIN * max(width, height):
        pose.anchor, pose.since = middle, scene.timestamp
    collapsed = pose.upright is not None and _collapsed(pose.upright, track.box)
    if width <= _UPRIGHT * height and not collapsed:
        pose.upright = track.box
    lying = width >= _LYING * height or collapsed
    return lying and scene.timestamp - pose.since >= _STILL_FOR


def _collapsed(upright: Box, box: Box) -> bool:
    """Whether `box` is what is left of `upright` where it stood."""
    stood = upright[3] - upright[1]
    near = abs(box[3] - upright[3]) <= _NEAR * stood
    return near and box[3] - box[1] <= _COLLAPSED * stood and box[1] > upright[1]
