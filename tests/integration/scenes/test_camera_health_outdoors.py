"""Camera health out of doors: leaves, shadows, a strong compression and weather are no fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from edge_runtime.frame import Image
from tests.scenes import outdoor
from tests.scenes.health import DAILY, SECONDS, TAMPERING, faults, told

SQUARES: list[Callable[[], Iterator[tuple[float, Image]]]] = [
    lambda: outdoor.square(SECONDS, 12, 2, shadow=3.0),
    lambda: outdoor.square(SECONDS, 7, 3, people=120, shadow=0),
]
FAULTS = ("covered by a hand", "out of focus", "turned", "turned and tilted", "turned away",
          "frozen", "dusk to dark")  # fmt: skip
WEATHER = ("untouched", "a cloud's shadow", "sun and a house's shadow", "interlaced",
           "all weather at once")  # fmt: skip


@pytest.fixture(scope="module", params=["a low sun", "a crowd under clouds"])
def square(request: pytest.FixtureRequest) -> list[tuple[float, Image]]:
    return list(SQUARES[request.param_index]())


@pytest.mark.parametrize("title", [*FAULTS, *WEATHER])
def test_faults_are_told_on_a_windy_square_and_its_weather_is_not(
    title: str, square: list[tuple[float, Image]]
) -> None:
    frames, truths = {**TAMPERING, **DAILY}[title](1)(square)
    assert bool(truths) == (title in FAULTS)
    assert not faults(truths, told(outdoor.compressed(frames)))
