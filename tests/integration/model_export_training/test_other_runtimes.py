"""What is trained and quantized here gives the same answers in MediaPipe and on Coral's way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.bundle.manifest import MODEL
from edge_runtime.bundle.reading import read
from edge_runtime.bundle.trust import TrustedKeys
from edge_runtime.inference.model import Detector, ModelSettings, load_detector
from model_export.architectures.from_keras import from_keras
from model_export.bundling import BundleParts, make_bundle
from model_export.compression import CalibrationSource, quantize_model
from model_export.loading import load_keras
from model_export.quantization import Io, Precision, Quantization
from model_export.signing import demonstration_key
from model_export.training.detection import train_detector
from model_export.training.loop import Schedule
from model_export.training.quantization_aware import train_quantization_aware_detector
from model_export.training.starting import untrained
from model_export.weights import Trained, save
from tests.integration.bundle.test_mediapipe import as_seen, in_mediapipe
from tests.integration.model_export_training.test_detector_training import (
    PLAN,
    network,
    red_things,
)

pytestmark = pytest.mark.usefixtures("keras")

ROOT = Path(__file__).parents[3]
TFLITE_PYTHON = Path(os.environ.get("EDGE_TFLITE_PYTHON", ROOT / ".venv-tflite/bin/python"))
PIXELS = Quantization(Precision.INT8, Io.UINT8)
SHORT = replace(PLAN, whole=Schedule(14, 0.05, 14, averaged=False), mixing=0)
THRESHOLD = 0.3
"""Which mediapipe_reader.py has, too."""

CLOSE = 0.03
"""Interpreters round otherwise: one step of what goes into the sigmoid is up to 1/80 behind it."""


Row = tuple[int, float, list[float]]


@dataclass(frozen=True)
class Shipped:
    """A model that was quantized and bundled.

    Attributes:
        model: its file, out of the bundle.
        pictures: files of its input's size.
    """

    model: Path
    pictures: list[Path]
    labels: tuple[str, ...]

    def here(self, threshold: float) -> Detector:
        return load_detector(
            ModelSettings(self.model, self.labels, device="cpu", threshold=threshold)
        )


def shipped(
    trained: Trained, pictures: list[Path], labels: tuple[str, ...], folder: Path
) -> Shipped:
    """Each step by what a user calls."""
    save(folder / "network.npz", trained)
    made = folder / "int8.tflite"
    source = CalibrationSource(pictures[0].parent)
    quantize_model(folder / "network.npz", made, PIXELS, source)
    key = demonstration_key()
    parts = BundleParts("made", 1, made, labels, pictures[0])
    bundle = read(
        make_bundle(parts, key, folder),
        TrustedKeys({key.key_id: key.public_key}, demonstration=True),
    )
    (folder / MODEL).write_bytes(bundle.files[MODEL])
    return Shipped(folder / MODEL, pictures, labels)


@pytest.fixture(scope="module")
def trained() -> Trained:
    """A detector that was shortly trained on things that are red."""
    start = untrained(network(), seed=0)
    return train_detector(start, red_things(96, 1), red_things(16, 2), SHORT).trained


@pytest.fixture(scope="module")
def boxes(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Shipped:
    folder = tmp_path_factory.mktemp("boxes")
    paths = []
    (folder / "pictures").mkdir()
    for number, scene in enumerate(red_things(12, 3).scenes):
        paths.append(folder / "pictures" / f"{number:02}.png")
        cv2.imwrite(str(paths[-1]), scene.pixels[..., ::-1])
    # And one with nothing, right after one with something.
    paths.append(folder / "pictures" / "nothing.png")
    cv2.imwrite(str(paths[-1]), np.full((64, 64, 3), 90, np.uint8))
    return shipped(trained, paths, ("red",), folder)


def in_pycoral(shipped: Shipped, by: str, python: Path) -> list[list[Row]]:
    """What stands in all rows, as some programs read them, picture by picture."""
    reader = Path(__file__).with_name("pycoral_reader.py")
    run = subprocess.run(
        [python, reader, by, shipped.model, *shipped.pictures],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_a_detector_of_ours_sees_the_same_in_mediapipe(boxes: Shipped) -> None:
    """Its interpreter is another one, too: what scores best is compared, and how much is found."""
    detector = boxes.here(THRESHOLD)
    theirs = in_mediapipe("detector", boxes.model, boxes.pictures)
    ours = [as_seen(detector.detect(cv2.imread(str(path)))) for path in boxes.pictures]
    for here, there in zip(ours, theirs, strict=True):
        assert abs(len(here) - len(there)) <= 1
        if not here or not there:
            continue
        (label, score, box), (their_label, their_score, their_box) = here[0], there[0]
        assert (label, their_score) == (their_label, pytest.approx(score, abs=CLOSE))
        assert box is not None and their_box is not None
        # In theirs, corner and size are each cut off to whole pixels; of a box that begins out of
        # the picture the corner is moved to its border, and the size stays.
        start, size = np.array(box[:2]), np.subtract(box[2:], box[:2])
        np.testing.assert_allclose(start, their_box[:2], atol=2)
        inside = (start > 0) & (np.array(box[2:]) < 64)
        their_size = np.subtract(their_box[2:], their_box[:2])
        np.testing.assert_allclose(size[inside], their_size[inside], atol=2)
    assert sum(map(bool, theirs)) >= 10
    assert not ours[-1] and not theirs[-1]


@pytest.mark.parametrize("by", ["signature", "order"])
def test_a_detector_of_ours_gives_the_same_boxes_where_corals_programs_look(
    boxes: Shipped, by: str
) -> None:
    detector = boxes.here(THRESHOLD)
    theirs = in_pycoral(boxes, by, Path(sys.executable))
    for path, seen in zip(boxes.pictures, theirs, strict=True):
        found = [row for row in seen if row[1] >= THRESHOLD]
        ours = as_seen(detector.detect(cv2.imread(str(path))))
        assert [(boxes.labels[kind], score) for kind, score, _ in found] == [
            (label, score) for label, score, _ in ours
        ]
        for (*_, box), (*_, their_box) in zip(ours, found, strict=True):
            np.testing.assert_allclose(np.clip(their_box, 0, 64), box, atol=1e-3)
    assert not [row for row in theirs[-1] if row[1] >= THRESHOLD]


def test_the_interpreter_of_corals_programs_sees_the_same(boxes: Shipped) -> None:
    """It rounds otherwise, so that of two boxes that overlap it may keep the other."""
    if not TFLITE_PYTHON.exists():
        pytest.skip(f"{TFLITE_PYTHON} is not there: `make test` makes it, with tflite-runtime")
    readers = [
        in_pycoral(boxes, "order", python) for python in (Path(sys.executable), TFLITE_PYTHON)
    ]
    for ours, theirs in zip(*readers, strict=True):
        (kind, score, box), (their_kind, their_score, their_box) = ours[0], theirs[0]
        assert kind == their_kind
        assert score == pytest.approx(their_score, abs=CLOSE)
        if score >= THRESHOLD:
            np.testing.assert_allclose(box, their_box, atol=2)


def test_a_detector_that_was_trained_with_rounding_sees_what_it_saw_without(
    trained: Trained, boxes: Shipped, tmp_path: Path
) -> None:
    slow = replace(SHORT, whole=Schedule(2, 1e-4, 2, averaged=False), mixing=0.25)
    found = train_quantization_aware_detector(
        trained, red_things(48, 1), red_things(16, 2), slow, io=Io.UINT8
    )
    (tmp_path / "rounded.tflite").write_bytes(found.model)
    detector = replace(boxes, model=tmp_path / "rounded.tflite").here(0.01)
    images = np.stack([cv2.imread(str(path)) for path in boxes.pictures])
    _, scores = trained.model()(images[..., ::-1].astype(np.float32) / 127.5 - 1)
    expected = np.asarray(scores)[..., 1].max(axis=1)
    best = np.array([detector.detect(image).scores[0] for image in images])
    assert np.abs(best - expected).mean() < 0.05
    assert [epoch.number for epoch in found.epochs] == [1, 2]


def test_a_classifier_of_ours_gives_the_same_scores_in_mediapipe(
    data_dir: Path, tmp_path: Path
) -> None:
    trained = from_keras(load_keras(data_dir / "models/vww_96.h5"), "vww_96.h5", (0.0, 1.0))
    paths = []
    (tmp_path / "pictures").mkdir()
    for name in ("squat", "pets", "parrot", "cat_720p", "grace_hopper", "face"):
        image = cv2.imread(str(data_dir / "images" / f"{name}.jpg"))
        paths.append(tmp_path / "pictures" / f"{name}.png")
        cv2.imwrite(str(paths[-1]), cv2.resize(image, (96, 96), interpolation=cv2.INTER_AREA))
    made = shipped(trained, paths, ("none", "person"), tmp_path)
    detector = made.here(0.01)
    theirs = in_mediapipe("classifier", made.model, paths)
    for path, seen in zip(paths, theirs, strict=True):
        ours = as_seen(detector.detect(cv2.imread(str(path))))
        assert ours
        scores = {label: score for label, score, _ in seen}
        for label, score, _ in ours:
            assert scores[label] == pytest.approx(score, abs=1e-4)
