"""A picture that is turned and shifted is found where it is; one that is not, is not moved."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.analysis.camera_health.measures import Measures
from edge_runtime.analysis.camera_health.placing import (
    Outline,
    may_be_shifted,
    shifted,
    turned,
)
from edge_runtime.analysis.glance import Glancer

WIDTH, HEIGHT = 160, 90
BESIDE = 60
"""How much more there is to see around the picture, in pixels."""

Matrix = NDArray[np.float64]


def seen(turn: float = 0.0, shift: tuple[float, float] = (0.0, 0.0)) -> tuple[Measures, Matrix]:
    """A glance at a wall of pictures by a turned camera, and where each point has gone."""
    rng = np.random.default_rng(3)
    wall = np.full((HEIGHT + 2 * BESIDE, WIDTH + 2 * BESIDE), 110, np.uint8)
    for x, y, wide, high, grey in rng.uniform((0, 0, 6, 6, 0), (270, 200, 40, 30, 255), (90, 5)):
        corner = (round(x + wide), round(y + high))
        cv2.rectangle(wall, (round(x), round(y)), corner, grey, cv2.FILLED)
    matrix = cv2.getRotationMatrix2D((WIDTH / 2 + BESIDE, HEIGHT / 2 + BESIDE), turn, 1.0)
    matrix[:, 2] += shift
    moved = cv2.warpAffine(wall, matrix, wall.shape[::-1])
    picture = moved[BESIDE:-BESIDE, BESIDE:-BESIDE]
    matrix[:, 2] += matrix[:, :2] @ (BESIDE, BESIDE) - BESIDE
    return Measures.of(Glancer()(cv2.merge([picture] * 3))), matrix


def outline(measures: Measures) -> Outline:
    return Outline(measures.across, measures.down)


@pytest.mark.parametrize("turn", [-25.0, -12.0, 7.0, 20.0])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (9.0, -5.0)])
def test_a_turned_picture_is_found_to_a_pixel_and_a_half(
    turn: float, shift: tuple[float, float]
) -> None:
    before, _ = seen()
    now, where = seen(turn, shift)
    found = turned(outline(before), outline(now)).back
    points = np.array([(20, 20, 1), (140, 20, 1), (20, 70, 1), (140, 70, 1)], np.float64).T
    assert np.abs(found @ points - where @ points).max() <= 1.5


@pytest.mark.parametrize("shift", [(3.0, 0.0), (-8.0, 5.0), (0.0, 12.0)])
def test_a_shifted_picture_may_be_shifted_and_is_found(shift: tuple[float, float]) -> None:
    (before, _), (now, _) = seen(), seen(0.0, shift)
    assert may_be_shifted((before.across, before.down), (now.across, now.down))
    placing = shifted(outline(before), outline(now))
    assert placing.back[:, 2].tolist() == list(shift)
    assert placing.pixels(WIDTH, HEIGHT) == pytest.approx(np.hypot(*shift))


def test_somebody_who_has_come_does_not_shift_the_picture() -> None:
    (before, _), (now, _) = seen(), seen()
    for plane in (now.across, now.down):
        plane[20:, 60:100] = np.random.default_rng(1).normal(0, 40, (70, 40))
    assert not may_be_shifted((before.across, before.down), (now.across, now.down))
    assert shifted(outline(before), outline(now)).pixels(WIDTH, HEIGHT) == 0


def test_an_outline_stays_as_it_is_however_often_it_is_sought() -> None:
    (before, _), (now, _) = seen(), seen(12.0)
    kept = outline(before)
    edges = kept.edges.copy()
    first = turned(kept, outline(now)).back
    shifted(kept, outline(now))
    assert (kept.edges == edges).all()
    assert (turned(kept, outline(now)).back == first).all()
