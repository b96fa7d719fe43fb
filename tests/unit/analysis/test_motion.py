from __future__ import annotations

import itertools

import numpy as np
import pytest

from edge_runtime.analysis.glance import Grey
from edge_runtime.analysis.motion import MotionGate, MotionSettings, beside, spots
from edge_runtime.frame import Frame, Image

STEP = 0.1


def lobby(seed: int = 0, noise: float = 0.0) -> Image:
    picture = np.full((360, 640, 3), 90, np.uint8)
    picture[200:, :] = 140
    grain = np.random.default_rng(seed).normal(0, noise, picture.shape) if noise else 0
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def with_person(x: int) -> Image:
    picture = lobby()
    picture[80:320, x : x + 70] = (40, 50, 200)
    return picture


def looks(
    gate: MotionGate, pictures: list[Image], *, settled: bool = True, somebody: bool = True
) -> list[bool]:
    return [
        gate.step(Frame(picture, i * STEP, 0.0), settled=settled, somebody=somebody)
        for i, picture in enumerate(pictures)
    ]


def test_the_first_frame_is_always_looked_at() -> None:
    assert looks(MotionGate(MotionSettings()), [lobby()]) == [True]


def test_the_gate_rests_while_nothing_moves_and_looks_again_after_the_longest_rest() -> None:
    gate = MotionGate(MotionSettings(hold=0.3, longest_rest=2.0))
    seen = looks(gate, [lobby()] * 60)
    assert not any(seen[5:20])
    resting = np.diff(np.flatnonzero(seen[4:])) * STEP
    assert resting == pytest.approx(2.0, abs=STEP)


def test_sensor_noise_does_not_open_the_gate() -> None:
    pictures = [lobby(seed, noise=8.0) for seed in range(40)]
    assert not any(looks(MotionGate(MotionSettings(longest_rest=60)), pictures)[5:])


def test_somebody_who_walks_opens_the_gate_at_once() -> None:
    pictures = [lobby()] * 20 + [with_person(20 + 15 * i) for i in range(10)]
    assert all(looks(MotionGate(MotionSettings(longest_rest=60)), pictures)[20:])


def test_the_gate_forgets_somebody_who_has_left_within_a_second() -> None:
    pictures = [with_person(300)] * 20 + [lobby()] * 20
    seen = looks(MotionGate(MotionSettings(longest_rest=60)), pictures)
    assert seen[20]
    assert not any(seen[30:])


def walk(begins: int, count: int) -> list[Image]:
    return [lobby()] * begins + [with_person(20 + 15 * (i % 30)) for i in range(count)]


def test_what_moves_and_is_nobody_is_looked_at_less_often_after_half_a_second() -> None:
    seen = looks(MotionGate(MotionSettings(longest_rest=60)), walk(20, 30), somebody=False)
    assert all(seen[20:24])
    assert sum(seen[25:]) == pytest.approx(25 / 2, abs=1)
    assert not any(one and other for one, other in itertools.pairwise(seen[25:]))


def test_as_soon_as_somebody_is_seen_each_frame_is_looked_at_and_for_a_while_after() -> None:
    gate = MotionGate(MotionSettings(longest_rest=60))
    seen = [
        gate.step(Frame(picture, i * STEP, 0.0), settled=True, somebody=40 <= i < 60)
        for i, picture in enumerate(walk(20, 60))
    ]
    assert not all(seen[30:40])
    assert all(seen[40:64])
    assert not all(seen[66:70])


def test_doubt_is_ended_at_each_frame_whatever_moves_in_vain() -> None:
    gate = MotionGate(MotionSettings(longest_rest=60))
    assert all(looks(gate, walk(20, 30), settled=False, somebody=False))


def test_slow_movement_at_a_high_frame_rate_is_still_movement() -> None:
    gate = MotionGate(MotionSettings(longest_rest=60))
    frames = [Frame(with_person(100 + i), i / 30, 0.0) for i in range(90)]
    seen = [gate.step(frame, settled=True, somebody=True) for frame in frames]
    assert all(seen[10:])


def test_doubt_keeps_the_gate_open() -> None:
    assert all(looks(MotionGate(MotionSettings()), [lobby()] * 20, settled=False))


def test_a_gate_that_is_switched_off_lets_everything_through() -> None:
    assert all(looks(MotionGate(MotionSettings(enabled=False)), [lobby()] * 20))


def test_another_picture_size_is_a_change() -> None:
    gate = MotionGate(MotionSettings(longest_rest=60))
    looks(gate, [lobby()] * 20)
    other = Frame(np.zeros((480, 640, 3), np.uint8), 2.0, 0.0)
    assert gate.step(other, settled=True, somebody=False)


@pytest.mark.parametrize(
    "bad", [{"area": 0.0}, {"area": 2.0}, {"level": 0}, {"hold": -1.0}, {"longest_rest": 0.0}]
)
def test_impossible_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        MotionSettings(**bad)  # type: ignore[arg-type]


def test_something_small_that_moves_opens_the_gate_where_it_is_worth_it() -> None:
    def small(x: int) -> Image:
        picture = lobby()
        picture[150:174, x : x + 8] = 20
        return picture

    pictures = [lobby()] * 20 + [small(4 * n) for n in range(10)]
    for worth, expected in ((True, True), (False, False)):
        gate = MotionGate(MotionSettings(area=0.01))
        asked = []

        def decide(moved: Grey, worth: bool = worth, asked: list[Grey] = asked) -> bool:
            asked.append(moved.copy())
            return worth

        open_ = [
            gate.step(Frame(picture, i * STEP, 0.0), settled=True, somebody=True, worth=decide)
            for i, picture in enumerate(pictures)
        ]
        assert any(open_[20:]) == expected
        assert all(moved.any() for moved in asked[21:])


def test_spots_are_boxes_around_what_moves_together_in_pixels_of_the_frame() -> None:
    moved = np.zeros((90, 160), np.uint8)
    moved[20:30, 40:44] = moved[33:40, 40:44] = 255  # a body, of which a part seems not to move
    moved[60, 100] = 255  # a single pixel is nothing
    (box,) = spots(moved, (640, 360))
    assert box == (160, 80, 176, 160)


def test_what_moves_close_to_somebody_known_is_his() -> None:
    moved = np.full((90, 160), 255, np.uint8)
    rest = beside(moved, [(160.0, 80.0, 240.0, 280.0)], (640, 360))
    assert not rest[20:70, 40:60].any()
    assert rest[20:70, :20].all()
    assert rest[:, 90:].all()
    assert moved.all()
