"""What real detectors say of the real clip, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edge_runtime.capture.recording import Recording
from edge_runtime.capture.source import SourceSettings
from edge_runtime.config import ModelConfig
from edge_runtime.detections import Detections
from edge_runtime.inference.model import load_detector
from edge_runtime.service import models, wiring

CLIP = "clips/one-by-one-person-detection.mp4"
SIZE = (768, 432)
THRESHOLD = 0.5


def model(name: str, data: Path) -> ModelConfig:
    """``ssd``, the one of the test data; or a bundle that ships."""
    if name != "ssd":
        return ModelConfig(name=name)
    return ModelConfig(
        path=data / "models" / "ssd_mobilenet_v1_coco_quant_300.tflite",
        labels=data / "labels" / "coco_labels.txt",
    )


def looks(name: str, data: Path) -> Iterator[tuple[float, Detections]]:
    """Seconds and the persons that the model sees, the unsure ones, too, of each frame."""
    with models.borrowed(model(name, data)) as ready:
        settings = replace(ready.settings, threshold=THRESHOLD, classes=frozenset({"person"}))
        detector = load_detector(replace(wiring.sought(settings), classes=settings.classes))
        with Recording(SourceSettings(str(data / CLIP)), start_wall=0.0) as recording:
            for frame in recording:
                yield frame.timestamp, detector.detect(frame.image)
