from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_export.bootstrap import draws
from model_export.box_precision import box_precision
from model_export.datasets.coco import Box, BoxedPicture, BoxedPictures
from model_export.detection_evaluation import DetectorQuality, choose_threshold, detector_quality
from model_export.detection_scoring import Evaluated, Found
from model_export.errors import ExportError
from model_export.object_quality import Fault

pytest.importorskip("pycocotools")

MODEL = Path("detector.tflite")

Seen = tuple[float, float, float, float, float]
"""x, y, width, height, score."""


def pictures(*boxes: list[Box], origins: tuple[str, ...] = ()) -> BoxedPictures:
    """Of 100 x 100 pixels, with persons."""
    return BoxedPictures(
        ("person",),
        tuple(
            BoxedPicture(
                number + 1,
                Path(f"{number}.jpg"),
                100,
                100,
                tuple(each),
                origin=origins[number] if origins else "",
            )
            for number, each in enumerate(boxes)
        ),
    )


def person(x: float, y: float, width: float, height: float, *, crowd: bool = False) -> Box:
    return Box(x, y, width, height, 0, crowd)


def seen(*boxes: list[Seen], brightness: float = 120) -> Found:
    rows = [(number, *box) for number, each in enumerate(boxes) for box in each]
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Found(
        sha256="0" * 64,
        classes=("person",),
        pictures=table[:, 0].astype(np.int64),
        labels=np.zeros(len(rows), np.int64),
        boxes=np.concatenate([table[:, 1:3], table[:, 1:3] + table[:, 3:5]], axis=1),
        scores=table[:, 5],
        brightness=np.full(len(boxes), brightness, np.float32),
    )


def counted(found: Found, data: BoxedPictures, threshold: float = 0.5) -> DetectorQuality:
    return detector_quality(MODEL, found, data, thresholds={"person": threshold})


@pytest.fixture
def by_hand() -> tuple[Found, BoxedPictures]:
    """One found, one missed; two boxes for one; an empty picture with an alarm, one without."""
    data = pictures(
        [person(10, 10, 20, 60), person(60, 10, 20, 8)],
        [person(30, 30, 40, 40)],
        [],
        [],
        origins=("atm", "atm", "lobby", "lobby"),
    )
    found = seen(
        [(10, 10, 20, 60, 0.9), (61, 10, 20, 8, 0.3)],
        [(30, 30, 40, 40, 0.8), (30, 30, 40, 42, 0.7)],
        [(0, 0, 50, 50, 0.6), (0, 0, 20, 20, 0.95)],
        [(0, 0, 50, 50, 0.4)],
    )
    return found, data


def test_rates_are_those_that_can_be_counted_by_hand(by_hand: tuple[Found, BoxedPictures]) -> None:
    (found,) = counted(*by_hand).objects
    assert (found.label, found.threshold) == ("person", 0.5)
    assert (found.precision.value, found.precision.of) == (2 / 5, 5)
    assert (found.recall.value, found.recall.of) == (2 / 3, 3)
    presence = found.presence
    assert (presence.accuracy.value, presence.accuracy.of) == (3 / 4, 4)
    assert (presence.recall.value, presence.recall.of) == (1, 2)
    assert (presence.false_alarms.value, presence.false_alarms.of) == (1 / 2, 2)
    assert presence.curve is not None
    # Best scores: 0.9 and 0.8 with a person, 0.95 and 0.4 without.
    assert presence.curve.roc_auc == 0.5
    low = counted(*by_hand, 0.25).objects[0]
    assert (low.recall.value, low.presence.false_alarms.value) == (1, 1)


def test_recall_is_told_by_the_size_of_objects(by_hand: tuple[Found, BoxedPictures]) -> None:
    (found,) = counted(*by_hand).objects
    assert {name: (rate.value, rate.of) for name, rate in found.by_size.items()} == {
        "small": (0, 1),
        "medium": (1, 2),
        "large": (None, 0),
    }
    assert {name: (rate.value, rate.of) for name, rate in found.by_height.items()} == {
        "below 10%": (0, 1),
        "10 to 25%": (None, 0),
        "25 to 50%": (1, 1),
        "above 50%": (1, 1),
    }


