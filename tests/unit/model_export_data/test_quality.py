from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from model_export.bootstrap import Rate, draws, share
from model_export.curves import FALSE_ALARMS, RECALLS, Curve, curve, lowest_threshold
from model_export.datasets.samples import LabelledPictures, Sample
from model_export.errors import ExportError
from model_export.evaluation import ClassifierQuality, quality
from model_export.scoring import Scored

MODEL = Path("model.tflite")


def made(
    scores: list[float], labels: list[int], brightness: float = 120
) -> tuple[Scored, LabelledPictures]:
    """Of two classes; `scores` are those of the second."""
    both = np.array([(1 - score, score) for score in scores], np.float32)
    light = np.full(len(scores), brightness, np.float32)
    classes = ("nobody", "person")
    samples = tuple(Sample(Path(f"{n}.jpg"), label) for n, label in enumerate(labels))
    return Scored("0" * 64, classes, np.array(labels), both, light), LabelledPictures(
        classes, samples
    )


def counted(scores: list[float], labels: list[int], threshold: float = 0.5) -> ClassifierQuality:
    return quality(MODEL, *made(scores, labels), threshold=threshold)


def test_rates_are_those_that_can_be_counted_by_hand() -> None:
    found = counted([0.9, 0.8, 0.4, 0.7, 0.2, 0.1, 0.3, 0.2], [1, 1, 1, 0, 0, 0, 0, 0])
    person = found.classes[1]
    assert found.accuracy.value == 6 / 8
    assert (person.precision.value, person.precision.of) == (2 / 3, 3)
    assert (person.recall.value, person.recall.of) == (2 / 3, 3)
    assert (person.false_alarms.value, person.false_alarms.of) == (1 / 5, 5)
    assert found.confusion == ((4, 1), (1, 2))
    assert [(item.picture, item.label, item.said) for item in found.worst] == [
        ("3.jpg", "nobody", "person"),
        ("2.jpg", "person", "nobody"),
    ]


def test_the_threshold_moves_rates_and_not_accuracy() -> None:
    low = counted([0.9, 0.4, 0.35, 0.1], [1, 1, 0, 0], 0.3)
    high = counted([0.9, 0.4, 0.35, 0.1], [1, 1, 0, 0], 0.5)
    assert (low.classes[1].recall.value, high.classes[1].recall.value) == (1, 0.5)
    assert (low.classes[1].false_alarms.value, high.classes[1].false_alarms.value) == (0.5, 0)
    assert low.accuracy == high.accuracy


def test_a_class_without_pictures_has_no_rates_and_it_is_still_json() -> None:
    found = counted([0.9, 0.8], [1, 1])
    nobody = found.classes[0]
    assert (nobody.recall.value, nobody.recall.low, nobody.recall.of) == (None, None, 0)
    assert nobody.curve is None
    json.loads(json.dumps(found.as_dict(), allow_nan=False))


def test_an_interval_holds_the_value_and_shrinks_with_more_pictures() -> None:
    generator = np.random.default_rng(0)
    widths = []
    for count in (100, 1600):
        labels = generator.integers(0, 2, count)
        scores = np.clip(labels * 0.3 + generator.random(count) * 0.7, 0, 1)
        rate = counted(scores.tolist(), labels.tolist()).accuracy
        assert rate.low is not None and rate.value is not None and rate.high is not None
        assert rate.low < rate.value < rate.high
        widths.append(rate.high - rate.low)
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.35)
    # The normal approximation of a share's 95% interval.
    expected = 2 * 1.96 * np.sqrt(rate.value * (1 - rate.value) / 1600)
    assert widths[1] == pytest.approx(expected, rel=0.15)


def test_duplicates_do_not_make_it_surer() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 100).repeat(10)
    scores = generator.random(100).repeat(10)
    scored, data = made(scores.tolist(), labels.tolist())
    alone = quality(MODEL, scored, data, threshold=0.5)
    grouped = quality(MODEL, scored, data, threshold=0.5, groups=np.arange(100).repeat(10))
    assert (alone.groups, grouped.groups) == (1000, 100)
    assert alone.accuracy.value == grouped.accuracy.value
    widths = [rate.high - rate.low for rate in (alone.accuracy, grouped.accuracy)]  # type: ignore[operator]
    assert widths[1] / widths[0] == pytest.approx(10**0.5, rel=0.25)


