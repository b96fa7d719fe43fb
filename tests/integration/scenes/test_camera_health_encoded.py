"""Camera health and encoders: a sensor that freezes before one, and a room that is still."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from edge_runtime.analysis.camera_health.conditions import Condition
from tests.scenes import lens, weather
from tests.scenes.encoded import RATE, clock, h264, then
from tests.scenes.frozen import LEAVES, left
from tests.scenes.health import SECONDS, faults, small, told
from tests.scenes.sources import clip as frames_of
from tests.scenes.truth import Frames

Film = Callable[[Frames], Frames]


@pytest.mark.parametrize(
    "film", [h264, partial(h264, kbits=None, quality=38, key_frames=25 * RATE)]
)
def test_a_room_that_is_left_is_not_frozen_between_key_frames(film: Film, clip: Path) -> None:
    room, truths = left(*LEAVES[1])
    assert not truths
    assert told(film(small(room))) == []


@pytest.mark.parametrize("shown", [iter, clock])
def test_a_sensor_that_freezes_before_an_encoder_with_enough_bits_is_told(
    shown, clip: Path
) -> None:
    frozen = then(then(lens.freeze(13, 22), shown), partial(h264, kbits=1000))
    frames, truths = frozen(small(frames_of(clip, 0, SECONDS)))
    assert not faults(truths, told(frames))


def test_one_that_freezes_before_a_starved_encoder_is_not_told_from_a_still_room(
    clip: Path,
) -> None:
    """If this fails because it is told, docs/camera-health.md says too little of it."""
    frames, _ = then(lens.freeze(13, 22), h264)(small(frames_of(clip, 0, SECONDS)))
    assert told(frames) == []


def test_a_bus_that_stands_over_all_of_the_picture_is_told_after_three_seconds(clip: Path) -> None:
    frames, _ = weather.bus(7, 24)(small(frames_of(clip, 0, SECONDS)))
    (first, *_) = told(frames)
    stands = 9.5
    assert first.name in (Condition.COVERED, Condition.MOVED)
    assert stands + 2.5 <= first.begun <= stands + 5
