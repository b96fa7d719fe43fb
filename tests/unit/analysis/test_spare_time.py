from __future__ import annotations

import numpy as np

from edge_runtime.analysis.spare_time import SpareTime
from edge_runtime.frame import Frame

IMAGE = np.zeros((1, 1, 3), np.uint8)
FPS = 10


def steps(numbers: list[int]) -> list[bool]:
    spare = SpareTime()
    return [spare.step(Frame(IMAGE, n / FPS, 0.0, n)) for n in numbers]


def test_there_is_time_while_no_frame_is_dropped() -> None:
    assert all(steps(list(range(1000))))


def test_a_single_dropped_frame_is_chance() -> None:
    assert all(steps([n for n in range(1000) if n % 100 != 50]))


def test_there_is_none_for_a_while_after_several_were_dropped() -> None:
    numbers = [n for n in range(300) if not 50 <= n < 54]
    has = dict(zip(numbers, steps(numbers), strict=True))
    assert has[49]
    assert not any(has[n] for n in range(54, 150))
    assert all(has[n] for n in range(160, 300))


def test_it_is_tried_again_ever_later_while_frames_go_on_to_be_dropped_at_once() -> None:
    """Half of the frames are dropped as long as the time is used."""
    spare, begins = SpareTime(), []
    number, used = 0, True
    while number < 20_000:
        number += 2 if used else 1
        now = spare.step(Frame(IMAGE, number / FPS, 0.0, number))
        if now and not used:
            begins.append(number / FPS)
        used = now
    pauses = np.diff(begins)
    assert np.all(np.diff(pauses) > -2)
    assert 250 < pauses[-1] < 310
