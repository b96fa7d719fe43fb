"""Which places stand for an object, and what a batch loses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model_export.architectures.box_coding import decode
from model_export.training.boxes import CROWD
from model_export.training.scene_arrays import NOTHING

jax = pytest.importorskip("jax", reason="needs JAX, which trains on accelerators")

from model_export.training import assignment  # noqa: E402

ROWS = 6


def grid() -> np.ndarray:
    """A box of a third of the picture at each of 6 x 6 places."""
    middle = (np.arange(ROWS) + 0.5) / ROWS
    y, x = np.meshgrid(middle, middle, indexing="ij")
    size = np.full_like(y, 1 / 3)
    return np.stack([y, x, size, size], axis=-1).reshape(-1, 4).astype(np.float32)


PLACES = assignment.Places(grid(), 0.75 / ROWS)
BOXES = decode(np.zeros((ROWS**2, 4), np.float32), grid())


def assign(wanted: list[list[float]], labels: list[int], scores: Any = None) -> Any:
    scores = np.full((ROWS**2, 1), 0.1, np.float32) if scores is None else scores
    return assignment.assign(
        PLACES, scores, BOXES, np.array(wanted, np.float32), np.array(labels, np.int32)
    )


def test_boxes_are_decoded_as_boards_decode_them() -> None:
    coded = np.random.default_rng(0).normal(0, 3, (ROWS**2, 4)).astype(np.float32)
    np.testing.assert_allclose(
        assignment.decoded(coded, grid()), decode(coded, grid()), rtol=1e-5, atol=1e-6
    )


def test_the_place_that_meets_an_object_best_scores_as_it_overlaps() -> None:
    wanted = BOXES[14].tolist()
    found = assign([wanted, [0, 0, 0, 0]], [0, NOTHING])
    scores = np.asarray(found.scores[:, 0])
    assert scores.argmax() == 14
    assert scores[14] == pytest.approx(1)
    assert 1 <= (scores > 0).sum() <= 10
    np.testing.assert_allclose(found.boxes[14], wanted, atol=1e-6)
    # Places outside of it stand for nothing.
    assert scores[0] == scores[35] == 0
    assert np.asarray(found.counts).all()


def test_of_two_objects_that_want_a_place_it_takes_the_one_that_it_overlaps_more() -> None:
    small, large = BOXES[14].tolist(), [0.0, 0.0, 1.0, 1.0]
    found = assign([large, small], [0, 0])
    np.testing.assert_allclose(found.boxes[14], small, atol=1e-6)


def test_a_place_that_scores_higher_is_preferred_among_equals() -> None:
    between = ((BOXES[14] + BOXES[15]) / 2).tolist()
    scores = np.full((ROWS**2, 1), 0.1, np.float32)
    scores[15] = 0.9
    found = np.asarray(assign([between], [0], scores).scores[:, 0])
    assert found[15] > 2 * found[14] > 0


def test_an_object_too_small_to_hold_a_place_still_has_one() -> None:
    found = np.asarray(assign([[0.49, 0.49, 0.5, 0.5]], [0]).scores[:, 0])
    assert 0 < (found > 0).sum() <= 4


def test_a_crowd_is_neither_object_nor_background() -> None:
    found = assign([[0.0, 0.0, 0.5, 0.5]], [CROWD])
    assert np.asarray(found.scores).max() == 0
    counts = np.asarray(found.counts).reshape(ROWS, ROWS)
    assert not counts[:3, :3].any()
    assert counts[5].all()


def losing(logits: np.ndarray, boxes: np.ndarray) -> float:
    targets = assign([BOXES[14].tolist()], [0])
    batch = assignment.Targets(*(np.asarray(each)[np.newaxis] for each in targets))
    both = np.stack([-logits, logits], axis=-1)[np.newaxis]
    return float(assignment.loss(both, boxes[np.newaxis], batch))


def test_the_loss_is_least_where_all_is_right() -> None:
    scores = np.asarray(assign([BOXES[14].tolist()], [0]).scores[:, 0]).clip(1e-4, 1 - 1e-4)
    right = np.log(scores / (1 - scores))
    best = losing(right, BOXES)
    unseen, confused = np.full_like(right, -9), right.copy()
    confused[0] = 3
    moved = BOXES + np.float32(0.05)
    assert best < 0.5 * min(losing(unseen, BOXES), losing(confused, BOXES))
    assert losing(right, moved) > best + 0.2


def test_who_sees_what_the_teacher_sees_loses_nothing() -> None:
    rng = np.random.default_rng(1)
    scores = rng.uniform(0.05, 0.95, (1, ROWS**2, 1)).astype(np.float32)
    seen = np.log(scores / (1 - scores))
    same = np.concatenate([-seen, seen], axis=-1)
    boxes = BOXES[np.newaxis]
    assert float(assignment.taught(same, boxes, scores, boxes)) == pytest.approx(0, abs=0.02)
    assert float(assignment.taught(-same, boxes, scores, boxes)) > 0.2
    assert float(assignment.taught(same, boxes + np.float32(0.1), scores, boxes)) > 0.2


@pytest.mark.parametrize(
    ("boxes", "labels", "raised", "costs"),
    [
        ([BOXES[14].tolist()], [0], 14, False),
        ([BOXES[14].tolist()], [0], 0, True),
        ([[0.0, 0.0, 0.0, 0.0]], [NOTHING], 0, True),
        ([[0.0, 0.0, 0.2, 0.2]], [CROWD], 0, None),
        ([[0.5, 0.5, 0.52, 0.52]], [0], 0, None),
    ],
    ids=["found", "missed", "seen where there is none", "a crowd", "too small"],
)
def test_the_best_score_has_to_tell_whether_there_is_an_object(
    boxes: list[list[float]], labels: list[int], raised: int, costs: bool | None
) -> None:
    logits = np.full((1, ROWS**2, 2), -4, np.float32)
    logits[0, raised, 1] = 4
    targets = jax.tree.map(lambda each: each[None], assign(boxes, labels))
    lost = float(
        assignment.presence(
            logits, targets, np.array([boxes], np.float32), np.array([labels], np.int32)
        )
    )
    if costs is None:
        assert lost == 0
    elif costs:
        assert lost > 3.9
    else:
        assert 0 < lost < 0.1
