"""What a score is worth at each threshold: ROC and precision-recall curves, and how sure they are.

The bands are pointwise: each of their points is in them with 95% confidence, not all at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.bootstrap import Counts, Interval, interval, intervals

Rates = NDArray[np.float64]

RECALLS = np.linspace(0, 1, 101)
"""At which precision is told."""

FALSE_ALARMS = np.unique([0.001, 0.002, 0.005, *RECALLS])
"""At which recall is told; finer where a camera has to be."""

_MOST_POINTS = 200
_MOST_NUMBERS = 2_000_000
"""How many numbers are computed with at a time: some ten arrays of 16 MB."""

_ROUNDING = 1e-9


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
class Band:
    """A curve at given places, and between which values it is with 95% confidence at each.

    Attributes:
        at: the places, rising; the others have as many values.
        value: the curve.
        low, high: the ends of the interval.
    """

    at: tuple[float, ...]
    value: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CurveIntervals:
    """How sure a curve is.

    Attributes:
        roc_auc, average_precision: the intervals of these.
        roc: recall over `FALSE_ALARMS`: that of the lowest threshold with no more false alarms.
        precision_recall: precision over `RECALLS`: that of the highest threshold that reaches it.
    """

    roc_auc: Interval
    average_precision: Interval
    roc: Band
    precision_recall: Band


@dataclass(frozen=True, slots=True)
class Curve:
    """All thresholds, from the highest score to the lowest, at most 200.

    Attributes:
        points: the first is a threshold that nothing reaches.
        roc_auc: the area under recall over false alarms: how often one that is scores higher than
            one that is not.
        average_precision: the mean precision over recall, by steps.
        intervals: None: it was not asked how sure that is.
    """

    points: tuple[Point, ...]
    roc_auc: float
    average_precision: float
    intervals: CurveIntervals | None = None


def curve(
    scores: NDArray[np.float32], truth: NDArray[np.bool_], drawn: Counts | None = None
) -> Curve | None:
    """The curve of N scores against N truths; None where all truths are alike.

    Args:
        drawn: D x N, as `bootstrap.draws` makes them, for the intervals.
    """
    if truth.all() or not truth.any():
        return None
    ranked = _Ranked.of(scores, truth)
    found = ranked.rates(np.ones((1, len(truth))))
    keep = np.unique(np.linspace(0, len(ranked.thresholds) - 1, _MOST_POINTS).round().astype(int))
    return Curve(
        points=tuple(
            Point(
                # Infinity is no JSON; above 1 no score can be.
                threshold=min(float(ranked.thresholds[at]), 2.0),
                recall=float(found.recall[0, at]),
                false_alarms=float(found.false_alarms[0, at]),
                precision=float(found.precision[0, at]),
            )
            for at in keep
        ),
        roc_auc=float(found.roc_auc()[0]),
        average_precision=float(found.average_precision()[0]),
        intervals=None if drawn is None else _intervals(ranked, found, drawn),
    )


def lowest_threshold(
    scores: NDArray[np.float32], truth: NDArray[np.bool_], false_alarms: float
) -> float | None:
    """The lowest threshold at which at most that share of what is not gets a yes.

    So its recall is as high as can be. The threshold is put in the middle between two scores that
    were seen, so that it does not hang on the last digit of one.

    Returns:
        0..1; None where nothing is not, or where even a threshold of 1 lets too many through.
    """
    negatives = np.sort(scores[~truth])[::-1]
    if not len(negatives):
        return None
    allowed = int(false_alarms * len(negatives) + _ROUNDING)
    below = float(negatives[allowed]) if allowed < len(negatives) else 0.0
    above = float(scores[scores > below].min(initial=1.0))
    return (below + above) / 2 if below < above else None


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """The rates of D draws at T thresholds: D x T each, from the highest threshold on."""

    recall: Rates
    false_alarms: Rates
    precision: Rates

    def roc_auc(self) -> Rates:
        means = (self.recall[:, 1:] + self.recall[:, :-1]) / 2
        return np.asarray(np.sum(np.diff(self.false_alarms) * means, axis=1))

    def average_precision(self) -> Rates:
        return np.asarray(np.sum(np.diff(self.recall) * self.precision[:, 1:], axis=1))

    def roc(self) -> Rates:
        """D x the number of `FALSE_ALARMS`."""
        places = first_reaching(self.false_alarms, FALSE_ALARMS + 2 * _ROUNDING) - 1
        return np.take_along_axis(self.recall, places, axis=1)

    def precision_recall(self) -> Rates:
        """D x the number of `RECALLS`."""
        places = first_reaching(self.recall, RECALLS)
        # Before the first yes there is nothing that could be right.
        return np.take_along_axis(self.precision, places.clip(1), axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class _Ranked:
    """Pictures by falling score.

    Attributes:
        order: which picture comes when.
        right: whether each is what is looked for.
        last: of each run of equal scores, which get their yes together, the last place.
        thresholds: 1 more than runs: the first is infinite.
    """

    order: NDArray[np.int64]
    right: NDArray[np.bool_]
    last: NDArray[np.int64]
    thresholds: NDArray[Any]

    @classmethod
    def of(cls, scores: NDArray[np.float32], truth: NDArray[np.bool_]) -> _Ranked:
        order = np.argsort(-scores, kind="stable")
        ranked = scores[order]
        last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
        return cls(order, truth[order], last, np.append(np.inf, ranked[last]))

    def rates(self, drawn: Counts) -> _Drawn:
        """Those of each draw that has both kinds of pictures."""
        counts = drawn[:, self.order]
        true = np.cumsum(counts * self.right, axis=1)[:, self.last]
        false = np.cumsum(counts * ~self.right, axis=1)[:, self.last]
        both = (true[:, -1] > 0) & (false[:, -1] > 0)
        true, false = _from_zero(true[both]), _from_zero(false[both])
        precision, said = np.ones_like(true), true + false
        np.divide(true, said, out=precision, where=said > 0)
        return _Drawn(true / true[:, -1:], false / false[:, -1:], precision)


def _intervals(ranked: _Ranked, found: _Drawn, drawn: Counts) -> CurveIntervals | None:
    rows = max(1, _MOST_NUMBERS // drawn.shape[1])
    parts = [ranked.rates(drawn[start : start + rows]) for start in range(0, len(drawn), rows)]
    if not sum(len(part.recall) for part in parts):
        return None
    return CurveIntervals(
        roc_auc=interval(np.concatenate([part.roc_auc() for part in parts])),
        average_precision=interval(np.concatenate([part.average_precision() for part in parts])),
        roc=_band(FALSE_ALARMS, found.roc(), [part.roc() for part in parts]),
        precision_recall=_band(
            RECALLS, found.precision_recall(), [part.precision_recall() for part in parts]
        ),
    )


def _band(at: Rates, value: Rates, parts: list[Rates]) -> Band:
    low, high = intervals(np.concatenate(parts))
    return Band(tuple(map(float, at)), tuple(map(float, value[0])), low, high)


def first_reaching(rows: Rates, wanted: Rates) -> NDArray[np.int64]:
    """In each row the place of the first value that is at least each of `wanted`.

    Args:
        rows: D x T in 0..1, each row rising.
        wanted: G in 0..1, rising.

    Returns:
        D x G in 0..T; T: no value is.
    """
    # Put one behind the other, far enough apart, all rows are one that rises.
    apart = 2.0 * np.arange(len(rows))[:, np.newaxis]
    places = np.searchsorted((rows + apart).ravel(), (wanted + apart - _ROUNDING).ravel())
    starts = rows.shape[1] * np.arange(len(rows))[:, np.newaxis]
    return np.asarray(places.reshape(len(rows), len(wanted)) - starts)


def _from_zero(rows: Rates) -> Rates:
    return np.concatenate([np.zeros((len(rows), 1)), rows], axis=1)