def test_parts_of_the_pictures_are_counted_alone(by_hand: tuple[Found, BoxedPictures]) -> None:
    found, data = by_hand
    found.brightness[:] = (10, 120, 120, 255)
    (of_person,) = counted(found, data).objects
    assert [(part.name, part.pictures, part.recall.value) for part in of_person.lighting] == [
        ("dark", 1, 1 / 2),
        ("normal", 2, 1),
        ("bright", 1, None),
    ]
    atm, lobby = of_person.origins
    assert (atm.name, atm.pictures, atm.precision.value) == ("atm", 2, 2 / 3)
    assert atm.false_alarms.of == 0
    assert (lobby.name, lobby.precision.value, lobby.false_alarms.value) == ("lobby", 0, 1 / 2)
    nameless = counted(
        found, BoxedPictures(data.classes, tuple(map(without_origin, data.pictures)))
    )
    assert nameless.objects[0].origins == ()


def without_origin(picture: BoxedPicture) -> BoxedPicture:
    return replace(picture, origin="")


def test_the_worst_pictures_are_named_with_their_boxes(
    by_hand: tuple[Found, BoxedPictures],
) -> None:
    alarm, missed = counted(*by_hand).worst
    assert (alarm.picture, alarm.fault, alarm.score) == ("2.jpg", Fault.FALSE_ALARM, 0.95)
    assert alarm.box == (0, 0, 20, 20)
    assert (missed.picture, missed.fault, missed.score) == ("0.jpg", Fault.MISSED, None)
    assert missed.box == (60, 10, 80, 18)


def test_of_many_mistakes_each_kind_gets_its_half_and_what_the_other_leaves() -> None:
    empty = [[] for _ in range(15)]
    alarms = [[(0, 0, 10 + n, 10, 0.5 + n / 100)] for n in range(15)]
    large = [[person(0, 0, 20 + n, 50)] for n in range(30)]
    nothing: list[list[Seen]] = [[] for _ in large]
    worst = counted(seen(*alarms, *nothing), pictures(*empty, *large)).worst
    assert [mistake.fault for mistake in worst].count(Fault.FALSE_ALARM) == 10
    assert [mistake.score for mistake in worst[:2]] == [0.64, 0.63]
    assert worst[10].box == (0, 0, 49, 50)
    few = counted(seen(*alarms[:3], *nothing), pictures(*empty[:3], *large)).worst
    assert [mistake.fault for mistake in few].count(Fault.MISSED) == 17


def test_a_crowd_is_neither_missed_nor_a_false_alarm() -> None:
    data = pictures([person(0, 0, 90, 90, crowd=True)], [person(0, 0, 20, 50)], [])
    found = seen([(10, 10, 30, 30, 0.9)], [(0, 0, 20, 50, 0.9)], [])
    (of_person,) = counted(found, data).objects
    assert (of_person.precision.value, of_person.precision.of) == (1, 1)
    assert (of_person.recall.value, of_person.recall.of) == (1, 1)
    assert of_person.presence.recall.of == 2
    assert of_person.presence.false_alarms.of == 1
    assert not counted(found, data).worst


def scattered(count: int, digits: int = 2, seed: int = 0) -> tuple[Found, BoxedPictures]:
    """Boxes beside objects, more or less, in two classes; with few digits some score alike."""
    generator = np.random.default_rng(seed)
    listed, rows, labels = [], [], []
    for number in range(count):
        boxes = []
        for _ in range(int(generator.integers(0, 4))):
            label = int(generator.integers(0, 2))
            x, y, width, height = generator.uniform((0, 0, 5, 5), (50, 50, 50, 50))
            boxes.append(Box(x, y, width, height, label, bool(generator.random() < 0.1)))
            if generator.random() < 0.7:
                moved = np.array((x, y, width, height)) * generator.uniform(0.8, 1.2, 4)
                rows.append((number, *moved, round(generator.uniform(0.3, 1), digits)))
                labels.append(label)
        for _ in range(int(generator.integers(0, 3))):
            rows.append(
                (number, *generator.uniform(5, 50, 4), round(generator.uniform(0, 0.8), digits))
            )
            labels.append(int(generator.integers(0, 2)))
        listed.append(BoxedPicture(number + 1, Path(f"{number}.jpg"), 100, 100, tuple(boxes)))
    table = np.array(rows)
    found = Found(
        sha256="",
        classes=("a", "b"),
        pictures=table[:, 0].astype(np.int64),
        labels=np.array(labels),
        boxes=np.concatenate([table[:, 1:3], table[:, 1:3] + table[:, 3:5]], axis=1),
        scores=table[:, 5],
        brightness=np.full(count, 100, np.float32),
    )
    return found, BoxedPictures(("a", "b"), tuple(listed))


