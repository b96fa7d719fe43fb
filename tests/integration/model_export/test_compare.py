from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.capture.source import SourceError
from edge_runtime.inference.engine import ModelError
from edge_runtime.inference.model import ModelSettings
from model_export.comparison import Comparison, compare
from model_export.errors import ExportError


@pytest.fixture(scope="module")
def photos(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some photos, a part of them in a folder of its own."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "more").mkdir()
    names = sorted((data_dir / "images" / "coco128_person").rglob("*.jpg"))[:20]
    for number, path in enumerate(names):
        shutil.copy(path, folder / ("more" if number % 2 else "") / path.name)
    return folder


@pytest.fixture(scope="module")
def models(data_dir: Path) -> Path:
    return data_dir / "models"


def of_classifiers(models: Path, photos: Path, a: str, b: str) -> Comparison:
    settings = [
        ModelSettings(models / f"{name}.tflite", labels=("nobody", "person"), range=(0.0, 1.0))
        for name in (a, b)
    ]
    return compare(*settings, photos)


def test_a_model_agrees_with_itself_entirely(models: Path, photos: Path) -> None:
    found = of_classifiers(models, photos, "vww_96_int8", "vww_96_int8")
    assert (found.kind, found.pictures, found.agreement) == ("classifier", 20, 1.0)
    assert (found.largest_difference, found.mean_difference) == (0, 0)
    assert found.disagreements == ()


def test_an_int8_model_stays_close_to_the_float_model(models: Path, photos: Path) -> None:
    found = of_classifiers(models, photos, "vww_96_float", "vww_96_int8")
    assert found.agreement >= 0.9
    assert found.largest_difference is not None
    assert found.mean_difference is not None
    assert 0 < found.mean_difference < 0.05
    assert found.mean_difference < found.largest_difference < 0.3


def test_two_models_that_were_trained_apart_disagree_and_it_is_shown_where(
    models: Path, photos: Path
) -> None:
    a = ModelSettings(models / "mobilenet_v2_1.0_224_quant.tflite")
    b = ModelSettings(models / "mobilenet_v1_0.25_128_quant.tflite")
    found = compare(a, b, photos)
    assert found.agreement < 0.9
    assert 0 < len(found.disagreements) <= 10
    worst = found.disagreements[0]
    assert (photos / worst.picture).is_file()
    assert worst.a.startswith("class ")
    differences = [item.difference for item in found.disagreements]
    assert differences == sorted(differences, reverse=True)
    assert found.largest_difference is not None
    assert differences[0] <= found.largest_difference


def test_a_detector_agrees_with_itself_on_every_box(models: Path, photos: Path) -> None:
    settings = ModelSettings(models / "ssd_mobilenet_v1_coco_quant_300.tflite")
    found = compare(settings, settings, photos)
    assert found.boxes is not None
    assert 0 < found.boxes.a == found.boxes.b == found.boxes.matched
    assert (found.agreement, found.boxes.mean_overlap) == (1, pytest.approx(1))


def test_detectors_are_compared_by_the_boxes_that_match(
    models: Path, data_dir: Path, tmp_path: Path
) -> None:
    for name in ("face", "grace_hopper", "squat"):
        shutil.copy(data_dir / "images" / f"{name}.jpg", tmp_path)
    a = ModelSettings(models / "face_detection_short_range.tflite")
    b = ModelSettings(models / "face_detection_full_range_sparse.tflite")
    found = compare(a, b, tmp_path)
    assert found.kind == "blazeface"
    boxes = found.boxes
    assert boxes is not None
    assert 0 < boxes.matched <= min(boxes.a, boxes.b) < max(boxes.a, boxes.b)
    assert found.agreement == 2 * boxes.matched / (boxes.a + boxes.b)
    assert boxes.mean_overlap is not None
    assert 0.5 <= boxes.mean_overlap < 1
    assert found.disagreements[0].picture == "face.jpg"
    assert found.disagreements[0].b.count("face") > found.disagreements[0].a.count("face")


def sentence(a: ModelSettings, b: ModelSettings, folder: Path) -> str:
    with pytest.raises((ExportError, ModelError, SourceError)) as caught:
        compare(a, b, folder)
    return str(caught.value)


def test_models_of_two_kinds_cannot_be_compared(models: Path, photos: Path) -> None:
    a = ModelSettings(models / "vww_96_int8.tflite")
    b = ModelSettings(models / "ssd_mobilenet_v1_coco_quant_300.tflite")
    assert sentence(a, b, photos).endswith(
        "one of kind ssd: only models of one kind can be compared"
    )


def test_models_of_other_classes_cannot_be_compared(models: Path, photos: Path) -> None:
    a = ModelSettings(models / "vww_96_int8.tflite")
    b = ModelSettings(models / "mobilenet_v1_0.25_128_quant.tflite")
    assert "vww_96_int8.tflite tells 2 classes apart and" in sentence(a, b, photos)


def test_a_float_model_needs_its_range(models: Path, photos: Path) -> None:
    a = ModelSettings(models / "vww_96_float.tflite")
    assert "nothing says which values it expects: set range" in sentence(a, a, photos)


def test_a_yolo_model_needs_its_labels(models: Path, photos: Path) -> None:
    a = ModelSettings(models / "yolov5_tiny_person_192_int8.tflite")
    assert "has no labels: name the file with its" in sentence(a, a, photos)


def test_a_folder_without_pictures_is_told_of(models: Path, tmp_path: Path) -> None:
    a = ModelSettings(models / "vww_96_int8.tflite")
    assert sentence(a, a, tmp_path / "none") == f"the folder {tmp_path}/none does not exist"
    assert sentence(a, a, a.path).endswith("is a file: name the folder with the pictures")
    (tmp_path / "notes.txt").touch()
    assert sentence(a, a, tmp_path).startswith(f"the folder {tmp_path} holds no pictures (")


def test_a_broken_picture_is_named(models: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    a = ModelSettings(models / "vww_96_int8.tflite")
    assert sentence(a, a, tmp_path).startswith(f"{tmp_path}/broken.jpg is not a picture")


def test_pictures_without_anything_in_them_are_told_of(models: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((90, 120, 3), 128, np.uint8))
    a = ModelSettings(models / "ssd_mobilenet_v1_coco_quant_300.tflite")
    assert sentence(a, a, tmp_path) == (
        f"neither model finds anything in the 1 pictures of {tmp_path}: there is nothing to "
        "compare; take other pictures or a lower threshold"
    )
