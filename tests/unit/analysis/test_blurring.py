"""Blurring: what is thrown away is not in the picture any more."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.analysis.blurring import blurred, head_region
from edge_runtime.capture.scene import VISITOR
from edge_runtime.frame import Image
from edge_runtime.inference.model import Detector, ModelSettings, load_detector

SIZE = (768, 432)


def noise(width: int, height: int) -> Image:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)


def covers(box: tuple[float, float, float, float], point: tuple[float, float]) -> bool:
    region = head_region(box, SIZE)
    assert region is not None
    return region[0] <= point[0] < region[2] and region[1] <= point[1] < region[3]


@pytest.mark.parametrize(
    ("box", "head"),
    [
        # Who stands: a seventh of the height; the feet stay.
        ((300, 50, 400, 400), ((300, 45), (399, 45), (350, 110))),
        # A bust, and a head alone: down to the chin.
        ((300, 50, 500, 250), ((300, 45), (400, 200))),
        ((300, 50, 400, 180), ((350, 45), (350, 179))),
        # Who lies: either end.
        ((200, 300, 500, 400), ((195, 350), (505, 350))),
    ],
)
def test_the_region_holds_the_head_however_much_of_a_person_is_seen(
    box: tuple[float, float, float, float], head: tuple[tuple[float, float], ...]
) -> None:
    for point in head:
        assert covers(box, point)


def test_of_who_stands_the_legs_are_left() -> None:
    assert not covers((300, 50, 400, 400), (350, 300))


def test_a_region_ends_with_the_picture() -> None:
    assert head_region((-50, -50, 100, 150), SIZE) == (0, 0, 119, 164)
    assert head_region((800, 10, 900, 100), SIZE) is None


def test_a_picture_without_people_stays_as_it_is_and_the_frame_always_does() -> None:
    image = noise(*SIZE)
    before = image.copy()
    assert (blurred(image, []) == image).all()
    changed = blurred(image, [(300, 50, 400, 400)])
    assert (image == before).all()
    region = head_region((300, 50, 400, 400), SIZE)
    assert region is not None
    outside = np.ones(image.shape[:2], bool)
    outside[region[1] : region[3], region[0] : region[2]] = False
    assert (changed[outside] == image[outside]).all()
    assert (changed[~outside] != image[~outside]).any(axis=1).mean() > 0.9


def test_pictures_that_differ_in_all_but_a_few_means_become_the_same() -> None:
    """So no method whatever can tell which of them it was."""
    box = (0.0, 0.0, 240.0, 240.0)
    one = noise(240, 240)
    other = one.copy()
    draw = np.random.default_rng(4)
    for y in range(0, 240, 120):
        for x in range(0, 240, 120):
            cell = other[y : y + 120, x : x + 120].reshape(-1, 3)
            other[y : y + 120, x : x + 120] = draw.permutation(cell).reshape(120, 120, 3)
    assert (one != other).any(axis=2).mean() > 0.9
    assert (blurred(one, [box]) == blurred(other, [box])).all()


@pytest.fixture(scope="module", params=["short_range", "full_range_sparse"])
def faces(request: pytest.FixtureRequest, data_dir: Path) -> Detector:
    """MediaPipe's face detectors."""
    path = data_dir / "models" / f"face_detection_{request.param}.tflite"
    return load_detector(ModelSettings(path))


def sharpness(image: Image) -> float:
    return float(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.CV_64F).var())


@pytest.mark.parametrize("width", [491, 245, 120])
def test_of_a_real_face_nothing_is_left(faces: Detector, width: int) -> None:
    """The astronaut: found before, not found after, nor after sharpening; no fine detail left."""
    whole = cv2.imread(str(VISITOR), cv2.IMREAD_COLOR)
    picture = np.asarray(cv2.resize(whole, (width, width), interpolation=cv2.INTER_AREA), np.uint8)
    found = faces.detect(picture)
    assert len(found) == 1
    x1, y1, x2, y2 = found.boxes[0].astype(int).tolist()

    hidden = blurred(picture, [(0, 0, width, width)])
    soft = cv2.GaussianBlur(hidden, (0, 0), width / 40)
    sharpened = np.asarray(cv2.addWeighted(hidden, 4, soft, -3, 0), np.uint8)
    for attempt in (hidden, sharpened, hidden[y1:y2, x1:x2], sharpened[y1:y2, x1:x2]):
        assert len(faces.detect(np.ascontiguousarray(attempt))) == 0
    assert sharpness(hidden[y1:y2, x1:x2]) < sharpness(picture[y1:y2, x1:x2]) / 100


def test_a_head_that_fills_its_box_is_hidden_as_well(faces: Detector) -> None:
    whole = np.asarray(cv2.imread(str(VISITOR), cv2.IMREAD_COLOR), np.uint8)
    (box,) = faces.detect(whole).boxes.tolist()
    x1, y1, x2, y2 = box
    tall = y2 - y1
    head = (x1, y1 - 0.4 * tall, x2, y2 + 0.1 * tall)  # from the hair to the chin
    assert len(faces.detect(blurred(whole, [head]))) == 0
