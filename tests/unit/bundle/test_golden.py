"""When what a model sees counts as what it saw where the bundle was made."""

from __future__ import annotations

import pytest

from edge_runtime.bundle.golden import disagreement
from edge_runtime.bundle.manifest import Golden, Sighting

PERSON = Sighting(label="person", score=0.8, box=(0.1, 0.2, 0.5, 0.9))
FAINT = Sighting(label="bag", score=0.42, box=(0.6, 0.6, 0.8, 0.9))
GOLDEN = Golden(least=0.4, score_tolerance=0.04, overlap=0.8, sightings=(PERSON, FAINT))


def seen(sighting: Sighting, **changes: object) -> Sighting:
    return sighting.model_copy(update=changes)


@pytest.mark.parametrize(
    "found",
    [
        (PERSON, FAINT),
        (FAINT, PERSON),
        (seen(PERSON, score=0.765, box=(0.11, 0.2, 0.5, 0.89)), FAINT),
        (PERSON,),  # what is only just enough may be missing
        (PERSON, FAINT, seen(FAINT, label="cup", score=0.43)),  # or come
    ],
)
def test_a_step_more_or_less_is_the_same(found: tuple[Sighting, ...]) -> None:
    assert disagreement(GOLDEN, found) is None


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ((), "person with score 0.800 at (0.100, 0.200, 0.500, 0.900) is expected, and no such"),
        ((seen(PERSON, score=0.7),), "person with score 0.700 at (0.100, 0.200, 0.500, 0.900) is"),
        ((seen(PERSON, box=(0.3, 0.2, 0.7, 0.9)),), "at (0.300, 0.200, 0.700, 0.900) is the near"),
        ((seen(PERSON, label="bag"),), "person with score 0.800"),
        ((PERSON, seen(PERSON, label="bag")), "bag with score 0.800 at (0.100, 0.200, 0.500, 0.9"),
        ((PERSON, PERSON), "is seen, and nothing like it is expected"),
    ],
)
def test_another_sight_is_told(found: tuple[Sighting, ...], sentence: str) -> None:
    problem = disagreement(GOLDEN, found)
    assert problem is not None
    assert sentence in problem


def test_boxes_without_an_area_are_the_same_at_one_place_only() -> None:
    point = seen(PERSON, box=(0.5, 0.5, 0.5, 0.5))
    golden = GOLDEN.model_copy(update={"sightings": (point,)})
    assert disagreement(golden, (point,)) is None
    assert disagreement(golden, (seen(point, box=(0.6, 0.5, 0.6, 0.5)),)) is not None
