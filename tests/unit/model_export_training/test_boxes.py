from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_export.architectures.anchors import anchors_of
from model_export.architectures.box_coding import decode
from model_export.architectures.mobilenet import Family
from model_export.architectures.spec import Input
from model_export.architectures.ssdlite import detector
from model_export.datasets.coco import read_coco
from model_export.errors import ExportError
from model_export.training.augmentation import BRANCH
from model_export.training.boxes import (
    CROWD,
    Scene,
    SceneBatches,
    Scenes,
    load_scenes,
    mirrored,
    mosaic,
    overlaps,
    targets,
    window,
)

NETWORK = detector(Family.V2, 0.35, Input(64, 64), 2)


def scene(*boxes: tuple[float, float, float, float], labels: tuple[int, ...] = ()) -> Scene:
    """White rectangles on black, where the boxes are."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    for ymin, xmin, ymax, xmax in (np.array(box) * 64 for box in boxes):
        pixels[round(ymin) : round(ymax), round(xmin) : round(xmax)] = 255
    found = np.array(boxes, np.float32).reshape(-1, 4)
    return Scene(pixels, found, np.array(labels or (0,) * len(boxes)))


def assert_boxes_are_where_the_white_is(found: Scene) -> None:
    drawn = scene(*(tuple(map(float, box)) for box in found.boxes))
    differs = (np.abs(drawn.pixels.astype(int) - found.pixels) > 128).any(axis=2)
    # Rounding moves borders by a pixel.
    assert differs.mean() < 0.06


BOX = (0.25, 0.5, 0.5, 0.875)


def test_a_mirrored_pictures_boxes_are_mirrored() -> None:
    found = mirrored(scene(BOX))
    np.testing.assert_allclose(found.boxes, [[0.25, 0.125, 0.5, 0.5]])
    assert_boxes_are_where_the_white_is(found)


@pytest.mark.parametrize("seed", range(8))
def test_a_windows_boxes_are_where_the_object_is(seed: int) -> None:
    found = window(scene(BOX), np.random.default_rng(seed))
    assert found.pixels.shape == (64, 64, 3)
    assert found.boxes.min(initial=0) >= 0
    assert found.boxes.max(initial=0) <= 1
    if len(found.boxes):
        assert_boxes_are_where_the_white_is(found)


def test_a_mosaic_has_the_objects_of_four_pictures() -> None:
    found = mosaic((scene(BOX), scene(), scene(BOX, labels=(1,)), scene((0, 0, 1, 1))))
    assert found.labels.tolist() == [0, 1, 0]
    np.testing.assert_allclose(found.boxes[1], [0.625, 0.25, 0.75, 0.4375])
    assert_boxes_are_where_the_white_is(found)


def test_what_becomes_too_small_is_left_out() -> None:
    tiny = scene((0.5, 0.5, 0.515, 0.9))
    assert len(mosaic((tiny, tiny, tiny, tiny)).boxes) == 0


def test_overlap_is_intersection_over_union() -> None:
    one = np.array([[0, 0, 1, 1]], np.float32)
    others = np.array([[0, 0, 1, 1], [0, 0.5, 1, 1.5], [2, 2, 3, 3]], np.float32)
    np.testing.assert_allclose(overlaps(one, others), [[1, 1 / 3, 0]], atol=1e-6)


def test_anchors_are_told_their_objects_in_the_code_that_is_decoded() -> None:
    anchors = anchors_of(NETWORK)
    truth = targets(scene(BOX, (0, 0, 1, 1), labels=(1, 0)), anchors, NETWORK.scores)
    has_object = truth[:, -2] == 1
    boxes = decode(truth[:, :4], anchors)[has_object]
    labels = truth[has_object, 4:7].argmax(1) - 1
    assert set(labels) == {0, 1}
    np.testing.assert_allclose(boxes[labels == 1], [BOX] * (labels == 1).sum(), atol=1e-4)
    np.testing.assert_allclose(boxes[labels == 0], [(0, 0, 1, 1)] * (labels == 0).sum(), atol=1e-4)
    # Each anchor says one thing, and what is neither object nor background says nothing.
    assert (truth[:, 4:7].sum(axis=1) == 1).all()
    assert (truth[truth[:, -1] == 0, -2] == 0).all()


def test_an_object_that_no_anchor_fits_gets_the_nearest_one() -> None:
    needle = (0.1, 0.48, 0.12, 0.99)
    truth = targets(scene(needle), anchors_of(NETWORK), NETWORK.scores)
    assert truth[:, -2].sum() == 1


def test_a_crowd_is_neither_object_nor_background() -> None:
    anchors = anchors_of(NETWORK)
    crowd = targets(scene((0, 0, 1, 1), labels=(CROWD,)), anchors, NETWORK.scores)
    assert crowd[:, -2].sum() == 0
    assert 0 < (crowd[:, -1] == 0).sum() < len(anchors)
    empty = targets(scene(), anchors, NETWORK.scores)
    assert (empty[:, -1] == 1).all()
    assert (empty[:, 4] == 1).all()


def test_the_same_seed_makes_the_same_scenes() -> None:
    scenes = Scenes(tuple(scene(BOX) for _ in range(8)), ("a", "b"))
    batches = SceneBatches(
        scenes, NETWORK, 4, seed=3, shuffled=True, augmentation=BRANCH, mixing=0.5
    )
    first, again, later = batches.batch(1, 0), batches.batch(1, 0), batches.batch(2, 0)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (first[0] != later[0]).any()
    assert len(batches) == 2


def test_real_pictures_are_read_with_their_boxes(data_dir: Path) -> None:
    folder = data_dir / "images/coco128_person"
    data = read_coco(
        next(folder.glob("*.json")), next(path for path in folder.iterdir() if path.is_dir())
    )
    few = data.at(range(12))
    found = load_scenes(few, Input(96, 64))
    assert found.classes == data.classes
    for given, read in zip(few.pictures, found.scenes, strict=True):
        assert read.pixels.shape == (96, 64, 3)
        assert len(read.boxes) <= len(given.boxes)
        if len(read.boxes) == len(given.boxes):
            for box, of in zip(read.boxes, given.boxes, strict=True):
                assert box[1] * given.width == pytest.approx(of.x, abs=1)
                assert box[2] * given.height == pytest.approx(of.y + of.height, abs=1)


def test_pictures_without_any_object_are_told() -> None:
    with pytest.raises(ExportError, match="there is no picture with an object in it"):
        Scenes((scene(),), ("a",))
