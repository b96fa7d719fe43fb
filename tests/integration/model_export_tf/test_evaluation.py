"""Real models on real pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.inference.engine import ModelError
from edge_runtime.inference.model import ModelSettings
from model_export.calibration import calibration
from model_export.datasets.checks import check_boxed, check_labelled
from model_export.datasets.coco import BoxedPictures
from model_export.datasets.duplicates import group, perceptual_hashes
from model_export.datasets.folders import read_folders
from model_export.datasets.samples import LabelledPictures, Sample
from model_export.datasets.splits import split_by_group
from model_export.detection_evaluation import (
    choose_threshold,
    detector_quality,
    evaluate_detector,
)
from model_export.detection_scoring import find
from model_export.errors import ExportError
from model_export.evaluation import evaluate_classifier
from model_export.layer_errors import layer_errors
from model_export.quantization import Calibration, Precision
from tests.integration.model_export_tf.conftest import RANGE

SSD = "ssd_mobilenet_v1_coco_quant_300.tflite"


def test_the_published_classifier_finds_persons(
    models: Path, parts: dict[str, LabelledPictures]
) -> None:
    test = parts["test"]
    settings = ModelSettings(models / "vww_96_int8.tflite", range=RANGE)
    told: list[float] = []
    found = evaluate_classifier(settings, test, progress=told.append)
    assert told[-1] == 1
    accuracy = found.accuracy
    assert accuracy.value is not None and accuracy.low is not None and accuracy.high is not None
    assert 0.7 < accuracy.low < accuracy.value < accuracy.high < 0.95
    person = found.classes[1]
    assert person.label == "person"
    assert person.curve is not None and person.curve.roc_auc > 0.85
    assert sum(map(sum, found.confusion)) == found.pictures == len(test)
    assert sum(item.accuracy.of for item in found.lighting) == len(test)
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["pictures"] == len(test)


def test_classes_that_are_not_the_models_are_refused(
    models: Path, parts: dict[str, LabelledPictures], data_dir: Path
) -> None:
    test = parts["test"].at(range(2))
    settings = ModelSettings(models / "vww_96_int8.tflite", range=RANGE)
    three = LabelledPictures(("a", "b", "c"), test.samples)
    with pytest.raises(ExportError, match=r"tells 2 classes apart and the data has 3 \(a, b, c\)"):
        evaluate_classifier(settings, three)
    swapped = ModelSettings(settings.path, range=RANGE, labels=("person", "background"))
    with pytest.raises(ExportError, match="they have to be the same, in the same order"):
        evaluate_classifier(swapped, test)
    with pytest.raises(ExportError, match="there are no pictures to evaluate on"):
        evaluate_classifier(settings, test.at(()))
    with pytest.raises(ExportError, match=r"is no classifier: it gives .* not one score a class"):
        evaluate_classifier(ModelSettings(models / SSD), test)
    with pytest.raises(ModelError, match="nothing says which values it expects"):
        evaluate_classifier(ModelSettings(models / "vww_96_float.tflite"), test)


def test_a_detector_is_counted_by_coco(models: Path, data_dir: Path, boxed: BoxedPictures) -> None:
    val = boxed.where(lambda picture: picture.split == "val")
    settings = ModelSettings(models / SSD, labels=data_dir / "labels" / "coco_labels.txt")
    found = evaluate_detector(settings, val.at(range(40)))
    assert found.pictures == 40
    assert found.overall.ap50 is not None and 0.2 < found.overall.ap50 < 0.7
    assert found.classes["person"] == found.overall
    assert found.overall.ap_large is not None and found.overall.ap_small is not None
    assert found.overall.ap_large > found.overall.ap_small
    sure = found.overall.ap50_interval
    assert sure is not None and sure.low < found.overall.ap50 < sure.high
    json.dumps(found.as_dict(), allow_nan=False)


def test_persons_are_looked_for_in_pictures_with_and_without_any(
    models: Path, data_dir: Path, boxed: BoxedPictures
) -> None:
    with_some = boxed.where(lambda picture: picture.split == "val").at(range(40))
    without = boxed.where(lambda picture: not picture.boxes).at(range(0, 60, 2))
    data = replace(with_some, pictures=with_some.pictures + without.pictures)
    settings = ModelSettings(
        models / SSD, labels=data_dir / "labels" / "coco_labels.txt", threshold=0.4
    )
    seen = find(settings, data)
    (found,) = detector_quality(settings.path, seen, data, thresholds={"person": 0.4}).objects
    presence = found.presence
    assert presence.false_alarms.of >= 30
    assert presence.recall.value is not None and presence.false_alarms.value is not None
    assert presence.recall.value > 0.7
    assert presence.false_alarms.value < 0.3
    assert presence.curve is not None and presence.curve.roc_auc > 0.9
    heights = [rate.value for rate in found.by_height.values()]
    assert heights == sorted(heights, key=lambda value: value or 0)
    assert sum(rate.of for rate in found.by_height.values()) == found.recall.of
    assert {part.name for part in found.origins} == {picture.origin for picture in data.pictures}
    assert sum(part.pictures for part in found.lighting) == len(data)
    rare = choose_threshold(seen, data, "person", 0.0)
    common = choose_threshold(seen, data, "person", 0.2)
    assert rare.false_alarms.value == 0 and rare.threshold > common.threshold


def test_a_detector_without_the_datas_classes_is_refused(
    models: Path, data_dir: Path, boxed: BoxedPictures
) -> None:
    settings = ModelSettings(models / SSD, labels=data_dir / "labels" / "coco_labels.txt")
    helmets = BoxedPictures(("helmet",), boxed.pictures[:2])
    with pytest.raises(ExportError, match="has no class helmet, which the data has: it tells pers"):
        evaluate_detector(settings, helmets)
    empty = boxed.where(lambda picture: not picture.boxes)
    with pytest.raises(ExportError, match="pictures has a box: nothing can be evaluated"):
        evaluate_detector(settings, empty)


def test_the_first_layers_of_the_reference_lose_most(
    float_model: bytes, calibrated: Calibration
) -> None:
    found = layer_errors(float_model, calibrated, pictures=20)
    assert len(found) == 28
    assert [item.error for item in found] == sorted((item.error for item in found), reverse=True)
    assert all(0 < item.error <= item.greatest < 0.2 for item in found)
    worst = " ".join(item.layer for item in found[:8])
    assert "conv2d_1/" in worst or "depthwise_conv2d/" in worst
    finer = layer_errors(float_model, calibrated, Precision.INT16X8, pictures=20)
    assert sum(item.error for item in finer) < sum(item.error for item in found)
    with pytest.raises(ExportError, match="is measured for int8 and int16x8, not dynamic"):
        layer_errors(float_model, calibrated, Precision.DYNAMIC)


def test_only_float_models_of_one_picture_are_calibrated(models: Path) -> None:
    content = (models / "vww_96_int8.tflite").read_bytes()
    with pytest.raises(ExportError, match=r"takes int8\[1,96,96,3\]: a float model of one picture"):
        calibration(content, [], RANGE)


def test_real_data_is_read_grouped_and_split(data_dir: Path) -> None:
    data = read_folders(data_dir / "images" / "face_covered")
    assert data.counts() == {"covered": 2441, "uncovered": 1591}
    groups = group(perceptual_hashes(data.samples))
    # Many are there twice, some with a mask drawn on; no chain joins what is not alike.
    assert 500 < len(data) - len(np.unique(groups)) < 900
    assert np.bincount(groups).max() < 40
    parts = split_by_group(
        [sample.label for sample in data.samples], groups, {"train": 0.8, "test": 0.2}
    )
    assert not set(groups[parts["train"]]) & set(groups[parts["test"]])
    few = data.at(parts["test"][::5])
    assert check_labelled(few) == ()


def test_a_picture_under_another_name_is_found(data_dir: Path) -> None:
    """Of the reference pictures no two are alike, and each is like itself as a crop."""
    images = sorted((data_dir / "images").glob("*.jpg"))
    samples = [Sample(path, 0) for path in images if path.name != "cat_720p.jpg"]
    groups = group(perceptual_hashes([*samples, *samples]))
    assert len(set(groups)) == len(samples)
    assert np.array_equal(groups[: len(samples)], groups[len(samples) :])


def test_the_boxes_of_real_data_are_inside_their_pictures(boxed: BoxedPictures) -> None:
    assert len(boxed) == 3063
    assert check_boxed(boxed.at(range(300))) == ()
