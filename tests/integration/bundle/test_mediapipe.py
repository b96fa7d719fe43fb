"""The model of a bundle loads in MediaPipe Tasks as it is, and sees there what it sees here."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.bundle.manifest import MODEL
from edge_runtime.bundle.settings import model_settings
from edge_runtime.detections import Detections
from edge_runtime.frame import Image
from edge_runtime.inference.model import Detector, load_detector
from model_export.tflite_metadata import Description, with_uint8_interface, write
from tests.integration.bundle.conftest import Bundled, Parts

ROOT = Path(__file__).parents[3]
PYTHON = Path(os.environ.get("EDGE_MEDIAPIPE_PYTHON", ROOT / ".venv-mediapipe" / "bin" / "python"))

PHOTOS = ("squat.jpg", "pets.jpg", "parrot.jpg", "cat_720p.jpg", "grace_hopper.jpg", "face.jpg")

Seen = list[tuple[str, float, list[float] | None]]


def in_mediapipe(kind: str, model: Path, paths: list[Path]) -> list[Seen]:
    if not PYTHON.exists():
        pytest.fail(
            f"{PYTHON} does not exist: `make test` makes it, a virtual environment with "
            "mediapipe; EDGE_MEDIAPIPE_PYTHON may name another"
        )
    run = subprocess.run(
        [PYTHON, Path(__file__).with_name("mediapipe_reader.py"), kind, model, *paths],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.fixture
def photos(data_dir: Path, tmp_path: Path):
    """The single photos in the size of a model's input, so that nobody has to resize them."""

    def make(size: int) -> tuple[list[Path], list[Image]]:
        paths, images = [], []
        for name in PHOTOS:
            image = cv2.imread(str(data_dir / "images" / name))
            images.append(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA))
            paths.append((tmp_path / name).with_suffix(".png"))
            cv2.imwrite(str(paths[-1]), images[-1])
        return paths, images

    return make


@pytest.fixture
def installed(bundled: Bundled, parts: Parts, tmp_path: Path):
    """The model as this runtime runs it, out of a bundle; its file is `MODEL` in the folder."""

    def make(**changes: object) -> Detector:
        bundle = bundled(parts(**changes))
        (tmp_path / MODEL).write_bytes(bundle.files[MODEL])
        return load_detector(model_settings(bundle.manifest, tmp_path))

    return make


def as_seen(detections: Detections) -> Seen:
    return [
        (detections.label(i), float(detections.scores[i]), detections.boxes[i].tolist())
        for i in range(len(detections))
    ]


@pytest.mark.parametrize(
    ("model", "size"),
    [
        (
            {
                "model": "mobilenet_v2_1.0_224_quant.tflite",
                "labels": "imagenet_labels.txt",
                "golden": "parrot.jpg",
            },
            224,
        ),
        ({"model": "vww_96_float.tflite", "range": (0.0, 1.0)}, 96),
    ],
    ids=["quantized", "float"],
)
def test_a_classifier_gives_the_same_scores(model, size, tmp_path, installed, photos) -> None:
    detector = installed(**model, threshold=0.01)
    paths, images = photos(size)
    theirs = in_mediapipe("classifier", tmp_path / MODEL, paths)
    for image, seen in zip(images, theirs, strict=True):
        ours = as_seen(detector.detect(image))
        assert ours
        scores = {label: score for label, score, _ in seen}
        for label, score, _ in ours:
            assert scores[label] == pytest.approx(score, abs=1e-4)


def test_a_detector_gives_the_same_boxes(tmp_path, installed, photos) -> None:
    detector = installed(
        model="ssd_mobilenet_v1_coco_quant_300.tflite",
        labels="coco_labels.txt",
        golden="pets.jpg",
        threshold=0.3,
    )
    paths, images = photos(300)
    theirs = in_mediapipe("detector", tmp_path / MODEL, paths)
    total = 0
    for image, seen in zip(images, theirs, strict=True):
        ours = as_seen(detector.detect(image))
        total += len(ours)
        assert [(label, round(score, 4)) for label, score, _ in ours] == [
            (label, round(score, 4)) for label, score, _ in seen
        ]
        for (_, _, our_box), (_, _, their_box) in zip(ours, seen, strict=True):
            # In theirs, corner and size are each cut off to whole pixels.
            np.testing.assert_allclose(our_box, np.clip(their_box, 0, 300), atol=2)
    assert total > 5


def test_an_int8_classifier_loads_once_its_ends_are_uint8(
    tmp_path, installed, photos, data_dir
) -> None:
    """MediaPipe feeds pixels to uint8 and float32 only."""
    detector = installed(threshold=0.01)
    paths, images = photos(96)
    content = (data_dir / "models" / "vww_96_int8.tflite").read_bytes()
    about = Description("vww", "1", "Is there a person?", ("none", "person"), "classifier")
    model = tmp_path / "uint8.tflite"
    model.write_bytes(write(with_uint8_interface(content), about))
    for image, seen in zip(images, in_mediapipe("classifier", model, paths), strict=True):
        scores = {label: score for label, score, _ in seen}
        for label, score, _ in as_seen(detector.detect(image)):
            assert scores[label] == pytest.approx(score, abs=1e-4)


def test_photos_of_any_size_give_nearly_the_same(tmp_path, installed, data_dir) -> None:
    """Each resizes in its own way."""
    detector = installed(
        model="ssd_mobilenet_v1_coco_quant_300.tflite",
        labels="coco_labels.txt",
        golden="pets.jpg",
        threshold=0.5,
    )
    for name in ("pets.jpg", "squat.jpg"):
        path = data_dir / "images" / name
        ours = as_seen(detector.detect(cv2.imread(str(path))))
        (seen,) = in_mediapipe("detector", tmp_path / MODEL, [path])
        theirs = [one for one in seen if one[1] >= 0.5]
        assert [label for label, _, _ in ours] == [label for label, _, _ in theirs]
        for (_, our_score, our_box), (_, their_score, their_box) in zip(ours, theirs, strict=True):
            assert our_score == pytest.approx(their_score, abs=0.05)
            np.testing.assert_allclose(our_box, their_box, atol=12)
