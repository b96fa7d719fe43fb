"""Pictures and boxes change together, and the same key changes them in the same way."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from model_export.errors import ExportError
from model_export.training.boxes import CROWD, Scene, Scenes
from model_export.training.scene_arrays import NOTHING, SceneArrays, arrays_of

jax = pytest.importorskip("jax", reason="needs JAX, which trains on accelerators")

from model_export.training import views  # noqa: E402

SIZE = (48, 48)
GEOMETRY = views.Views(0.5, 0.0, (0.7, 1.8), 1.3, (0, 1), 0, 0, (0, 0), 0)


def bright_boxes(count: int = 12) -> SceneArrays:
    """A white rectangle in each black picture."""
    rng = np.random.default_rng(4)
    scenes = []
    for _ in range(count):
        pixels = np.zeros((64, 64, 3), np.uint8)
        (top, left), (height, width) = rng.integers(4, 28, 2), rng.integers(12, 28, 2)
        pixels[top : top + height, left : left + width] = 255
        box = np.array([[top, left, top + height, left + width]], np.float32) / 64
        scenes.append(Scene(pixels, box, np.array([0])))
    return arrays_of(Scenes(tuple(scenes), ("white",)), 4)


@pytest.fixture(scope="module")
def data() -> Any:
    arrays = bright_boxes()
    return views.Data(*map(jax.numpy.asarray, (arrays.pixels, arrays.boxes, arrays.labels)))


@pytest.fixture(scope="module")
def changed() -> Any:
    return jax.jit(partial(views.batch, views=GEOMETRY, size=SIZE))


def test_of_many_boxes_the_largest_are_kept_and_empty_rows_say_so() -> None:
    boxes = np.array([[0, 0, 0.1, 0.1], [0, 0, 0.9, 0.9], [0, 0, 0.5, 0.5]], np.float32)
    scene = Scene(np.zeros((8, 8, 3), np.uint8), boxes, np.array([0, 1, CROWD]))
    two, four = (arrays_of(Scenes((scene,), ("a", "b")), most) for most in (2, 4))
    np.testing.assert_array_equal(two.labels, [[1, CROWD]])
    np.testing.assert_array_equal(two.boxes[0], boxes[[1, 2]])
    np.testing.assert_array_equal(four.labels, [[1, CROWD, 0, NOTHING]])


def test_unchanged_pictures_are_what_they_were(data: Any) -> None:
    seen = jax.jit(partial(views.plain, size=(64, 64)))(data, np.arange(3))
    np.testing.assert_allclose(seen.picture * 255, data.pixels[:3], atol=0.01)
    np.testing.assert_allclose(seen.boxes, data.boxes[:3], atol=1e-6)
    np.testing.assert_array_equal(seen.labels, data.labels[:3])


def test_the_same_key_makes_the_same_pictures_wherever_they_stand(data: Any, changed: Any) -> None:
    key = jax.random.key(1)
    chosen = np.array([0, 1, 2, 3, 4, 5, 6, 7])
    first, again, other = (
        changed(key, data, chosen),
        changed(key, data, chosen[[1, 0, 2, 3, 7, 6, 5, 4]]),
        changed(jax.random.key(2), data, chosen),
    )
    places = np.array([1, 0, 7]), np.array([0, 1, 4])
    np.testing.assert_array_equal(first.picture[places[0]], again.picture[places[1]])
    assert np.abs(first.picture - other.picture).mean() > 0.01


def test_boxes_go_where_their_objects_go(data: Any, changed: Any) -> None:
    met = 0
    for number in range(6):
        seen = changed(jax.random.key(number), data, np.arange(8))
        # The second half are single pictures.
        for picture, boxes, labels in zip(
            *(np.asarray(each)[4:] for each in seen[:3]), strict=True
        ):
            assert (labels[1:] == NOTHING).all()
            if labels[0] != 0 or (boxes[0, 2:] - boxes[0, :2]).min() < 0.1:
                continue
            top, left, bottom, right = boxes[0] * 48
            inside = picture[round(top) + 2 : round(bottom) - 2, round(left) + 2 : round(right) - 2]
            assert inside.min() > 0.9
            # Around it there is black, unless the picture's own border is near.
            above = picture[
                max(0, round(top) - 4) : max(0, round(top) - 2), round(left) : round(right)
            ]
            assert above.size == 0 or above.max() < 0.1 or top < 6
            met += 1
    assert met > 12


def test_a_mosaic_has_the_objects_of_four_pictures(data: Any, changed: Any) -> None:
    counts = []
    for number in range(4):
        seen = changed(jax.random.key(number), data, np.arange(8))
        for picture, boxes, labels in zip(
            *(np.asarray(each)[:4] for each in seen[:3]), strict=True
        ):
            counts.append(int((labels == 0).sum()))
            for top, left, bottom, right in boxes[labels == 0] * 48:
                middle = picture[int((top + bottom) / 2), int((left + right) / 2)]
                assert middle.min() > 0.9
    assert max(counts) == 4
    assert np.mean(counts) > 1.5


def test_what_is_cut_is_a_crowd_and_what_is_gone_is_nothing() -> None:
    boxes = jax.numpy.array([[0.0, 0.0, 1.0, 0.2], [0.0, 0.0, 1.0, 0.6], [0.4, 0.6, 0.8, 0.9]])
    # The view begins at half the picture's width.
    place = views._Place(
        jax.numpy.array([0.0, -1.0]), jax.numpy.array([1.0, 2.0]), jax.numpy.array(False)
    )
    moved, labels = views._moved(boxes, jax.numpy.zeros(3, int), place)
    np.testing.assert_array_equal(labels, [NOTHING, CROWD, 0])
    np.testing.assert_allclose(moved[2], [0.4, 0.2, 0.8, 0.8], atol=1e-6)


@pytest.mark.parametrize("wrong", [{"mixing": 1.5}, {"zoom": (0.0, 1.0)}, {"stretch": 0.5}])
def test_views_that_cannot_be_are_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(ExportError, match="unlike in Views"):
        views.Views(**wrong)


def test_what_is_covered_is_gone_and_has_no_box(data: Any) -> None:
    covered = views.Views(0, 0, (0.9, 1.1), 1.1, (0, 1), 0, 0, (0, 0), 0, covered=(1.0, 0.0))
    plain = views.Views(0, 0, (0.9, 1.1), 1.1, (0, 1), 0, 0, (0, 0), 0)
    chosen, key = np.arange(8), jax.random.key(3)
    without, with_them = (views.batch(key, data, chosen, each, SIZE) for each in (covered, plain))
    assert (with_them.labels[:, 0] == 0).all()
    assert (without.labels < 0).all()
    rows = zip(without.picture, without.labels, with_them.boxes[:, 0], strict=True)
    for picture, labels, box in rows:
        top, left, bottom, right = (np.asarray(box) * 48).astype(int)
        # Of the other picture something may be left, and then it says so.
        if (labels == NOTHING).all():
            assert np.asarray(picture)[top + 2 : bottom - 2, left + 2 : right - 2].mean() < 0.2


def test_the_clear_view_is_the_one_before_light_noise_and_blur(data: Any, changed: Any) -> None:
    dim = replace(GEOMETRY, light=1.0, noise=(1.0, 0.2), coarse=(1.0, 12), hidden=1.0)
    key, chosen = jax.random.key(2), np.arange(8)
    unchanged = changed(key, data, chosen)
    dimmed = jax.jit(partial(views.batch, views=dim, size=SIZE))(key, data, chosen)
    # A picture ends at white; resampling rounds a little beyond it.
    np.testing.assert_allclose(unchanged.picture, unchanged.clear, atol=0.01)
    np.testing.assert_allclose(dimmed.clear, unchanged.clear, atol=0.01)
    np.testing.assert_allclose(dimmed.boxes, unchanged.boxes, atol=1e-6)
    np.testing.assert_array_equal(dimmed.labels, unchanged.labels)
    assert np.abs(dimmed.picture - dimmed.clear).mean() > 0.05


def test_at_the_end_nothing_is_mixed(data: Any) -> None:
    closing = views.Views(1, 0, (1, 1), 1, (0, 1), 0, 0, (0, 0), 0, closing=0.2)
    see = jax.jit(partial(views.batch, views=closing, size=SIZE))
    counts = [
        int((see(jax.random.key(1), data, np.arange(8), done=done).labels == 0).sum())
        for done in (0.5, 0.9)
    ]
    assert counts[0] > counts[1] == 8
