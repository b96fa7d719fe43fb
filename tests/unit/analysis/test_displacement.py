"""A thing that was only moved is found beside its place."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_runtime.analysis.displacement import is_displaced
from edge_runtime.analysis.planes import Colours

BOX = (60, 50, 84, 78)
MASK = np.ones((28, 24), np.bool_)


def floor() -> Colours:
    rng = np.random.default_rng(2)
    grain = cv2.blur(rng.normal(0, 12, (120, 160, 3)).astype(np.float32), (3, 3))
    return np.asarray(130 + grain, np.float32)


def with_chair(x: int, y: int) -> Colours:
    picture = floor()
    picture[y : y + 28, x : x + 24] = (40, 50, 60)
    picture[y + 8 : y + 14, x : x + 24] = (70, 90, 160)
    return picture


@pytest.mark.parametrize("shift", [-14, 9, 30])
def test_what_was_pushed_aside_is_displaced(shift: int) -> None:
    before, now = with_chair(60, 50), with_chair(60 + shift, 50)
    assert is_displaced(before, now, BOX, MASK, 36)


def test_what_was_pushed_out_of_the_picture_in_part_is_displaced() -> None:
    before, whole = with_chair(10, 50)[:, 6:], with_chair(2, 50)
    now = whole[:, 6:]
    assert is_displaced(before, now, (0, 50, 28, 78), np.ones((28, 28), np.bool_), 36)


def test_what_was_taken_from_the_edge_of_the_picture_is_not_displaced() -> None:
    before, now = with_chair(6, 50)[:, 6:], floor()[:, 6:]
    assert not is_displaced(before, now, (0, 50, 24, 78), MASK, 36)


def test_what_came_is_not_displaced() -> None:
    assert not is_displaced(with_chair(60, 50), floor(), BOX, MASK, 36)


def test_what_came_beside_its_like_is_not_displaced() -> None:
    like = with_chair(100, 50)
    both = like.copy()
    both[50:78, 60:84] = with_chair(60, 50)[50:78, 60:84]
    assert not is_displaced(both, like, BOX, MASK, 36)
