"""Every rule speaks where it has to, and is silent in the same story without that."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.scoring.events import score
from tests.scenes.people import Room
from tests.scenes.play import play
from tests.scenes.score import rooms, story_of
from tests.scenes.stories import STORIES

SEED = 21
FPS = 8.0


@pytest.fixture(scope="module")
def halls(clip: Path) -> tuple[Room, Room]:
    return rooms(clip)


@pytest.mark.parametrize("kind", STORIES)
@pytest.mark.parametrize("speaks", [True, False], ids=["speaks", "is-silent"])
def test_a_rule_tells_its_story_and_no_other(
    kind: str, speaks: bool, halls: tuple[Room, Room]
) -> None:
    story = story_of(kind, SEED, speaks=speaks)
    assert bool(story.events) == speaks
    hall = halls[list(STORIES).index(kind) % 2]
    alarms = play(story, hall, SEED, FPS)
    found = score(story.events, alarms, story.seconds)
    assert (found.missed, found.false) == (0, 0), (story.events, alarms)
