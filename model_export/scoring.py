"""Runs a classifier over pictures as a board would: its preprocessing, its interpreter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.frame import Image
from edge_runtime.inference import tflite_file
from edge_runtime.inference.labels import read_labels
from edge_runtime.inference.litert import LiteRtEngine
from edge_runtime.inference.model import ModelSettings
from edge_runtime.inference.outputs import classifier
from edge_runtime.inference.outputs.kind import ModelOutputs, Selection
from edge_runtime.inference.preprocess import Colour, Preprocessor, Resize
from edge_runtime.inference.trial import trial
from model_export.datasets.samples import LabelledPictures
from model_export.errors import ExportError

LIGHTING = {"dark": 0.0, "dim": 50.0, "normal": 90.0, "bright": 170.0}
"""The buckets of lighting, and the mean brightness (0..255) from which a picture is in each."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What a classifier said of labelled pictures.

    Attributes:
        sha256: of the model file.
        classes: C names.
        labels: N int64, what each picture is.
        scores: N x C float32 in 0..1.
        brightness: N float32, the mean of each picture, 0..255.
    """

    sha256: str
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    scores: NDArray[np.float32]
    brightness: NDArray[np.float32]


def score(
    settings: ModelSettings,
    data: LabelledPictures,
    progress: Callable[[float], None] = lambda _: None,
) -> Scored:
    """Run the classifier over all pictures.

    Of the settings, path, labels, threads, resize, colour and range count. Labels, where they are
    given, have to be the data's classes, in their order.

    Raises:
        ExportError: the model is no classifier, or its classes are not the data's; or there are no
            pictures.
        ModelError: the model or its settings will not do.
        InvokeError: an inference fails.
        SourceError: a picture cannot be read.
    """
    if not len(data):
        raise ExportError("there are no pictures to evaluate on")
    look = _loaded(settings, data.classes)
    scores = np.zeros((len(data), len(data.classes)), np.float32)
    brightness = np.empty(len(data), np.float32)
    for number, sample in enumerate(data.samples):
        image = sample.read()
        scores[number] = look(image)
        brightness[number] = brightness_of(image)
        progress((number + 1) / len(data))
    labels = np.array([sample.label for sample in data.samples])
    sha256 = tflite_file.read(settings.path).sha256
    return Scored(sha256, data.classes, labels, scores, brightness)


def brightness_of(image: Image) -> float:
    """The mean of a picture (H x W x 3 BGR), 0..255."""
    return float(cv2.mean(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))[0])


def lighting_of(brightness: NDArray[np.float32]) -> NDArray[np.int64]:
    """The number of each picture's bucket of `LIGHTING`."""
    return np.searchsorted(list(LIGHTING.values()), brightness, side="right") - 1


def _loaded(
    settings: ModelSettings, classes: tuple[str, ...]
) -> Callable[[Image], NDArray[np.float32]]:
    """From a picture to its C scores."""
    file = tflite_file.read(settings.path)
    trial(settings.path)
    engine = LiteRtEngine(settings.path, settings.threads)
    sample = tuple(tensor.copy() for tensor in engine.outputs())
    size = engine.input.shape[2], engine.input.shape[1]
    outputs = ModelOutputs(file, engine.output_specs, sample, size)
    if not classifier.matches(outputs):
        raise ExportError(
            f"model {settings.path} is no classifier: it gives "
            f"{', '.join(map(str, outputs.specs))} and not one score a class"
        )
    _same_classes(settings, outputs.shapes[0][-1], classes)
    everything = Selection(np.full(len(classes), -np.inf, np.float32), len(classes))
    decode = classifier.decoder(outputs, classes, everything)
    preprocessor = Preprocessor(
        engine.input,
        settings.resize or Resize.STRETCH,
        Colour.GREY if engine.input.shape[3] == 1 else settings.colour,
        settings.range or file.input_range,
    )

    def look(image: Image) -> NDArray[np.float32]:
        preprocessor.write(image, engine.input_view())
        engine.invoke()
        seen = decode(engine.outputs())
        scores = np.zeros(len(classes), np.float32)
        scores[seen.class_ids] = seen.scores
        return scores

    return look


def _same_classes(settings: ModelSettings, count: int, classes: tuple[str, ...]) -> None:
    if count != len(classes):
        raise ExportError(
            f"model {settings.path} tells {count} classes apart and the data has {len(classes)} "
            f"({', '.join(classes)}): data with the model's classes is needed"
        )
    given = settings.labels
    labels = read_labels(given) if isinstance(given, Path) else given
    if labels is not None and tuple(labels) != classes:
        raise ExportError(
            f"the labels of model {settings.path} are {', '.join(labels)}, and the classes of the "
            f"data {', '.join(classes)}: they have to be the same, in the same order"
        )
