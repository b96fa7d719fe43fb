from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.inference.nms import MOST, suppress


def slowly(boxes, scores, class_ids, overlap) -> list[int]:
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        for k in kept:
            w = min(boxes[i, 2], boxes[k, 2]) - max(boxes[i, 0], boxes[k, 0])
            h = min(boxes[i, 3], boxes[k, 3]) - max(boxes[i, 1], boxes[k, 1])
            both = max(w, 0) * max(h, 0)
            areas = sum((b[2] - b[0]) * (b[3] - b[1]) for b in (boxes[i], boxes[k]))
            if class_ids[i] == class_ids[k] and both / (areas - both) > overlap:
                break
        else:
            kept.append(int(i))
    return kept


@pytest.mark.parametrize("count", [0, 1, 2, 10, 120])
@pytest.mark.parametrize("overlap", [0.3, 0.45])
@pytest.mark.parametrize("unit", [1, 640])
def test_it_keeps_what_the_slow_way_keeps(count: int, overlap: float, unit: int) -> None:
    draw = np.random.default_rng(count)
    corner = draw.random((count, 2)) * 0.6
    boxes = np.hstack([corner, corner + 0.05 + draw.random((count, 2)) * 0.4]).astype(np.float32)
    scores = draw.permutation(np.linspace(0.1, 0.9, count)).astype(np.float32)
    class_ids = draw.integers(0, 3, count).astype(np.int32)
    kept = suppress(boxes * np.float32(unit), scores, class_ids, overlap)
    assert kept.tolist() == slowly(boxes, scores, class_ids, overlap)


def test_one_box_in_two_classes_stays_in_both() -> None:
    boxes = np.array([[0, 0, 1, 1], [0, 0, 1, 1]], np.float32)
    scores = np.array([0.5, 0.9], np.float32)
    assert suppress(boxes, scores, np.array([0, 1], np.int32), 0.5).tolist() == [1, 0]
    assert suppress(boxes, scores, np.array([1, 1], np.int32), 0.5).tolist() == [1]


def test_of_very_many_only_the_best_are_looked_at() -> None:
    side = np.arange(MOST + 50, dtype=np.float32)
    boxes = np.stack([side, side, side + 0.5, side + 0.5], axis=1)
    scores = np.linspace(0.1, 0.9, len(side)).astype(np.float32)
    kept = suppress(boxes, scores, np.zeros(len(side), np.int32), 0.5)
    assert kept.tolist() == list(range(len(side) - 1, 49, -1))
