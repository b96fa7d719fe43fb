"""Steps of recipes whose data have boxes."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from edge_runtime.inference.tflite_file import read
from model_export.recipes.run import single_step
from model_export.training.boxes import Scenes
from model_export.training.starting import untrained
from model_export.weights import save
from tests.integration.model_export_training.test_detector_training import network, red_things

pytestmark = pytest.mark.timeout(240)


def write(folder: Path, train: Scenes, val: Scenes) -> None:
    """As COCO does."""
    images, boxes = [], []
    parts = [("train", scene) for scene in train.scenes] + [("val", scene) for scene in val.scenes]
    for number, (split, scene) in enumerate(parts):
        name = f"{number}.png"
        cv2.imwrite(str(folder / name), scene.pixels[..., ::-1])
        images.append({"id": number, "file_name": name, "width": 64, "height": 64, "split": split})
        top, left, bottom, right = (float(side) * 64 for side in scene.boxes[0])
        box = [left, top, right - left, bottom - top]
        boxes.append({"id": number, "image_id": number, "category_id": 1, "bbox": box})
    document = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "red"}]}
    (folder / "annotations.json").write_text(json.dumps(document))


def test_a_detector_is_trained_with_rounding_and_ends_as_boards_read_it(tmp_path: Path) -> None:
    write(tmp_path, red_things(16, 1), red_things(8, 2))
    save(tmp_path / "start.npz", untrained(network(), 0))
    made = single_step(
        {
            "name": "red",
            "data": {"folder": str(tmp_path), "annotations": str(tmp_path / "annotations.json")},
            "model": {"start": str(tmp_path / "start.npz"), "size": 64},
            "steps": [{"name": "int8", "do": "qat", "epochs": 1, "batch": 8}],
        },
        None,
        lambda *_: None,
    )
    assert made.summary == "trained with rounding for 1 epochs, int8, uint8 in and out"
    assert made.model is not None
    path = tmp_path / "model.tflite"
    path.write_bytes(made.model)
    assert read(path).detection is not None
