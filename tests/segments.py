"""When somebody is in view in the real clip, as its README says."""

from __future__ import annotations

from collections.abc import Sequence

FPS = 10.0
FRAMES = 1394
VISITS = ((61, 194), (228, 445), (503, 695), (745, 863), (925, 1194), (1235, 1357))
"""First and last frame of each visit."""
EMPTY = ((0, 60), (195, 227), (446, 502), (696, 744), (864, 924), (1195, 1234), (1358, 1393))
"""First and last frame of each stretch in which nobody is there."""
TOLERANCE = 1.0


def assert_are_the_visits(alerts: Sequence[tuple[str, float]]) -> None:
    """`alerts`, (state, seconds since the clip's start), are one pair a visit and nothing else."""
    assert [state for state, _ in alerts] == ["started", "ended"] * len(VISITS)
    expected = [frame / FPS for visit in VISITS for frame in visit]
    for (state, moment), at in zip(alerts, expected, strict=True):
        assert abs(moment - at) <= TOLERANCE, f"{state} at {moment:.1f} s in place of {at:.1f} s"
