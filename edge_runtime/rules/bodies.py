"""How many bodies there are: a detector sometimes draws two boxes on one, and for long."""

from __future__ import annotations

from collections.abc import Iterable

from edge_runtime.tracks import Box, Track

_INSIDE = 0.8
"""The part of the smaller box that lies in the larger one of the same body."""
_TOP = 0.2
"""By how much both heads may be apart, in heights of the larger box: a child stands lower."""


def distinct(tracks: Iterable[Track]) -> list[Track]:
    """`tracks` without those that are a second box on the body of an earlier one."""
    kept: list[Track] = []
    for track in tracks:
        if not any(same_body(track.box, other.box) for other in kept):
            kept.append(track)
    return kept


def same_body(a: Box, b: Box) -> bool:
    """Whether two boxes are around one body."""
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    if across <= 0 or down <= 0:
        return False
    smaller = min(_area(a), _area(b))
    tall = max(a[3] - a[1], b[3] - b[1])
    return across * down >= _INSIDE * smaller and abs(a[1] - b[1]) <= _TOP * tall


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
