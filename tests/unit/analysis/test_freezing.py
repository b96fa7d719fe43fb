"""Whether a camera is frozen, by how much of its picture repeats from look to look."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edge_runtime.analysis.camera_health.freezing import Repeat, Repeats

LOOKS = 5
"""A second."""
Levels = Callable[[int], float]
"""How many of the 48 tiles change at a look, by its number, as a share."""


def frozen(changing: Levels, looks: int, light: Callable[[int], float] = lambda _: 90.0) -> list[
    tuple[float, Repeat | None]
]:  # fmt: skip
    """What is said of each look, and when, if that share of tiles changes by half a level."""
    repeats = Repeats()
    said = []
    for number in range(looks):
        levels = np.zeros(48, np.float32)
        levels[: round(48 * changing(number))] = 0.5
        now = number / LOOKS
        said.append((now, repeats.step(levels.reshape(6, 8), light(number), now)))
    return said


def first(said: list[tuple[float, Repeat | None]]) -> float | None:
    return next((now for now, repeat in said if repeat is not None), None)


def since(seconds: float, changing: float, then: Levels = lambda _: 0.0) -> Levels:
    """From `seconds` on as `then` says, before that `changing`."""
    return lambda number: then(number) if number >= seconds * LOOKS else changing


def test_a_picture_that_always_changed_and_repeats_is_frozen_after_two_seconds() -> None:
    said = frozen(since(20, 1.0), 200)
    now = first(said)
    assert now == pytest.approx(22, abs=0.25)
    repeat = dict(said)[now]
    assert repeat is not None
    assert (repeat.since, repeat.sureness) == (pytest.approx(19.8), 1.0)


def test_a_clock_may_run_in_it() -> None:
    assert first(frozen(since(20, 1.0, lambda _: 4 / 48), 200)) == pytest.approx(22, abs=0.25)
    assert first(frozen(since(20, 1.0, lambda _: 6 / 48), 200)) is None


def test_key_frames_may_change_all_of_it() -> None:
    def pulses(number: int) -> float:
        return 1.0 if number % 10 < 4 else 0.0

    said = frozen(since(20, 1.0, pulses), 200)
    assert first(said) == pytest.approx(23.3, abs=0.6)
    assert all(repeat for now, repeat in said if now > 26)


def test_a_stall_of_a_second_and_a_half_is_not_frozen() -> None:
    assert first(frozen(lambda n: 0.0 if n % 50 < 8 and n > 60 else 1.0, 400)) is None


def test_where_much_repeats_beside_what_moves_a_still_room_is_not_frozen() -> None:
    def room(number: int) -> float:
        return 1.0 if number % 20 == 0 else 0.0  # a key frame every four seconds

    assert first(frozen(since(20, 0.4, room), 1000)) is None


def test_there_it_is_frozen_when_all_repeats_for_a_minute() -> None:
    assert first(frozen(since(20, 0.4), 600)) == pytest.approx(80, abs=1)


def test_where_some_repeats_it_is_frozen_when_nothing_changes_for_two_seconds_and_a_half() -> None:
    assert first(frozen(since(20, 0.8), 200)) == pytest.approx(22.4, abs=0.25)


def test_what_was_the_same_for_as_long_before_is_not_frozen() -> None:
    """A camera that sends each picture for four seconds."""
    assert first(frozen(lambda n: 1.0 if n % 20 == 0 else 0.0, 600)) is None


def test_in_another_light_it_is_not_known_how_much_repeats() -> None:
    said = frozen(since(20, 1.0), 300, light=lambda number: 90.0 if number < 100 else 40.0)
    assert first(said) is None


def test_it_is_over_when_the_picture_changes_again() -> None:
    said = frozen(lambda n: 0.0 if 100 <= n < 200 else 1.0, 300)
    last = max(now for now, repeat in said if repeat is not None)
    assert last == pytest.approx(41.4, abs=0.3)


def test_what_was_not_looked_at_does_not_repeat() -> None:
    repeats = Repeats()
    still, moving = np.zeros((6, 8), np.float32), np.ones((6, 8), np.float32)
    for number in range(100):
        assert repeats.step(moving, 90.0, number / LOOKS) is None
    for number in range(100, 300):
        if number % 10 == 0:
            repeats.rest()
        assert repeats.step(still, 90.0, number / LOOKS) is None
