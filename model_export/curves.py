"""What a classifier's score is worth at each threshold: ROC and precision-recall curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MOST_POINTS = 200


@dataclass(frozen=True, slots=True)
class Point:
    """What comes of one threshold.

    Attributes:
        threshold: a score from this on is a yes.
        recall: the share of those that are, that got a yes (true positive rate).
        false_alarms: the share of those that are not, that got a yes (false positive rate).
        precision: the share of right ones among the yeses; 1 where there are none.
    """

    threshold: float
    recall: float
    false_alarms: float
    precision: float


@dataclass(frozen=True, slots=True)
class Curve:
    """All thresholds, from the highest score to the lowest, at most 200.

    Attributes:
        points: the first is a threshold that nothing reaches.
        roc_auc: the area under recall over false alarms: how often one that is scores higher than
            one that is not.
        average_precision: the mean precision over recall, by steps.
    """

    points: tuple[Point, ...]
    roc_auc: float
    average_precision: float


def curve(scores: NDArray[np.float32], truth: NDArray[np.bool_]) -> Curve | None:
    """The curve of N scores against N truths; None where all truths are alike."""
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        return None
    order = np.argsort(-scores, kind="stable")
    ranked, right = scores[order], truth[order]
    # Pictures of one score get their yes together.
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    true = np.cumsum(right)[last]
    false = last + 1 - true
    recall, false_alarms = _from_zero(true / positives), _from_zero(false / negatives)
    precision = np.append(1.0, true / (true + false))
    thresholds = np.append(np.inf, ranked[last])
    keep = np.unique(np.linspace(0, len(recall) - 1, _MOST_POINTS).round().astype(int))
    return Curve(
        points=tuple(
            Point(
                # Infinity is no JSON; above 1 no score can be.
                threshold=min(float(thresholds[at]), 2.0),
                recall=float(recall[at]),
                false_alarms=float(false_alarms[at]),
                precision=float(precision[at]),
            )
            for at in keep
        ),
        roc_auc=float(np.sum(np.diff(false_alarms) * (recall[1:] + recall[:-1]) / 2)),
        average_precision=float(np.sum(np.diff(recall) * precision[1:])),
    )


def _from_zero(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.append(0.0, rates)
