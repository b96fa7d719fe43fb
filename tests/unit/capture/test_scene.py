"""The drawn lobby of an ATM: what is in it at which second."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.capture.drawn import Painter
from edge_runtime.capture.recording import Recording
from edge_runtime.capture.scene import COVERED_AT, Lobby, scene
from edge_runtime.capture.source import SourceError, SourceSettings
from edge_runtime.frame import Image

EMPTY, ONE, LEFT, TWO = 1.0, 8.0, 16.0, 26.0


@pytest.fixture(scope="module")
def lobby() -> Painter:
    with Recording(SourceSettings("scene:atm")) as recording:
        painter = recording._source._painter  # type: ignore[attr-defined]
    assert isinstance(painter, Lobby)
    return painter


def painted(lobby: Painter, seconds: float) -> Image:
    return lobby.paint(round(seconds * 10), seconds)


def changed(one: Image, other: Image) -> np.ndarray:
    """Where in the picture, by columns, more has changed than light and noise do."""
    difference = np.abs(one.astype(int) - other).max(axis=2) > 60
    return difference.mean(axis=0)


def test_the_same_second_is_the_same_picture_and_a_seed_makes_another() -> None:
    def pictures(query: str) -> list[Image]:
        with Recording(SourceSettings(f"scene:atm?fps=1&seconds=6{query}")) as recording:
            return [frame.image for frame in recording]

    first, again = pictures(""), pictures("")
    assert len(first) == 6
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    other = pictures("&seed=3")
    assert not np.array_equal(first[0], other[0])


def test_it_has_the_size_and_the_speed_that_are_asked_for() -> None:
    with Recording(SourceSettings("scene:atm?width=320&height=240&fps=5&seconds=2")) as recording:
        assert recording.info.description == "drawn lobby of an ATM, 320x240 at 5 fps"
        frames = list(recording)
    assert [frame.timestamp for frame in frames] == [number / 5 for number in range(10)]
    assert {frame.image.shape for frame in frames} == {(240, 320, 3)}


def test_one_comes_and_goes_and_then_there_are_two(lobby: Painter) -> None:
    empty = painted(lobby, EMPTY)
    left, right = slice(60, 300), slice(420, 620)
    one, gone, two = (changed(empty, painted(lobby, at)) for at in (ONE, LEFT, TWO))
    assert one[left].mean() > 0.2
    assert one[right].mean() < 0.02
    assert gone.mean() < 0.01
    assert two[left].mean() > 0.2
    assert two[right].mean() > 0.2


def test_the_light_changes_slowly_and_no_two_pictures_are_equal(lobby: Painter) -> None:
    means = [painted(lobby, at).mean() for at in (0.0, 2.0, 16.5)]
    assert max(means) - min(means) > 2
    near = painted(lobby, 1.0), painted(lobby, 1.1)
    assert abs(near[0].mean() - near[1].mean()) < 0.3
    assert 2 < np.abs(near[0].astype(int) - near[1]).mean() < 6


def test_a_covered_lens_shows_next_to_nothing(lobby: Painter) -> None:
    assert painted(lobby, COVERED_AT).mean() > 90
    assert 60 > painted(lobby, COVERED_AT + 0.4).mean() > 15
    assert painted(lobby, COVERED_AT + 1).mean() < 8
    assert painted(lobby, COVERED_AT + 1000).mean() < 8


def test_a_scene_that_is_none_is_told() -> None:
    with pytest.raises(SourceError, match=r"^there is no scene 'vault': there is atm$"):
        scene("vault", SourceSettings("scene:vault"))
    with pytest.raises(SourceError, match="has no setting colour"):
        scene("atm?colour=red", SourceSettings("scene:atm"))
