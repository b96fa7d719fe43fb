"""A detector learns to find something, in seconds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from model_export.architectures.mobilenet import Family
from model_export.architectures.spec import Anchors, Detector, Input
from model_export.architectures.ssdlite import detector
from model_export.errors import ExportError
from model_export.training.augmentation import Augmentation, Effect
from model_export.training.boxes import Scene, Scenes
from model_export.training.detection import DetectionPlan, detection_loss, train_detector
from model_export.training.loop import Schedule
from model_export.training.starting import untrained
from tests.integration.model_export_training.networks import random_model

pytestmark = pytest.mark.usefixtures("keras")


def network(classes: int = 1) -> Detector:
    """A detector without most of its blocks, for what is easily seen."""
    whole = detector(Family.V2, 0.35, Input(64, 64), classes)
    features = replace(whole.backbone, blocks=whole.backbone.blocks[:5], last=None)
    return Detector(features, whole.extras[:1], classes, Anchors(0.3, 0.8))


def red_things(count: int, seed: int, classes: tuple[str, ...] = ("red",)) -> Scenes:
    """One red rectangle in each noisy picture."""
    rng = np.random.default_rng(seed)
    scenes = []
    for _ in range(count):
        pixels = rng.integers(60, 120, (64, 64, 3)).astype(np.uint8)
        size = rng.uniform(0.25, 0.6, 2)
        start = rng.uniform(0, 1 - size)
        (top, left), (bottom, right) = (start * 64).astype(int), ((start + size) * 64).astype(int)
        pixels[top:bottom, left:right] = (230, 40, 40)
        box = np.array([[*start, *(start + size)]], np.float32)
        scenes.append(Scene(pixels, box, np.array([0])))
    return Scenes(tuple(scenes), classes)


PLAN = DetectionPlan(
    None,
    Schedule(24, 0.01, 24, False),
    augmentation=Augmentation({Effect.FLIP: 0.5, Effect.SHIFT: 0.3}),
    mixing=0.2,
)


def test_a_detector_finds_what_it_was_shown() -> None:
    start = untrained(network(), seed=0)
    found = train_detector(start, red_things(96, 1), red_things(32, 2), PLAN)
    assert found.best.validation.accuracy > 0.8
    assert found.best.validation.accuracy > found.epochs[0].validation.accuracy + 0.3
    assert found.trained.network == start.network


def test_the_loss_is_none_where_all_is_right_and_counts_what_is_wrong(keras: Any) -> None:
    loss = detection_loss(keras)
    # One anchor with an object, one of background, one that says nothing.
    truth = np.zeros((1, 3, 4 + 2 + 2), np.float32)
    truth[0, 0, [5, 6, 7]] = 1
    truth[0, 1, [4, 7]] = 1
    right = truth[..., :6].copy()
    assert float(loss(truth, right)[0]) < 1e-4
    moved = right.copy()
    moved[0, 0, 0] = 3
    # Huber's 3 - 1/2, over an object and one.
    assert float(loss(truth, moved)[0]) == pytest.approx(1.25, abs=1e-3)
    unheard = right.copy()
    unheard[0, 2] = 0.9
    unheard[0, 1, :4] = 7
    assert float(loss(truth, unheard)[0]) < 1e-4
    missed = right.copy()
    missed[0, 0, 5] = 0.1
    assert float(loss(truth, missed)[0]) == pytest.approx(
        0.25 * 0.9**2 * -np.log(0.1) / 2, rel=1e-3
    )


@pytest.mark.parametrize(
    ("attempt", "sentence"),
    [
        (
            lambda: train_detector(
                random_model(Family.V2), red_things(2, 0), red_things(2, 0), PLAN
            ),
            "a classifier was given where a detector is needed",
        ),
        (
            lambda: train_detector(
                untrained(network(2), 0), red_things(2, 0), red_things(2, 0), PLAN
            ),
            "the training pictures are 64x64x3 of 1 classes, and the detector takes 64x64x3 and",
        ),
        (
            lambda: train_detector(
                untrained(network(), 0), red_things(2, 0), red_things(2, 0, ("blue",)), PLAN
            ),
            "the classes of training (red) and validation (blue) differ",
        ),
        (lambda: replace(PLAN, mixing=2), "mixing is in 0..1, not 16 and 2"),
    ],
)
def test_what_cannot_be_trained_is_told(attempt, sentence: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ExportError) as told:
        attempt()
    assert sentence in str(told.value)
