"""What is taken out of a published SSD detector does what the interpreter does with the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_runtime.frame import Image
from edge_runtime.inference.litert import runtime
from edge_runtime.inference.model import ModelSettings, load_detector
from model_export.architectures.from_tflite import ssd_backbone
from model_export.architectures.spec import Classifier
from model_export.errors import ExportError
from model_export.training.starting import untrained, with_layers_of

SSD = "models/ssd_mobilenet_v1_coco_quant_300.tflite"
SIDE = 300
LAST = {
    "block05": "FeatureExtractor/MobilenetV1/MobilenetV1/Conv2d_5_pointwise/Relu6",
    "block13": "FeatureExtractor/MobilenetV1/MobilenetV1/Conv2d_13_pointwise/Relu6",
}


@pytest.fixture(scope="module")
def photos(data_dir: Path) -> list[Image]:
    paths = sorted((data_dir / "images/coco128_person/images").iterdir())[:16]
    found = [cv2.imread(str(path)) for path in paths]
    return [np.asarray(photo, np.uint8) for photo in found]


def as_pixels(photos: list[Image]) -> np.ndarray:
    return np.stack([cv2.resize(photo, (SIDE, SIDE))[..., ::-1] for photo in photos])


def test_the_backbone_sees_what_the_published_detector_sees(
    keras: Any, data_dir: Path, photos: list[Image]
) -> None:
    features, weights = ssd_backbone(data_dir / SSD)
    assert (features.input.height, features.input.pixel_range) == (SIDE, (-1.0, 1.0))
    trained = with_layers_of(untrained(Classifier(features, 2), 0), weights)
    model = trained.model(keras)
    rebuilt = keras.Model(
        model.input, [model.get_layer(f"{name}_project_relu").output for name in LAST]
    )
    interpreter = runtime()[1].Interpreter(
        model_path=str(data_dir / SSD), experimental_preserve_all_tensors=True
    )
    interpreter.allocate_tensors()
    numbers = {each["name"]: each["index"] for each in interpreter.get_tensor_details()}
    for pixels in as_pixels(photos[:2]):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels[np.newaxis])
        interpreter.invoke()
        mine = rebuilt(pixels[np.newaxis].astype(np.float32) / 127.5 - 1)
        for name, found in zip(LAST.values(), mine, strict=True):
            # Of 8 bits each, from 0 to 6.
            theirs = interpreter.get_tensor(numbers[name]).astype(np.float32) * 6 / 255
            assert np.corrcoef(theirs.ravel(), np.asarray(found).ravel())[0, 1] > 0.95
            assert np.abs(theirs - np.asarray(found)).mean() < 0.15


def test_the_witness_is_as_sure_of_a_person_as_the_interpreter(
    data_dir: Path, photos: list[Image]
) -> None:
    jax = pytest.importorskip("jax", reason="needs JAX, which trains on accelerators")
    from model_export.training.witness import best_logits, read_witness

    settings = ModelSettings(
        data_dir / SSD,
        data_dir / "labels/coco_labels.txt",
        threshold=0.01,
        classes=frozenset({"person"}),
    )
    detector = load_detector(settings)
    theirs = np.array([max(detector.detect(photo).scores, default=0) for photo in photos])
    witness = read_witness(data_dir / SSD)
    mine = jax.jit(lambda seen: jax.nn.sigmoid(best_logits(witness, witness.weights, seen)))(
        as_pixels(photos).astype(np.float32) / 255
    )
    # It gives the ten surest boxes of all classes, and not always one of a person.
    told = theirs > 0
    assert told.sum() > 6
    assert np.ptp(theirs[told]) > 0.4
    assert np.abs(theirs - np.asarray(mine))[told].mean() < 0.05


def test_what_is_no_ssd_detector_is_told(data_dir: Path) -> None:
    pytest.importorskip("jax", reason="needs JAX, which trains on accelerators")
    from model_export.training.witness import read_witness

    other = data_dir / "models/mobilenet_v1_0.25_128_quant.tflite"
    for read in (ssd_backbone, read_witness):
        with pytest.raises(ExportError, match="is no SSD detector: it does not end in TFLite_Det"):
            read(other)
    with pytest.raises(ExportError, match=r"has 90 classes: 90 is not in 0\.\.89"):
        read_witness(data_dir / SSD, 90)
