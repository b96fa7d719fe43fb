"""Things left and taken under what is no thing; `tests.scenes.belongings_score` tells all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenes.belongings_score import judged, scene
from tests.scenes.people import Room, clip_room
from tests.scenes.play import alerts_of

SEED = 2
KINDS = "left, crowd", "left, fetched", "removed", "sun", "low sun", "stander"


@pytest.fixture(scope="module")
def people(clip: Path) -> Room:
    return clip_room(clip)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("speaks", [True, False], ids=["speaks", "is-silent"])
def test_what_is_left_or_taken_is_told_and_nothing_else(
    kind: str, speaks: bool, people: Room
) -> None:
    story, place, _ = scene(kind, SEED, people, speaks=speaks)
    assert bool(story.events) == speaks
    found = judged(story, alerts_of(story, place, SEED, 8.0))
    assert all((one.missed, one.false) == (0, 0) for one in found.values()), found
    assert sum(one.true for one in found.values()) == len(story.events)
