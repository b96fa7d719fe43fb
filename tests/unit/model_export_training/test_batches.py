from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from model_export.architectures.spec import Input
from model_export.datasets.samples import LabelledPictures, Sample
from model_export.errors import ExportError
from model_export.training.augmentation import BRANCH, Augmentation, Effect
from model_export.training.batches import Batches, Imbalance, balanced, prefetched
from model_export.training.pictures import Pictures, as_input, load_pictures

PICTURE = Input(32, 32)


def pictures(count: int = 10) -> Pictures:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3)).astype(np.uint8)
    return Pictures(pixels, np.arange(count) % 5 // 4, ("no", "yes"))


def test_pictures_are_read_as_boards_read_them(tmp_path: Path) -> None:
    image = np.zeros((60, 90, 3), np.uint8)
    image[..., 2] = np.arange(90)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    data = LabelledPictures(("a",), (Sample(tmp_path / "a.png", 0),))
    colour = load_pictures(data, PICTURE)
    assert colour.pixels.shape == (1, 32, 32, 3)
    expected = cv2.resize(image, (32, 32))[..., 2]
    np.testing.assert_array_equal(colour.pixels[0, ..., 0], expected)
    assert load_pictures(data, Input(32, 32, 1)).pixels.shape == (1, 32, 32, 1)


def test_pixels_come_in_the_networks_range() -> None:
    pixels = np.array([0, 255], np.uint8)
    np.testing.assert_allclose(as_input(pixels, PICTURE), [-1, 1])
    np.testing.assert_allclose(as_input(pixels, Input(32, 32, 3, (0, 1))), [0, 1])
    np.testing.assert_allclose(as_input(pixels, Input(32, 32, scales=True)), [0, 255])


def test_an_epoch_has_each_picture_once_in_an_order_of_its_own() -> None:
    data = pictures()
    batches = Batches(data, PICTURE, 5, seed=1, shuffled=True)
    seen = [np.concatenate([x for x, _, _ in prefetched(batches, epoch)]) for epoch in (0, 1)]
    assert (seen[0] != seen[1]).any()
    for epoch in seen:
        assert {row.tobytes() for row in epoch} == {row.tobytes() for row in data.inputs(PICTURE)}


def test_what_does_not_fill_a_batch_is_left_out_of_training_and_not_of_testing() -> None:
    data = pictures()
    assert [len(b[0]) for b in prefetched(Batches(data, PICTURE, 4, shuffled=True), 0)] == [4, 4]
    assert [len(b[0]) for b in prefetched(Batches(data, PICTURE, 4), 0)] == [4, 4, 2]
    assert len(Batches(data, PICTURE, 32, shuffled=True)) == 1


def test_the_same_seed_makes_the_same_batches_whatever_the_threads_do() -> None:
    batches = Batches(pictures(40), PICTURE, 4, seed=7, shuffled=True, augmentation=BRANCH)
    first, again = (list(prefetched(batches, 3)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
    assert (first[0][0] != batches.batch(4, 0)[0]).any()


def test_classes_count_the_same_however_many_pictures_they_have() -> None:
    data = pictures()
    weights = balanced(data)
    np.testing.assert_allclose(weights * data.counts(), [5, 5])
    batches = Batches(data, PICTURE, 10, imbalance=Imbalance.WEIGHTS)
    np.testing.assert_allclose(batches.batch(0, 0)[2], weights[data.labels])


def test_rare_classes_are_drawn_as_often_as_frequent_ones_and_changed_each_time() -> None:
    data = pictures(200)
    assert data.counts().tolist() == [160, 40]
    batches = Batches(
        data,
        PICTURE,
        200,
        shuffled=True,
        imbalance=Imbalance.SAMPLING,
        augmentation=Augmentation({Effect.COLOUR_CAST: 1}),
    )
    inputs, truth, weights = batches.batch(0, 0)
    assert 80 < truth[:, 1].sum() < 120
    assert (weights == 1).all()
    assert len({row.tobytes() for row in inputs}) == 200
    assert (batches.batch(1, 0)[1] != truth).any()


def test_what_a_teacher_sees_stands_beside_the_truth() -> None:
    def teacher(inputs: np.ndarray) -> np.ndarray:
        return np.full((len(inputs), 2), 0.5, np.float32)

    _, truth, _ = Batches(pictures(), PICTURE, 5, teacher=teacher).batch(0, 0)
    np.testing.assert_allclose(truth[4], [0, 1, 0.5, 0.5])


def test_a_class_without_pictures_is_told() -> None:
    with pytest.raises(ExportError, match="the class yes has no pictures: every class needs some"):
        Pictures(np.zeros((1, 32, 32, 3), np.uint8), np.array([0]), ("no", "yes"))
