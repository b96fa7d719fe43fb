"""Which box of one model is which box of the other."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.inference.outputs.kind import Candidates
from model_export.comparison import match


def seen(*boxes: tuple[float, float, float, float], classes: list[int] | None = None) -> Candidates:
    return Candidates(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), 0.9, np.float32),
        np.array(classes or [0] * len(boxes), np.int32),
    )


def test_boxes_match_by_their_overlap() -> None:
    a = seen((0, 0, 10, 10), (20, 0, 30, 10))
    b = seen((20, 0, 30, 8), (0, 0, 10, 10))
    assert match(a, b) == [(0, 1, pytest.approx(1.0)), (1, 0, pytest.approx(0.8))]


def test_boxes_that_overlap_too_little_do_not_match() -> None:
    assert match(seen((0, 0, 10, 10)), seen((0, 0, 10, 4.9))) == []
    assert len(match(seen((0, 0, 10, 10)), seen((0, 0, 10, 5.1)))) == 1


def test_boxes_of_two_classes_do_not_match() -> None:
    assert match(seen((0, 0, 10, 10)), seen((0, 0, 10, 10), classes=[1])) == []


def test_a_box_is_in_one_pair_only_and_the_best_overlap_has_it() -> None:
    a = seen((0, 0, 10, 9), (0, 0, 10, 10))
    assert match(a, seen((0, 0, 10, 10))) == [(1, 0, pytest.approx(1.0))]


def test_nothing_matches_nothing() -> None:
    assert match(seen(), seen()) == []
    assert match(seen((0, 0, 1, 1)), seen()) == []


def test_a_box_without_area_matches_nothing() -> None:
    assert match(seen((5, 5, 5, 5)), seen((5, 5, 5, 5))) == []