def drawn_again(
    found: Found, data: BoxedPictures, counts: np.ndarray
) -> tuple[Found, BoxedPictures]:
    """The data with each picture as often as it was drawn."""
    again = np.repeat(np.arange(len(data)), counts)
    listed = tuple(replace(data.pictures[at], id=number + 1) for number, at in enumerate(again))
    rows = [np.flatnonzero(found.pictures == at) for at in again]
    order = np.concatenate(rows)
    numbers = np.repeat(np.arange(len(again)), [len(row) for row in rows])
    return (
        replace(
            found,
            pictures=numbers,
            labels=found.labels[order],
            boxes=found.boxes[order],
            scores=found.scores[order],
            brightness=found.brightness[again],
        ),
        BoxedPictures(data.classes, listed),
    )


def test_figures_are_those_that_pycocotools_tells() -> None:
    from pycocotools.cocoeval import COCOeval

    found, data = scattered(60)
    quality = detector_quality(MODEL, found, data, thresholds={"a": 0.5, "b": 0.5})
    evaluated = Evaluated(found, data)
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = COCOeval(evaluated._coco.cocoGt, evaluated._coco.cocoDt, "bbox")
        theirs.evaluate()
        theirs.accumulate()
        theirs.summarize()
    overall = quality.overall
    ours = [overall.ap, overall.ap50, overall.ap75]
    ours += [overall.ap_small, overall.ap_medium, overall.ap_large]
    expected = [None if value < 0 else value for value in theirs.stats[:6]]
    assert [None if value is None else round(value, 9) for value in ours] == [
        None if value is None else round(value, 9) for value in expected
    ]
    assert overall.recall == pytest.approx(theirs.stats[8])
    assert overall.ap == pytest.approx(np.mean([each.ap for each in quality.classes.values()]))


def test_a_draw_is_counted_as_the_pictures_that_it_drew() -> None:
    # Of boxes that score alike, those of one picture lie side by side there.
    found, data = scattered(40, digits=9)
    evaluated = Evaluated(found, data)
    drawn = np.concatenate([np.ones((1, 40)), draws(np.arange(40), seed=1, count=6)])
    for label in (0, 1):
        ours = box_precision(evaluated.matches(label), drawn)
        for counts, average, precision in zip(drawn, ours.average, ours.at_half, strict=True):
            theirs = Evaluated(*drawn_again(found, data, counts.astype(int))).precision
            # At a recall such as 7 of 20, rounding decides whether it reaches 0.35.
            np.testing.assert_allclose(average, theirs[:, :, label, 0].mean(axis=1), atol=0.005)
            assert np.isclose(precision, theirs[0, :, label, 0]).mean() > 0.98


def test_many_boxes_are_counted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    found, data = scattered(20)
    matches = Evaluated(found, data).matches(0)
    drawn = draws(np.arange(20), seed=0, count=30)
    whole = box_precision(matches, drawn)
    monkeypatch.setattr("model_export.box_precision._MOST_NUMBERS", 100)
    parts = box_precision(matches, drawn)
    np.testing.assert_array_equal(parts.average, whole.average)
    np.testing.assert_array_equal(parts.at_half, whole.at_half)


def test_intervals_hold_the_value_and_shrink_with_more_pictures() -> None:
    widths = []
    for count in (50, 450):
        found, data = scattered(count)
        quality = detector_quality(MODEL, found, data, thresholds={"a": 0.5, "b": 0.5})
        for value, sure in (
            (quality.overall.ap, quality.overall.ap_interval),
            (quality.overall.ap50, quality.overall.ap50_interval),
            (quality.classes["b"].ap50, quality.classes["b"].ap50_interval),
        ):
            assert value is not None and sure is not None
            assert sure.low < value < sure.high
        sure = quality.overall.ap50_interval
        assert sure is not None
        widths.append(sure.high - sure.low)
    assert widths[0] / widths[1] == pytest.approx(3, rel=0.4)


