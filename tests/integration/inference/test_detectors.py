"""Real models on real pictures find what is there."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.detections import Detections
from edge_runtime.inference.model import Detector, ModelSettings, load_detector
from edge_runtime.inference.preprocess import Resize
from edge_runtime.timing import Stage

SSD = "ssd_mobilenet_v1_coco_quant_300.tflite"
YOLO = "yolov5_tiny_person_192_int8.tflite"


@pytest.fixture
def load(models: Path):
    def load(name: str, labels: Path | tuple[str, ...] | None = None, **more) -> Detector:
        return load_detector(ModelSettings(models / name, labels, device="cpu", **more))

    return load


def overlap(one: np.ndarray, other: tuple[float, ...]) -> float:
    x = min(one[2], other[2]) - max(one[0], other[0])
    y = min(one[3], other[3]) - max(one[1], other[1])
    both = max(x, 0) * max(y, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return float(both / (sum(areas) - both))


def best(detections: Detections, label: str) -> np.ndarray:
    found = [i for i in range(len(detections)) if detections.label(i) == label]
    assert found, f"no {label}"
    return detections.boxes[found[0]]


def test_ssd_finds_the_person_and_the_tie(load, coco: Path, picture) -> None:
    detections = load(SSD, coco).detect(picture("grace_hopper.jpg"))
    assert overlap(best(detections, "person"), (4, 33, 505, 595)) > 0.9
    assert overlap(best(detections, "tie"), (224, 426, 290, 539)) > 0.7
    assert list(detections.scores) == sorted(detections.scores, reverse=True)


@pytest.mark.parametrize("resize", list(Resize))
def test_boxes_are_in_pixels_however_the_picture_is_resized(load, coco, picture, resize) -> None:
    detections = load(SSD, coco, resize=resize).detect(picture("squat.jpg"))
    assert overlap(best(detections, "person"), (102, 136, 368, 596)) > 0.8


def test_ssd_sees_who_comes_and_goes_in_the_clip(load, coco: Path, data_dir: Path) -> None:
    clip = cv2.VideoCapture(str(data_dir / "clips" / "one-by-one-person-detection.mp4"))
    detector = load(SSD, coco, thresholds={"person": 0.4})
    seen = []
    for frame in (10, 100, 350, 600):
        clip.set(cv2.CAP_PROP_POS_FRAMES, frame)
        image = clip.read()[1]
        detections = detector.detect(image)
        seen.append("person" in [detections.label(i) for i in range(len(detections))])
        assert np.all(detections.boxes >= 0)
        assert np.all(detections.boxes <= (768, 432, 768, 432))
    assert seen == [False, True, True, True]


def test_yolo_finds_the_person_at_its_place(load, picture) -> None:
    detections = load(YOLO, ("person",)).detect(picture("squat.jpg"))
    assert overlap(detections.boxes[0], (102, 136, 368, 596)) > 0.6
    assert len(detections) == 1
    assert 0.5 < detections.scores[0] <= 1


def test_yolo_finds_nobody_where_a_cat_is(load, picture) -> None:
    assert len(load(YOLO, ("person",)).detect(picture("cat.jpg"))) == 0


def test_the_full_range_face_detector_finds_all_four_faces(load, picture) -> None:
    detections = load("face_detection_full_range_sparse.tflite").detect(picture("face.jpg"))
    assert len(detections) == 4
    assert detections.labels == ("face",)
    assert overlap(detections.boxes[0], (247, 63, 355, 170)) > 0.8


def test_the_short_range_face_detector_finds_the_near_faces(load, picture) -> None:
    detections = load("face_detection_short_range.tflite").detect(picture("face.jpg"))
    assert len(detections) >= 2
    assert overlap(detections.boxes[0], (255, 71, 354, 169)) > 0.8


@pytest.mark.parametrize(
    ("name", "more"), [("vww_96_int8.tflite", {}), ("vww_96_float.tflite", {"range": (0.0, 1.0)})]
)
def test_a_classifier_says_whether_a_person_is_there(load, picture, name: str, more) -> None:
    detector = load(name, ("nobody", "person"), **more)
    assert detector.labels == ("nobody", "person")
    person = detector.detect(picture("squat.jpg"))
    assert [person.label(i) for i in range(len(person))] == ["person"]
    assert person.boxes.tolist() == [[0, 0, 500, 610]]
    nobody = detector.detect(picture("cat.jpg"))
    assert [nobody.label(i) for i in range(len(nobody))] == ["nobody"]


@pytest.mark.parametrize(
    "name",
    [
        "mobilenet_v2_1.0_224_quant.tflite",
        "mobilenet_v1_0.25_128_quant.tflite",
        "tf2_mobilenet_v2_1.0_224_ptq.tflite",
    ],
)
def test_imagenet_classifiers_know_a_macaw_and_a_cat(load, data_dir, picture, name: str) -> None:
    detector = load(name, data_dir / "labels" / "imagenet_labels.txt", threshold=0.2)
    parrot, cat = detector.detect(picture("parrot.jpg")), detector.detect(picture("cat.jpg"))
    assert parrot.label(0) == "macaw"
    assert cat.label(0) in {"Egyptian cat", "tiger cat", "tabby, tabby cat"}


def test_a_threshold_by_class_is_for_that_class_alone(load, coco: Path, picture) -> None:
    image = picture("grace_hopper.jpg")
    strict = load(SSD, coco, thresholds={"person": 0.9}).detect(image)
    assert {strict.label(i) for i in range(len(strict))} == {"tie"}


def test_no_more_detections_come_than_are_asked_for(load, coco: Path, picture) -> None:
    assert len(load(SSD, coco, max_detections=1).detect(picture("grace_hopper.jpg"))) == 1


def test_the_same_picture_gives_the_same_detections(load, coco: Path, picture) -> None:
    detector = load(SSD, coco)
    squat, hopper = picture("squat.jpg"), picture("grace_hopper.jpg")
    first = detector.detect(squat)
    kept = first.boxes.copy()
    detector.detect(hopper)
    again = detector.detect(squat)
    assert np.array_equal(first.boxes, kept), "a later frame wrote into an earlier result"
    assert np.array_equal(again.boxes, kept)


def test_the_stages_are_told_in_their_order(load, coco: Path, picture) -> None:
    stages: list[Stage] = []
    load(SSD, coco).detect(picture("squat.jpg"), stages.append)
    assert stages == [Stage.TENSOR, Stage.INVOKE, Stage.OUTPUTS]


def test_the_identity_is_the_file_and_its_hash(load, models: Path, coco: Path) -> None:
    import hashlib

    identity = load(SSD, coco).identity
    assert identity.name == "ssd_mobilenet_v1_coco_quant_300"
    assert identity.sha256 == hashlib.sha256((models / SSD).read_bytes()).hexdigest()


def test_the_engine_can_be_given_two_threads(load, coco: Path, picture) -> None:
    assert len(load(SSD, coco, threads=2).detect(picture("squat.jpg"))) == 1
