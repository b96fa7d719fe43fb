"""How good a classifier is on labelled pictures, and how sure that is; see `bootstrap`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.model import ModelSettings
from model_export.bootstrap import Counts, Rate, draws, share
from model_export.curves import Curve, curve
from model_export.datasets.samples import LabelledPictures
from model_export.errors import ExportError
from model_export.scoring import LIGHTING, Scored, lighting_of, score

__all__ = [
    "LIGHTING",
    "ClassQuality",
    "ClassifierQuality",
    "LightingQuality",
    "Mistake",
    "Rate",
    "evaluate_classifier",
    "quality",
]


@dataclass(frozen=True, slots=True)
class ClassQuality:
    """One class against all others, at the threshold.

    Attributes:
        label: its name.
        precision: of the pictures that are said to be of it, how many are.
        recall: of the pictures that are of it, how many are said to be.
        false_alarms: of the pictures that are not of it, how many are said to be.
        curve: for all thresholds, with intervals; None where all pictures or none are of it.
    """

    label: str
    precision: Rate
    recall: Rate
    false_alarms: Rate
    curve: Curve | None


@dataclass(frozen=True, slots=True)
class LightingQuality:
    """The pictures of one bucket of lighting.

    Attributes:
        bucket: a name of `LIGHTING`.
        accuracy: the share whose first class is right.
        recall: the share found at the threshold, for each class by name.
    """

    bucket: str
    accuracy: Rate
    recall: dict[str, Rate]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A picture that the model got wrong.

    Attributes:
        picture: its file.
        crop: the part of it, or None.
        label, said: what it is, and what the model said first.
        score: of what it said.
    """

    picture: str
    crop: tuple[int, int, int, int] | None
    label: str
    said: str
    score: float


@dataclass(frozen=True, slots=True)
class ClassifierQuality:
    """A classifier on labelled pictures.

    Attributes:
        model: the file.
        sha256: its hash.
        pictures: how many, and
        groups: in how many groups of near-duplicates.
        threshold: the score from which something is said to be of a class. Of one class and its
            opposite, 0.5 is what the first class decides by.
        accuracy: the share of pictures whose first class is right.
        classes: each class against all others.
        confusion: rows: what it is; columns: what the model said first; pictures.
        lighting: by brightness; buckets without pictures are left out.
        worst: the mistakes that the model was surest of, at most 20.
    """

    model: str
    sha256: str
    pictures: int
    groups: int
    threshold: float
    accuracy: Rate
    classes: tuple[ClassQuality, ...]
    confusion: tuple[tuple[int, ...], ...]
    lighting: tuple[LightingQuality, ...]
    worst: tuple[Mistake, ...]

    def as_dict(self) -> dict[str, Any]:
        """All of it for a machine."""
        return asdict(self)


def evaluate_classifier(
    settings: ModelSettings,
    data: LabelledPictures,
    groups: NDArray[np.int64] | None = None,
    *,
    seed: int = 0,
    progress: Callable[[float], None] = lambda _: None,
) -> ClassifierQuality:
    """Run the model on all pictures as a board would, and count.

    Args:
        settings: the model; its threshold is the one that rates are told for.
        data: the pictures; none of them may have been trained or calibrated on.
        groups: N numbers of groups of near-duplicates, as `datasets.duplicates.group` gives them.
        seed: for the bootstrap.
        progress: told the share that is done.

    Raises:
        ExportError: the model is no classifier, its classes are not the data's, or there are no
            pictures.
        EdgeRuntimeError: the model cannot be run, or a picture not be read.
    """
    scored = score(settings, data, progress)
    return quality(
        settings.path, scored, data, threshold=settings.threshold, groups=groups, seed=seed
    )


def quality(
    model: Path,
    scored: Scored,
    data: LabelledPictures,
    *,
    threshold: float,
    groups: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> ClassifierQuality:
    """Count what a classifier said of `data`; see `evaluate_classifier`."""
    if groups is None:
        groups = np.arange(len(data))
    elif len(groups) != len(data):
        raise ExportError(f"there are {len(data)} pictures and the groups of {len(groups)}")
    drawn = draws(groups, seed)
    first = scored.scores.argmax(axis=1)
    right = first == scored.labels
    return ClassifierQuality(
        model=str(model),
        sha256=scored.sha256,
        pictures=len(data),
        groups=len(np.unique(groups)),
        threshold=threshold,
        accuracy=share(right, np.ones_like(right), drawn),
        classes=tuple(
            _class(scored, label, threshold, drawn) for label in range(len(scored.classes))
        ),
        confusion=_confusion(scored.labels, first, len(scored.classes)),
        lighting=tuple(_lighting(scored, right, threshold, drawn)),
        worst=_worst(data, scored, first),
    )


def _class(scored: Scored, label: int, threshold: float, drawn: Counts) -> ClassQuality:
    truth = scored.labels == label
    said = scored.scores[:, label] >= threshold
    return ClassQuality(
        label=scored.classes[label],
        precision=share(truth & said, said, drawn),
        recall=share(said & truth, truth, drawn),
        false_alarms=share(said & ~truth, ~truth, drawn),
        curve=curve(scored.scores[:, label], truth, drawn),
    )


def _confusion(
    labels: NDArray[np.int64], first: NDArray[np.int64], classes: int
) -> tuple[tuple[int, ...], ...]:
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (labels, first), 1)
    return tuple(tuple(int(count) for count in row) for row in table)


def _lighting(
    scored: Scored, right: NDArray[np.bool_], threshold: float, drawn: Counts
) -> list[LightingQuality]:
    bucket_of = lighting_of(scored.brightness)
    found = []
    for number, name in enumerate(LIGHTING):
        inside = bucket_of == number
        if not inside.any():
            continue
        recall = {}
        for at, label in enumerate(scored.classes):
            among = inside & (scored.labels == at)
            recall[label] = share(among & (scored.scores[:, at] >= threshold), among, drawn)
        found.append(LightingQuality(name, share(right & inside, inside, drawn), recall))
    return found


def _worst(
    data: LabelledPictures, scored: Scored, first: NDArray[np.int64], most: int = 20
) -> tuple[Mistake, ...]:
    wrong = np.flatnonzero(first != scored.labels)
    sureness = scored.scores[wrong, first[wrong]]
    return tuple(
        Mistake(
            picture=str(data.samples[at].path),
            crop=data.samples[at].crop,
            label=scored.classes[scored.labels[at]],
            said=scored.classes[first[at]],
            score=float(scored.scores[at, first[at]]),
        )
        for at in wrong[np.argsort(-sureness, kind="stable")[:most]]
    )
