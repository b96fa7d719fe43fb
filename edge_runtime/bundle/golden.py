"""Does the model see here what it saw where the bundle was made?

A golden picture is shown to the model, with the manifest's own settings, and what it sees is
compared with what is written down. Whole sightings are compared, not raw tensors: another board's
arithmetic may differ by a quantization step, which changes the order of near-equal rows in a
detector's output but not what is seen.

``python -m edge_runtime.bundle.golden FOLDER`` is the child process that does it, for a model can
crash the interpreter. FOLDER holds the files of a verified bundle.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from edge_runtime.bundle.container import MANIFEST
from edge_runtime.bundle.errors import GoldenError
from edge_runtime.bundle.manifest import EDGETPU_MODEL, MODEL, PICTURE, Golden, Manifest, Sighting
from edge_runtime.bundle.settings import model_settings
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.frame import Image
from edge_runtime.inference import child, tflite_file
from edge_runtime.inference.engine import ModelError
from edge_runtime.inference.litert import LiteRtEngine
from edge_runtime.inference.model import ModelSettings, count_as_tried, load_detector
from edge_runtime.inference.trial import trial

TIMEOUT = 120.0
"""Seconds for the child: it loads each model twice, which takes a few seconds on any board."""


def prove(folder: Path, *, timeout: float = TIMEOUT) -> None:
    """Load the model of the verified bundle in `folder` in a child process and try it.

    Raises:
        GoldenError: the child crashed, took too long, or the model sees something else.
    """
    child.ask(__name__, folder, what=f"the model in {folder}", failed=GoldenError, timeout=timeout)


def check(manifest: Manifest, folder: Path) -> None:
    """The same in this process.

    Raises:
        EdgeRuntimeError: the model cannot be loaded or run, is not as the manifest has it, or
            sees something else.
    """
    _check_input(manifest, folder / MODEL)
    if any(file.name == EDGETPU_MODEL for file in manifest.files):
        _check_twin(folder / EDGETPU_MODEL)
    settings = model_settings(manifest, folder, device="cpu")
    found = sightings(settings, picture(folder / PICTURE), least_of(manifest.golden))
    problem = disagreement(manifest.golden, found)
    if problem:
        raise GoldenError(
            f"{manifest.title} does not see in {PICTURE} what it saw where it was made: {problem}"
        )


def least_of(golden: Golden) -> float:
    """The threshold to look with: what was just enough there may be just below here."""
    return max(golden.least - golden.score_tolerance, golden.least / 2)


def picture(path: Path) -> Image:
    """Read a picture as H x W x 3 BGR; raises GoldenError."""
    try:
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error) as error:
        raise GoldenError(f"the picture {path} cannot be read: {error}") from error
    if image is None:
        raise GoldenError(f"{path} is not a picture that OpenCV reads: a PNG or JPEG is needed")
    return np.asarray(image, np.uint8)


def sightings(settings: ModelSettings, image: Image, least: float) -> tuple[Sighting, ...]:
    """What the model sees in `image` with a score of at least `least`, best first.

    Raises:
        EdgeRuntimeError: it cannot be loaded or run.
    """
    detector = load_detector(replace(settings, threshold=least, thresholds={}))
    found = detector.detect(image)
    height, width = image.shape[:2]
    boxes = (found.boxes / np.array([width, height] * 2, np.float32)).clip(0, 1)
    return tuple(
        Sighting(
            label=found.label(index),
            score=round(float(found.scores[index]), 4),
            box=(round(x1, 4), round(y1, 4), round(x2, 4), round(y2, 4)),
        )
        for index, (x1, y1, x2, y2) in enumerate(boxes.tolist())
    )


def disagreement(golden: Golden, found: Sequence[Sighting]) -> str | None:
    """The first difference between what is written down and what was found; None: they agree.

    What is close to the least score may be missing on either side.
    """
    clear = golden.least + golden.score_tolerance
    left = list(found)
    for expected in golden.sightings:
        match = next((seen for seen in left if _same(golden, expected, seen)), None)
        if match is not None:
            left.remove(match)
        elif expected.score >= clear:
            return f"{_describe(expected)} is expected, and {_nearest(expected, found)}"
    extra = next((seen for seen in left if seen.score >= clear), None)
    return f"{_describe(extra)} is seen, and nothing like it is expected" if extra else None


def _same(golden: Golden, expected: Sighting, seen: Sighting) -> bool:
    return (
        expected.label == seen.label
        and abs(expected.score - seen.score) <= golden.score_tolerance
        and _overlap(expected, seen) >= golden.overlap
    )


def _overlap(one: Sighting, other: Sighting) -> float:
    """Intersection over union of their boxes, 0..1; two empty boxes at one place are equal."""
    ax1, ay1, ax2, ay2 = one.box
    bx1, by1, bx2, by2 = other.box
    common = max(0.0, min(ax2, bx2) - max(ax1, bx1)) * max(0.0, min(ay2, by2) - max(ay1, by1))
    union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - common
    return common / union if union > 0 else float(one.box == other.box)


def _nearest(expected: Sighting, found: Sequence[Sighting]) -> str:
    alike = [seen for seen in found if seen.label == expected.label]
    nearest = max(alike, key=lambda seen: _overlap(expected, seen), default=None)
    return f"{_describe(nearest)} is the nearest" if nearest else "no such thing is seen"


def _describe(sighting: Sighting) -> str:
    box = ", ".join(f"{value:.3f}" for value in sighting.box)
    return f"{sighting.label} with score {sighting.score:.3f} at ({box})"


def _check_input(manifest: Manifest, model: Path) -> None:
    spec = LiteRtEngine(model).input
    stated = manifest.input
    if spec.shape != stated.shape or str(spec.dtype) != stated.dtype:
        shape = ",".join(map(str, stated.shape))
        raise GoldenError(
            f"the model of {manifest.title} takes {spec}, and its manifest says "
            f"{stated.dtype}[{shape}]"
        )


def _check_twin(model: Path) -> None:
    """No CPU can run it: that it can be loaded up to its first TPU operator has to do."""
    if not tflite_file.read(model).for_edgetpu:
        raise ModelError(f"{model.name} is not compiled for the Edge TPU")
    trial(model)


def _tried(folder: Path) -> str:
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
        count_as_tried(manifest.sha256(MODEL))
        check(manifest, folder)
    except EdgeRuntimeError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    sys.exit(child.answer(_tried))