def test_the_curve_of_boxes_is_that_of_their_band() -> None:
    found, data = scattered(60)
    quality = detector_quality(MODEL, found, data, thresholds={"a": 0.5, "b": 0.5})
    for of_class in quality.objects:
        band = of_class.precision_recall
        assert band is not None
        for at, value in zip(band.at, band.value, strict=True):
            reached = [p.precision for p in of_class.points if p.recall >= at - 1e-9]
            assert value == pytest.approx(max(reached, default=0), abs=0.06)
        ap50 = quality.classes[of_class.label].ap50
        assert np.mean(band.value) == pytest.approx(ap50)
        assert all(low <= high for low, high in zip(band.low, band.high, strict=True))


def test_nothing_found_is_no_precision_and_no_recall() -> None:
    data = pictures([person(0, 0, 20, 50)], [])
    quality = counted(seen([], []), data)
    assert (quality.overall.ap, quality.overall.ap50) == (0, 0)
    (found,) = quality.objects
    assert (found.precision.value, found.precision.of) == (None, 0)
    assert (found.recall.value, found.points) == (0, ())
    assert [mistake.fault for mistake in quality.worst] == [Fault.MISSED]
    json.dumps(quality.as_dict(), allow_nan=False)


def test_a_class_without_objects_has_no_figures() -> None:
    data = replace(pictures([person(0, 0, 20, 50)], []), classes=("person", "bag"))
    found = replace(seen([(0, 0, 20, 50, 0.9)], [(0, 0, 9, 9, 0.8)]), classes=data.classes)
    found.labels[1] = 1
    quality = detector_quality(MODEL, found, data, thresholds={"person": 0.5, "bag": 0.5})
    bag = quality.classes["bag"]
    assert (bag.ap, bag.ap_interval) == (None, None)
    assert quality.overall.ap50 == pytest.approx(1)
    of_bag = quality.objects[1]
    assert (of_bag.recall.value, of_bag.presence.curve, of_bag.precision_recall) == (None,) * 3
    assert of_bag.presence.false_alarms.value == 1 / 2
    json.dumps(quality.as_dict(), allow_nan=False)


# A threshold that keeps false alarms rare


def test_the_threshold_is_the_lowest_that_keeps_to_the_share() -> None:
    empty = [[] for _ in range(100)]
    alarms: list[list[Seen]] = [[(0, 0, 10, 10, n / 100)] for n in range(1, 101)]
    data = pictures(*empty, *([person(0, 0, 20, 50)] for _ in range(4)))
    found = seen(*alarms, *([(0, 0, 20, 50, score)] for score in (0.5, 0.945, 0.985, 0.999)))
    for share, threshold, recall in ((0.05, 0.9525, 0.5), (0.01, 0.992, 0.25), (0.5, 0.505, 0.75)):
        chosen = choose_threshold(found, data, "person", share)
        assert chosen.threshold == pytest.approx(threshold, abs=0.003)
        assert (chosen.false_alarms.value, chosen.recall.value) == (share, recall)
        at = counted(found, data, chosen.threshold).objects[0].presence
        assert at.false_alarms == chosen.false_alarms


@pytest.mark.parametrize(
    ("data", "share", "sentence"),
    [
        (pictures([person(0, 0, 9, 9)]), 0.01, "all of the 1 pictures show person: for a thresh"),
        (pictures([]), 1.5, "1.5 is not a share of false alarms in 0..1"),
        (pictures([]), 0.01, "no threshold keeps the false alarms for person to 0.01: the model"),
    ],
)
def test_what_no_threshold_can_be_chosen_on_is_told(
    data: BoxedPictures, share: float, sentence: str
) -> None:
    with pytest.raises(ExportError) as told:
        choose_threshold(seen([(0, 0, 9, 9, 1.0)]), data, "person", share)
    assert sentence in str(told.value)
