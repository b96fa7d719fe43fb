"""Measures a model on data that lie in a folder; see `evaluation` and `detection_evaluation`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge_runtime.inference.labels import read_labels
from edge_runtime.inference.model import ModelSettings
from model_export.datasets.checks import check_boxed, check_labelled, require
from model_export.datasets.coco import read_coco
from model_export.datasets.duplicates import group, perceptual_hashes
from model_export.datasets.folders import read_folders
from model_export.detection_evaluation import DetectorQuality, evaluate_detector
from model_export.evaluation import ClassifierQuality, evaluate_classifier


def measure(
    settings: ModelSettings,
    folder: Path,
    annotations: Path | None = None,
    *,
    seed: int = 0,
    progress: Callable[[float], None] = lambda _: None,
) -> ClassifierQuality | DetectorQuality:
    """Measure a detector where there are `annotations`, else a classifier.

    Raises:
        EdgeRuntimeError: the model or the data will not do; of the data, all problems at once.
    """
    if annotations is None:
        return of_classifier(settings, folder, seed=seed, progress=progress)
    return of_detector(settings, folder, annotations, seed=seed, progress=progress)


def of_classifier(
    settings: ModelSettings,
    folder: Path,
    *,
    seed: int = 0,
    progress: Callable[[float], None] = lambda _: None,
) -> ClassifierQuality:
    """Measure a classifier on `folder`/CLASS/; near-duplicates are grouped.

    The settings' labels give the order of the classes; without them folders count by name.

    Raises:
        EdgeRuntimeError: the model or the data will not do; of the data, all problems at once.
    """
    given = settings.labels
    classes = read_labels(given) if isinstance(given, Path) else given
    data = read_folders(folder, classes)
    require(check_labelled(data, lambda done: progress(done / 3)))
    hashes = perceptual_hashes(data.samples, lambda done: progress((1 + done) / 3))
    return evaluate_classifier(
        settings,
        data,
        group(hashes),
        seed=seed,
        progress=lambda done: progress((2 + done) / 3),
    )


def of_detector(
    settings: ModelSettings,
    folder: Path,
    annotations: Path,
    *,
    seed: int = 0,
    progress: Callable[[float], None] = lambda _: None,
) -> DetectorQuality:
    """Measure a detector on the pictures in `folder` that the COCO JSON lists.

    Raises:
        EdgeRuntimeError: the model or the data will not do; of the data, all problems at once.
    """
    data = read_coco(annotations, folder)
    require(check_boxed(data, lambda done: progress(done / 2)))
    return evaluate_detector(settings, data, lambda done: progress((1 + done) / 2), seed=seed)
