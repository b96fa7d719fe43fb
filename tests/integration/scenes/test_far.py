"""People far away, with the detector that ships: seen by closer looks, and not without."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.config import ModelConfig
from tests.scenes.far import Cast, FarScene, Ground
from tests.scenes.far_score import Result, played
from tests.scenes.score import CLIP

WITHOUT, WITH = 0.0, 10.0


@pytest.fixture(scope="module")
def cast(data_dir: Path) -> Cast:
    return Cast.of(data_dir / CLIP)


def results(scene: FarScene, cast: Cast) -> tuple[Result, Result]:
    """Without closer looks, and with them."""
    found = played(scene, cast, (WITHOUT, WITH), ModelConfig(name="person"))
    return found[WITHOUT], found[WITH]


@pytest.mark.usefixtures("person")
def test_people_far_away_are_followed_with_closer_looks_and_hardly_without(cast: Cast) -> None:
    without, with_looks = results(FarScene("mall", 1, Ground.CLIP, seconds=12.0), cast)
    seen, seen_before = with_looks.recall(0, 576), without.recall(0, 576)
    assert seen is not None
    assert seen_before is not None
    assert seen > 0.7
    assert seen > 3 * seen_before
    assert with_looks.strays <= 1
    assert with_looks.closer <= with_looks.looked
    assert without.closer == 0


@pytest.mark.usefixtures("person")
def test_leaves_in_the_wind_are_nobody_and_cost_one_look_a_second(cast: Cast) -> None:
    _, with_looks = results(FarScene("square", 1, crowd=0.0, seconds=12.0), cast)
    assert (with_looks.strays, with_looks.events.false) == (0, 0)
    assert 0 < with_looks.closer < 25
