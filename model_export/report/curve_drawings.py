"""Which curves the page has: for each class those of the baseline and of the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model_export.curves import Curve
from model_export.evaluation import ClassQuality
from model_export.object_quality import ObjectQuality
from model_export.recipes.outcome import RecipeOutcome
from model_export.report.curve_plots import Line, precision_recall, roc
from model_export.report.drawings import Plot
from model_export.report.tables import BoxedPair, Judged, least_found, of_classifiers, of_detectors

MOST_CURVES = 6
"""Classes whose curves are drawn: of more, those that the result finds least of."""

Curves = tuple[str, tuple[Plot, ...]]
"""The name of a class, and its plots."""


def curves(outcome: RecipeOutcome) -> Iterator[Curves]:
    """Those of the models' kind, of each class that has any."""
    for label, plots in (*_of_classifiers(outcome), *_of_detectors(outcome)):
        if plots:
            yield label, plots


# Classifiers


def _of_classifiers(outcome: RecipeOutcome) -> Iterator[Curves]:
    pairs = of_classifiers(outcome)
    if not pairs:
        return
    shown = pairs[-1][1].classes
    for number in least_found([item.recall.value for item in shown], MOST_CURVES):
        found = [(model, quality.classes[number]) for model, quality in pairs]
        yield shown[number].label, tuple(_of_class(shown[number].label, number, found))


def _of_class(
    label: str, number: int, found: Sequence[tuple[Judged, ClassQuality]]
) -> Iterator[Plot]:
    known = [(model, item, item.curve) for model, item in found if item.curve]
    if not known:
        return
    lines = [
        _roc_line(model, curve, (item.false_alarms.value, item.recall.value))
        for model, item, curve in known
    ]
    yield Plot(roc(lines, f"roc-{number}", f"ROC of {label}"), "ROC")
    lines = [
        Line(
            label=f"{model.role}: average {curve.average_precision:.3f}",
            points=[(point.recall, point.precision) for point in curve.points],
            band=curve.intervals.precision_recall if curve.intervals else None,
            at=(item.recall.value, item.precision.value),
            baseline=model.is_baseline,
        )
        for model, item, curve in known
    ]
    title = f"Precision over recall of {label}"
    yield Plot(precision_recall(lines, f"pr-{number}", title), "precision over recall")


def _roc_line(model: Judged, curve: Curve, at: tuple[float | None, float | None]) -> Line:
    return Line(
        label=f"{model.role}: area {curve.roc_auc:.3f}",
        points=[(point.false_alarms, point.recall) for point in curve.points],
        band=curve.intervals.roc if curve.intervals else None,
        at=at,
        baseline=model.is_baseline,
    )


# Detectors


def _of_detectors(outcome: RecipeOutcome) -> Iterator[Curves]:
    pairs = of_detectors(outcome)
    if not pairs:
        return
    shown = pairs[-1][1].objects
    for number in least_found([item.recall.value for item in shown], MOST_CURVES):
        label = shown[number].label
        yield label, (*_of_boxes(label, number, pairs), *_of_pictures(label, number, pairs))


def _of_boxes(label: str, number: int, pairs: Sequence[BoxedPair]) -> Iterator[Plot]:
    lines = [
        _box_line(model, quality.objects[number], quality.classes[label].ap50)
        for model, quality in pairs
        if quality.objects[number].points
    ]
    if lines:
        title = f"Precision over recall of boxes: {label}"
        yield Plot(
            precision_recall(lines, f"boxes-{number}", title), "boxes: precision over recall"
        )


def _box_line(model: Judged, found: ObjectQuality, ap50: float | None) -> Line:
    return Line(
        label=model.role if ap50 is None else f"{model.role}: AP50 {ap50:.3f}",
        points=[(point.recall, point.precision) for point in found.points],
        band=found.precision_recall,
        at=(found.recall.value, found.precision.value),
        baseline=model.is_baseline,
    )


def _of_pictures(label: str, number: int, pairs: Sequence[BoxedPair]) -> Iterator[Plot]:
    found = [(model, quality.objects[number].presence) for model, quality in pairs]
    lines = [
        _roc_line(model, item.curve, (item.false_alarms.value, item.recall.value))
        for model, item in found
        if item.curve
    ]
    if lines:
        title = f"ROC of pictures: {label}"
        yield Plot(roc(lines, f"pictures-{number}", title), "pictures with one: ROC")
