"""How good a detector is on pictures with boxes, and how sure that is.

Average precision is counted by pycocotools; source: https://cocodataset.org/#detection-eval.
Intervals are of pictures drawn again, see `bootstrap`: a thousand times, for average precision two
hundred times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.inference.model import ModelSettings
from model_export.bootstrap import Interval, Rate, draws, interval
from model_export.box_precision import DRAWS, BoxPrecision, box_precision
from model_export.curves import lowest_threshold
from model_export.datasets.coco import BoxedPictures
from model_export.detection_scoring import Evaluated, Floats, Found, find
from model_export.errors import ExportError
from model_export.object_quality import (
    BoxMistake,
    Counted,
    ObjectQuality,
    mistakes,
    object_quality,
    presence,
    worst,
)


@dataclass(frozen=True, slots=True)
class BoxQuality:
    """COCO's figures, 0..1; None: the data has no such boxes.

    Attributes:
        ap: the average precision, mean over overlaps of 0.5, 0.55 ... 0.95.
        ap50, ap75: at an overlap of 0.5 and of 0.75.
        ap_small, ap_medium, ap_large: of boxes below 32 x 32 pixels, below 96 x 96, and above.
        recall: with at most 100 boxes a picture, mean over the overlaps.
        ap_interval, ap50_interval: how sure these are.
    """

    ap: float | None
    ap50: float | None
    ap75: float | None
    ap_small: float | None
    ap_medium: float | None
    ap_large: float | None
    recall: float | None
    ap_interval: Interval | None = None
    ap50_interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class DetectorQuality:
    """A detector on pictures with boxes.

    Attributes:
        model, sha256: the file and its hash.
        pictures, boxes: how many; crowds are not counted.
        overall: mean over the classes.
        classes: for each class of the data.
        objects: more of each class, at the threshold and by pictures.
        worst: pictures without an object in which one is seen, those with the highest scores, and
            missed objects, the largest: one a picture, at most 20.
    """

    model: str
    sha256: str
    pictures: int
    boxes: int
    overall: BoxQuality
    classes: dict[str, BoxQuality]
    objects: tuple[ObjectQuality, ...] = ()
    worst: tuple[BoxMistake, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """All of it for a machine."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ChosenThreshold:
    """The lowest threshold that keeps to a share of false alarms.

    Attributes:
        threshold: the score from which a box counts.
        recall, false_alarms: as in `Presence`, on the pictures it was chosen on, which flatter it.
    """

    threshold: float
    recall: Rate
    false_alarms: Rate


def evaluate_detector(
    settings: ModelSettings,
    data: BoxedPictures,
    progress: Callable[[float], None] = lambda _: None,
    *,
    seed: int = 0,
) -> DetectorQuality:
    """Run the detector on all pictures as a board would, down to low scores, and count.

    The model's labels have to name the data's classes; what else it finds does not count.

    Args:
        settings: the model; its thresholds are the ones that rates are told for.
        data: the pictures; none of them may have been trained, calibrated or tuned on.
        progress: told the share that is done.
        seed: for the bootstrap.

    Raises:
        ExportError: pycocotools is missing, the model lacks a class of the data, or the data has
            no boxes.
        EdgeRuntimeError: the model cannot be run, or a picture not be read.
    """
    found = find(settings, data, progress)
    thresholds = {
        label: settings.thresholds.get(label, settings.threshold) for label in data.classes
    }
    return detector_quality(settings.path, found, data, thresholds=thresholds, seed=seed)


def detector_quality(
    model: Path,
    found: Found,
    data: BoxedPictures,
    *,
    thresholds: Mapping[str, float],
    seed: int = 0,
) -> DetectorQuality:
    """Count what a detector found in `data`; thresholds by class. See `evaluate_detector`."""
    evaluated = Evaluated(found, data)
    drawn = draws(np.arange(len(data)), seed)
    matches = [evaluated.matches(label) for label in range(len(data.classes))]
    precisions = [box_precision(matched, drawn[:DRAWS]) for matched in matches]
    classes = {
        name: _boxes(evaluated, [label], precisions) for label, name in enumerate(data.classes)
    }
    counted = {
        name: Counted.of(matched, thresholds[name])
        for name, matched in zip(data.classes, matches, strict=True)
    }
    wrong = [each for name, of_class in counted.items() for each in mistakes(name, of_class, data)]
    return DetectorQuality(
        model=str(model),
        sha256=found.sha256,
        pictures=len(data),
        boxes=sum(not box.crowd for picture in data.pictures for box in picture.boxes),
        overall=_boxes(evaluated, list(range(len(data.classes))), precisions),
        classes=classes,
        objects=tuple(
            object_quality(
                name, of_class, precision, data=data, brightness=found.brightness, drawn=drawn
            )
            for (name, of_class), precision in zip(counted.items(), precisions, strict=True)
        ),
        worst=worst(wrong),
    )


def choose_threshold(
    found: Found, data: BoxedPictures, label: str, false_alarms: float, *, seed: int = 0
) -> ChosenThreshold:
    """The lowest threshold at which a class is seen in at most that share of pictures without it.

    So recall is as high as it can be. `data` should be neither what was trained on nor what the
    model is measured on later.

    Raises:
        ExportError: the share is not in 0..1, all pictures have such an object, or no threshold
            keeps to the share.
    """
    if not 0 <= false_alarms < 1:
        raise ExportError(
            f"{false_alarms:g} is not a share of false alarms in 0..1: 0.01 is one in a hundred"
        )
    matched = Evaluated(found, data).matches(data.classes.index(label))
    best = matched.best_scores()
    if matched.with_any.all():
        raise ExportError(
            f"all of the {len(data)} pictures show {label}: for a threshold that keeps false "
            "alarms rare, pictures without it are needed"
        )
    threshold = lowest_threshold(best, matched.with_any, false_alarms)
    if threshold is None:
        raise ExportError(
            f"no threshold keeps the false alarms for {label} to {false_alarms:g}: the model is "
            "wholly sure of it in too many pictures without it"
        )
    found_there = presence(Counted.of(matched, threshold), draws(np.arange(len(data)), seed))
    return ChosenThreshold(threshold, found_there.recall, found_there.false_alarms)


# COCO's figures


def _boxes(evaluated: Evaluated, labels: list[int], precisions: list[BoxPrecision]) -> BoxQuality:
    """Of these classes together; in a draw, the mean is over those that have objects in it."""
    precision, recall = evaluated.precision[:, :, labels], evaluated.recall[:, labels]
    averages = np.stack([precisions[label].average for label in labels])
    return BoxQuality(
        ap=_mean(precision[..., 0]),
        ap50=_mean(precision[0, ..., 0]),
        ap75=_mean(precision[5, ..., 0]),
        ap_small=_mean(precision[..., 1]),
        ap_medium=_mean(precision[..., 2]),
        ap_large=_mean(precision[..., 3]),
        recall=_mean(recall[..., 0]),
        ap_interval=_interval(averages.mean(axis=2)),
        ap50_interval=_interval(averages[..., 0]),
    )


def _mean(values: Floats) -> float | None:
    """pycocotools says -1 for what there is none of."""
    there = values[values > -1]
    return float(there.mean()) if there.size else None


def _interval(values: Floats) -> Interval | None:
    """Of classes x draws, NaN where a class is not in a draw."""
    there = values[:, ~np.isnan(values).all(axis=0)]
    return interval(np.nanmean(there, axis=0)) if there.size else None
