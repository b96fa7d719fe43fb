"""Training on real pictures: tiny, and still clearly above chance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_export.architectures.from_tflite import from_tflite
from model_export.architectures.mobilenet import Family
from model_export.architectures.spec import Input
from model_export.datasets.folders import read_folders
from model_export.errors import ExportError
from model_export.pruning.structured import prune
from model_export.training.augmentation import NOTHING
from model_export.training.classification import (
    Distillation,
    Outcome,
    Plan,
    Precision,
    loss_of,
    score,
    train,
)
from model_export.training.loop import Epoch, Schedule
from model_export.training.pictures import Pictures, load_pictures
from model_export.training.starting import adapted, untrained
from model_export.training.statistics import reestimated, unfolded
from model_export.weights import Trained, largest_difference
from tests.integration.model_export_training.networks import random_model, shades

pytestmark = pytest.mark.usefixtures("keras")

SIZE = 64


@pytest.fixture(scope="session")
def start(data_dir: Path, keras: Any) -> Trained:
    person = from_tflite(data_dir / "models/vww_96_float.tflite", (0, 1))
    return adapted(person, height=SIZE, width=SIZE, channels=3, classes=2, seed=0)


@pytest.fixture(scope="session")
def faces(data_dir: Path) -> tuple[Pictures, Pictures]:
    """200 to learn from and 200 others."""
    data = read_folders(data_dir / "images/face_covered")
    chosen = np.random.default_rng(0).permutation(len(data))
    picture = Input(SIZE, SIZE)
    return (
        load_pictures(data.at(chosen[:200]), picture),
        load_pictures(data.at(chosen[200:400]), picture),
    )


@pytest.fixture(scope="session")
def outcome(start: Trained, faces: tuple[Pictures, Pictures]) -> Outcome:
    unfolded_start = unfolded(start, faces[0].inputs(start.network.backbone.input))
    plan = Plan(Schedule(2, 0.01, 5, False), Schedule(7, 0.003, 7, True), batch=20)
    return train(unfolded_start, *faces, plan)


def quick(**changes: Any) -> Plan:
    plan = Plan(None, Schedule(2, 0.003, 5, True), batch=8, augmentation=NOTHING)
    return replace(plan, **changes)


def tiny() -> Trained:
    return random_model(Family.V2, size=32, classes=2, blocks=3)


def test_covered_faces_are_told_from_uncovered_ones_after_a_short_training(
    outcome: Outcome, faces: tuple[Pictures, Pictures]
) -> None:
    assert [epoch.number for epoch in outcome.epochs] == list(range(1, 10))
    assert outcome.best.validation.accuracy > 0.8
    model = outcome.trained.model()
    found = score(model, faces[1], outcome.trained.network.backbone.input)
    assert found.loss == pytest.approx(outcome.best.validation.loss, rel=0.01)


def test_half_of_it_learns_again_from_the_whole(
    outcome: Outcome, faces: tuple[Pictures, Pictures]
) -> None:
    half = prune(outcome.trained, 0.5)
    ready = reestimated(half.trained, faces[0].inputs(half.trained.network.backbone.input))
    plan = Plan(None, Schedule(4, 0.003, 5, True), batch=20)
    found = train(ready, *faces, plan, teacher=outcome.trained)
    assert found.best.validation.accuracy > 0.8
    assert found.trained.network == half.trained.network


def test_the_head_learns_alone_while_the_rest_stays(start: Trained) -> None:
    trained = tiny()
    plan = quick(head=Schedule(1, 0.1, 1, False), whole=Schedule(1, 1e-9, 1, False))
    found = train(trained, shades(), shades((40, 210)), plan).trained
    assert (found.weights["classes"].kernel != trained.weights["classes"].kernel).any()
    for name in ("stem", "block02_depthwise", "last"):
        np.testing.assert_allclose(
            found.weights[name].kernel, trained.weights[name].kernel, atol=1e-6
        )


def test_the_same_seed_gives_the_same_weights() -> None:
    data = shades()
    first, again = (train(tiny(), data, data, quick(seed=3)).trained for _ in range(2))
    inputs = data.inputs(first.network.backbone.input)
    assert largest_difference(first.model(), again.model(), inputs) < 1e-5
    assert largest_difference(first.model(), tiny().model(), inputs) > 1e-3


def test_what_is_kept_is_the_best_epoch_and_not_the_last() -> None:
    data = shades()
    opposite = Pictures(data.pixels, 1 - data.labels, data.classes)
    seen: list[Epoch] = []
    plan = quick(whole=Schedule(6, 0.01, 2, False))
    found = train(tiny(), data, opposite, plan, epoch=seen.append)
    losses = [epoch.validation.loss for epoch in seen]
    # It learns the opposite: after the best epoch and two worse ones it ends.
    assert len(seen) == losses.index(min(losses)) + 3
    assert len(seen) < 6
    model = found.trained.model()
    kept = score(model, opposite, found.trained.network.backbone.input)
    assert kept.loss == pytest.approx(min(losses), rel=1e-3)


def test_bfloat16_trains_and_gives_float32() -> None:
    data = shades()
    found = train(tiny(), data, data, quick(precision=Precision.BFLOAT16))
    assert found.trained.weights["stem"].kernel.dtype == np.float32
    assert np.isfinite(found.best.validation.loss)


def test_distillation_is_cross_entropy_and_divergence_from_the_teacher(keras: Any) -> None:
    truth = np.array([[0, 1, 0.2, 0.8]], np.float32)
    seen = np.array([[0.4, 0.6]], np.float32)
    loss = loss_of(keras, 2, Distillation(share=0.25, temperature=2))
    soft_teacher = np.sqrt([0.2, 0.8]) / np.sqrt([0.2, 0.8]).sum()
    soft_seen = np.sqrt(seen[0]) / np.sqrt(seen[0]).sum()
    divergence = (soft_teacher * np.log(soft_teacher / soft_seen)).sum()
    expected = 0.75 * -np.log(0.6) + 0.25 * 4 * divergence
    assert float(loss(truth, seen)[0]) == pytest.approx(expected, rel=1e-5)
    assert float(loss(truth[:, :2], seen)[0]) == pytest.approx(-np.log(0.6), rel=1e-5)


def test_a_pupil_takes_on_what_only_its_teacher_knows() -> None:
    data, other = shades(count=48), shades((40, 210))
    wrong = Pictures(data.pixels, 1 - data.labels, data.classes)
    schedule = Schedule(8, 0.01, 8, False)
    teacher = train(tiny(), data, other, quick(whole=schedule)).trained
    plan = quick(whole=schedule, distillation=Distillation(share=1))
    # The labels are wrong, and only the teacher is listened to.
    pupil = train(tiny(), wrong, other, plan, teacher=teacher)
    assert pupil.best.validation.accuracy > 0.9


def test_a_network_for_colours_sees_grey_alike(start: Trained) -> None:
    grey = adapted(start, height=SIZE, width=SIZE, channels=1, classes=2, seed=0)
    inputs = np.random.default_rng(0).random((2, SIZE, SIZE, 1)).astype(np.float32)
    found, expected = grey.model()(inputs), start.model()(inputs.repeat(3, axis=3))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_random_weights_come_from_their_seed() -> None:
    network = tiny().network
    first, again, other = (untrained(network, seed).weights["stem"].kernel for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(
    ("attempt", "sentence"),
    [
        (
            lambda: train(tiny(), *[shades((1, 2, 3), names=("a", "b", "c"))] * 2, quick()),
            "the training pictures are 32x32x3 of 3 classes, and the network takes 32x32x3 and",
        ),
        (
            lambda: train(tiny(), shades((1, 2)), shades((1, 2), names=("a", "b")), quick()),
            "the classes of training (dark, bright) and validation (a, b) differ",
        ),
        (
            lambda: train(
                tiny(), shades((1, 2)), shades((1, 2)), quick(), teacher=random_model(Family.V1)
            ),
            "the teacher knows 3 classes in pictures of 64x64x3 and the pupil 2 in 32x32x3",
        ),
        (lambda: Schedule(0, 0.1, 1, False), "at least 1 epoch and 1 epoch of patience, not 0"),
        (lambda: Schedule(1, 2, 1, False), "a learning rate of 2 is not in 0..1"),
        (lambda: quick(batch=1), "a batch needs at least 2 pictures, not 1"),
        (lambda: Distillation(0, 1), "a share in 0..1 and a temperature of at least 1, not 0"),
    ],
)
def test_what_cannot_be_trained_is_told(attempt, sentence: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ExportError) as told:
        attempt()
    assert sentence in str(told.value)


def test_a_training_that_comes_apart_is_told() -> None:
    trained = tiny()
    last = trained.weights["classes"]
    broken = {**trained.weights, "classes": replace(last, kernel=last.kernel * np.nan)}
    data = shades()
    with pytest.raises(ExportError, match="come apart in epoch 1, its loss is nan: take a learn"):
        train(Trained(trained.network, broken), data, data, quick())
