"""Camera health over the real clip: told in time, over in time, and nothing on any other day."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenes.health import DAILY, SECONDS, TAMPERING, faults, small, told
from tests.scenes.sources import clip as frames_of

COMES, STANDS = 0.0, 30.0
"""Seconds of the clip from which somebody comes and goes, and from which somebody fills it."""


@pytest.mark.parametrize("title", [*TAMPERING, *DAILY])
def test_what_is_done_to_a_camera_is_told_within_five_seconds_and_daily_life_is_not(
    title: str, clip: Path
) -> None:
    make = {**TAMPERING, **DAILY}[title]
    # With nothing of the old picture left, it is told once half of what is now seen keeps still.
    start = COMES if title == "turned away" else STANDS
    frames, truths = make(1)(small(frames_of(clip, start, SECONDS)))
    assert bool(truths) == (title in TAMPERING)
    assert not faults(truths, told(frames))


def test_nothing_is_told_of_the_whole_untouched_clip(clip: Path) -> None:
    assert told(frames_of(clip)) == []