def test_pictures_are_counted_by_their_lighting() -> None:
    scored, data = made([0.9, 0.1, 0.9, 0.2], [1, 1, 0, 0])
    scored.brightness[:] = (10, 60, 100, 255)
    found = quality(MODEL, scored, data, threshold=0.5)
    assert [(item.bucket, item.accuracy.value) for item in found.lighting] == [
        ("dark", 1),
        ("dim", 0),
        ("normal", 0),
        ("bright", 1),
    ]
    assert found.lighting[0].recall["person"].value == 1
    assert found.lighting[0].recall["nobody"].value is None


def test_groups_of_other_data_are_refused() -> None:
    scored, data = made([0.5, 0.5], [0, 1])
    with pytest.raises(ExportError, match="there are 2 pictures and the groups of 3"):
        quality(MODEL, scored, data, threshold=0.5, groups=np.arange(3))


def test_a_perfect_score_has_all_of_the_area_and_chance_half() -> None:
    truth = np.array([True] * 500 + [False] * 500)
    perfect = curve(truth.astype(np.float32), truth)
    chance = curve(np.random.default_rng(0).random(1000).astype(np.float32), truth)
    same = curve(np.full(1000, 0.5, np.float32), truth)
    assert perfect and chance and same
    assert (perfect.roc_auc, perfect.average_precision) == (1, 1)
    assert chance.roc_auc == pytest.approx(0.5, abs=0.06)
    # Scores that tell nothing apart are one step.
    assert (same.roc_auc, same.average_precision) == (0.5, 0.5)


def test_the_area_is_how_often_one_that_is_scores_higher() -> None:
    generator = np.random.default_rng(1)
    truth = generator.random(300) < 0.3
    scores = (truth * 0.3 + generator.random(300)).astype(np.float32).round(1)
    found = curve(scores, truth)
    assert found
    pairs = scores[truth][:, None] - scores[~truth][None]
    assert found.roc_auc == pytest.approx((pairs > 0).mean() + (pairs == 0).mean() / 2)
    assert len(found.points) <= 200
    assert (found.points[0].recall, found.points[-1].recall) == (0, 1)
    assert found.points[-1].false_alarms == 1


# How sure it is


def scattered(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores in steps of 1/50, so that some are alike, and what is true."""
    generator = np.random.default_rng(seed)
    truth = generator.random(count) < 0.4
    return (truth * 0.2 + generator.random(count) * 0.8).round(2).astype(np.float32), truth


def test_a_draw_is_counted_as_the_pictures_that_it_drew() -> None:
    scores, truth = scattered(60)
    (drawn,) = draws(np.arange(60), seed=3, count=1)
    again = np.repeat(np.arange(60), drawn.astype(int))
    expected = curve(scores[again], truth[again], np.ones((1, 60)))
    found = curve(scores, truth, drawn[np.newaxis])
    assert expected and found and expected.intervals and found.intervals
    sure, wanted = found.intervals, expected.intervals
    assert sure.roc_auc.low == sure.roc_auc.high == pytest.approx(expected.roc_auc)
    assert sure.average_precision.low == pytest.approx(expected.average_precision)
    assert sure.roc.low == pytest.approx(wanted.roc.value)
    assert sure.precision_recall.low == pytest.approx(wanted.precision_recall.value)


def test_the_band_tells_what_can_be_read_off_the_curve() -> None:
    scores, truth = scattered(150)
    found = curve(scores, truth, draws(np.arange(150), seed=0))
    assert found and found.intervals
    roc, precision = found.intervals.roc, found.intervals.precision_recall
    assert (roc.at, precision.at) == (tuple(FALSE_ALARMS), tuple(RECALLS))
    for at, value in zip(roc.at, roc.value, strict=True):
        assert value == max(p.recall for p in found.points if p.false_alarms <= at + 1e-9)
    for at, value in zip(precision.at, precision.value, strict=True):
        first = next(p for p in found.points[1:] if p.recall >= at - 1e-9)
        assert value == first.precision
    for band in (roc, precision):
        inside = [
            low <= value <= high
            for low, value, high in zip(band.low, band.value, band.high, strict=True)
        ]
        assert np.mean(inside) > 0.97


def test_the_interval_of_the_area_is_as_wide_as_theory_says() -> None:
    scores, truth = scattered(800)
    found = curve(scores, truth, draws(np.arange(800), seed=0))
    assert found and found.intervals
    # Hanley and McNeil 1982.
    area, positives, negatives = found.roc_auc, truth.sum(), (~truth).sum()
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (positives - 1) * (one - area**2)
    variance += (negatives - 1) * (two - area**2)
    expected = 2 * 1.96 * np.sqrt(variance / (positives * negatives))
    sure = found.intervals.roc_auc
    assert sure.low < area < sure.high
    assert sure.high - sure.low == pytest.approx(expected, rel=0.15)
    precision = found.intervals.average_precision
    assert precision.low < found.average_precision < precision.high


def test_duplicates_do_not_make_a_curve_surer() -> None:
    scores, truth = scattered(100)
    scores, truth = scores.repeat(9), truth.repeat(9)

    def width(found: Curve | None) -> float:
        assert found and found.intervals
        return found.intervals.roc_auc.high - found.intervals.roc_auc.low

    alone = curve(scores, truth, draws(np.arange(900), seed=0))
    grouped = curve(scores, truth, draws(np.arange(100).repeat(9), seed=0))
    assert width(grouped) / width(alone) == pytest.approx(3, rel=0.2)


def test_draws_of_one_kind_only_are_left_out() -> None:
    scores, truth = np.array([0.9, 0.1], np.float32), np.array([True, False])
    found = curve(scores, truth, draws(np.arange(2), seed=0))
    assert found and found.intervals
    assert (found.intervals.roc_auc.low, found.intervals.roc_auc.high) == (1, 1)
    never = curve(scores, truth, np.array([[2.0, 0.0]]))
    assert never and never.intervals is None


def test_many_pictures_are_counted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, truth = scattered(50)
    drawn = draws(np.arange(50), seed=0, count=40)
    whole = curve(scores, truth, drawn)
    monkeypatch.setattr("model_export.curves._MOST_NUMBERS", 170)
    assert curve(scores, truth, drawn) == whole


def test_no_mistake_in_a_few_pictures_does_not_prove_that_there_are_none() -> None:
    among = np.ones(10, bool)
    alone, grouped = draws(np.arange(10), 0), draws(np.arange(10) // 2, 0)
    # 1 - 0.025 ** (1 / 10).
    assert share(~among, among, alone) == Rate(0, 0, pytest.approx(0.3085, abs=1e-4), 10)
    assert share(among, among, alone) == Rate(1, pytest.approx(0.6915, abs=1e-4), 1, 10)
    assert share(~among, among, grouped) == Rate(0, 0, pytest.approx(0.5218, abs=1e-4), 10)


def test_the_lowest_threshold_that_keeps_to_a_share_of_false_alarms() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.0], np.float32)
    truth = np.array([True, True, False, True, False, False, True, False])
    for allowed, expected in ((0, 0.75), (0.25, 0.55), (0.5, 0.45), (0.75, 0.15)):
        found = lowest_threshold(scores, truth, allowed)
        assert found == pytest.approx(expected)
        assert (scores[~truth] >= found).mean() <= allowed
    # One in a hundred of four is none.
    assert lowest_threshold(scores, truth, 0.01) == pytest.approx(0.75)
    assert lowest_threshold(scores, np.ones(8, bool), 0.01) is None
    assert lowest_threshold(np.ones(8, np.float32), truth, 0.01) is None


def test_a_report_of_a_classifier_with_its_intervals_is_json() -> None:
    scores, truth = scattered(40)
    found = counted(scores.tolist(), truth.astype(int).tolist())
    document = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    sure = document["classes"][1]["curve"]["intervals"]
    assert len(sure["roc"]["at"]) == len(sure["roc"]["low"]) == len(FALSE_ALARMS)
    assert sure["roc_auc"]["low"] <= document["classes"][1]["curve"]["roc_auc"]
