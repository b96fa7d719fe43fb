from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.analysis.boxes import iou
from edge_runtime.analysis.tracking import Tracker, TrackerSettings
from edge_runtime.detections import Detections
from edge_runtime.tracks import Box, TrackState

SIZE = (1000, 500)
LABELS = ("person", "bag")


def seen(*objects: tuple[float, float], label: int = 0) -> Detections:
    """Objects of (left edge in pixels, score), each 100 x 300 pixels large."""
    boxes = [(x, 100, x + 100, 400) for x, _ in objects]
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array([score for _, score in objects], np.float32),
        np.full(len(objects), label, np.int32),
        LABELS,
    )


def test_a_track_is_believed_at_the_second_sighting() -> None:
    tracker = Tracker(TrackerSettings())
    tracker.update(seen((100, 0.9)), SIZE, 0.0)
    assert [t.state for t in tracker.tracks] == [TrackState.TENTATIVE]
    assert not tracker.settled
    tracker.update(seen((110, 0.9)), SIZE, 0.1)
    (track,) = tracker.tracks
    assert track.state is TrackState.CONFIRMED
    assert tracker.settled
    assert track.box == pytest.approx((0.11, 0.2, 0.21, 0.8))
    assert track.foot == pytest.approx((0.16, 0.8))
    assert (track.first_seen, track.last_seen) == (0.0, 0.1)


def test_one_sighting_that_is_not_repeated_is_forgotten() -> None:
    tracker = Tracker(TrackerSettings())
    tracker.update(seen((100, 0.9)), SIZE, 0.0)
    tracker.update(seen(), SIZE, 0.1)
    assert tracker.tracks == ()


def test_a_low_score_goes_on_with_a_track_but_begins_none() -> None:
    tracker = Tracker(TrackerSettings(threshold=0.5))
    tracker.update(seen((100, 0.35)), SIZE, 0.0)
    assert tracker.tracks == ()
    for i, score in enumerate((0.9, 0.9, 0.35, 0.35)):
        tracker.update(seen((100, score)), SIZE, 0.1 * i)
    (track,) = tracker.tracks
    assert track.state is TrackState.CONFIRMED
    assert track.score == pytest.approx(0.35)


def test_classes_have_their_own_thresholds() -> None:
    tracker = Tracker(TrackerSettings(threshold=0.5, thresholds={"bag": 0.2}))
    tracker.update(seen((100, 0.3), label=1), SIZE, 0.0)
    tracker.update(seen((600, 0.3), label=0), SIZE, 0.1)
    tracker.update(seen((100, 0.3), label=1), SIZE, 0.2)
    assert {t.label for t in tracker.tracks} <= {"bag"}


def test_missed_detections_do_not_change_the_identity() -> None:
    tracker = Tracker(TrackerSettings())
    for i in range(5):
        tracker.update(seen((100 + 10 * i, 0.9)), SIZE, 0.1 * i)
    for i in range(5, 9):
        tracker.update(seen(), SIZE, 0.1 * i)
        assert [t.state for t in tracker.tracks] == [TrackState.LOST]
    tracker.update(seen((100 + 10 * 9, 0.9)), SIZE, 0.9)
    assert [(t.id, t.state) for t in tracker.tracks] == [(1, TrackState.CONFIRMED)]


def test_two_who_cross_keep_their_identities() -> None:
    tracker = Tracker(TrackerSettings())
    for i in range(41):
        left, right = 100 + 15 * i, 700 - 15 * i
        tracker.update(seen((left, 0.9), (right, 0.9)), SIZE, 0.1 * i)
    by_id = {t.id: t.box[0] for t in tracker.tracks}
    assert by_id == {1: pytest.approx(0.7), 2: pytest.approx(0.1)}


def test_a_lost_track_ends_after_its_patience_and_its_number_is_not_used_again() -> None:
    tracker = Tracker(TrackerSettings(patience=2.0))
    for now in (0.0, 0.1):
        tracker.update(seen((100, 0.9)), SIZE, now)
    tracker.update(seen(), SIZE, 2.0)
    assert len(tracker.tracks) == 1
    tracker.update(seen(), SIZE, 2.2)
    assert tracker.tracks == ()
    for now in (3.0, 3.1):
        tracker.update(seen((100, 0.9)), SIZE, now)
    assert [t.id for t in tracker.tracks] == [2]


def test_what_does_not_move_counts_as_seen_while_the_gate_rests() -> None:
    tracker = Tracker(TrackerSettings(patience=1.0))
    for now in (0.0, 0.1):
        tracker.update(seen((100, 0.9)), SIZE, now)
    for now in (1.0, 2.0, 3.0):
        tracker.rest(now)
    (track,) = tracker.tracks
    assert (track.state, track.last_seen) == (TrackState.CONFIRMED, 3.0)


def test_what_was_lost_stays_lost_while_the_gate_rests() -> None:
    tracker = Tracker(TrackerSettings(patience=1.0))
    for now in (0.0, 0.1):
        tracker.update(seen((100, 0.9)), SIZE, now)
    tracker.update(seen(), SIZE, 0.9)
    assert tracker.settled
    tracker.rest(1.0)
    assert [t.state for t in tracker.tracks] == [TrackState.LOST]
    tracker.rest(1.2)
    assert tracker.tracks == ()


def test_a_failed_inference_ages_nobody() -> None:
    tracker = Tracker(TrackerSettings(patience=1.0))
    for now in (0.0, 0.1):
        tracker.update(seen((100, 0.9)), SIZE, now)
    for i in range(50):
        tracker.hold(0.2 + 0.1 * i)
    assert [t.state for t in tracker.tracks] == [TrackState.CONFIRMED]
    tracker.update(seen(), SIZE, 5.2)
    assert [t.state for t in tracker.tracks] == [TrackState.LOST]


def test_after_a_gap_in_the_frames_somebody_who_is_still_there_keeps_the_identity() -> None:
    tracker = Tracker(TrackerSettings(patience=2.0))
    for now in (0.0, 0.1):
        tracker.update(seen((100, 0.9)), SIZE, now)
    tracker.update(seen((105, 0.9)), SIZE, 20.0)
    assert [(t.id, t.state) for t in tracker.tracks] == [(1, TrackState.CONFIRMED)]


def test_objects_of_different_classes_are_different_objects() -> None:
    tracker = Tracker(TrackerSettings())
    for now in (0.0, 0.1):
        tracker.update(seen((100, 0.9)), SIZE, now)
    tracker.update(seen((100, 0.9), label=1), SIZE, 0.2)
    assert {(t.label, t.state) for t in tracker.tracks} == {
        ("person", TrackState.LOST),
        ("bag", TrackState.TENTATIVE),
    }


@pytest.mark.parametrize(
    ("a", "b", "overlap"),
    [
        ((0, 0, 2, 2), (1, 0, 3, 2), 1 / 3),
        ((0, 0, 2, 2), (0, 0, 2, 2), 1),
        ((0, 0, 2, 2), (5, 5, 6, 6), 0),
        ((0, 0, 2, 2), (2, 0, 4, 2), 0),
        ((0, 0, 0, 0), (0, 0, 0, 0), 0),
    ],
)
def test_overlap_is_intersection_over_union(a: Box, b: Box, overlap: float) -> None:
    assert iou(a, b) == pytest.approx(overlap)


def boxes(*objects: tuple[float, float, float, float], score: float = 0.9) -> Detections:
    """Persons of (x1, y1, x2, y2) in pixels."""
    return Detections(
        np.array(objects, np.float32).reshape(-1, 4),
        np.full(len(objects), score, np.float32),
        np.zeros(len(objects), np.int32),
        LABELS,
    )


def upright(x: float, tall: float = 100.0, foot: float = 400.0) -> tuple[float, ...]:
    """A person of `tall` pixels whose left edge is at `x`."""
    return x, foot - tall, x + tall / 3, foot


def identities(tracker: Tracker) -> list[int]:
    return [track.id for track in tracker.tracks if track.state is TrackState.CONFIRMED]


def test_somebody_small_and_fast_whose_boxes_never_overlap_is_one_track() -> None:
    """Two body heights a second at 5 frames a second: 40 pixels, where the box is 33 wide."""
    tracker = Tracker(TrackerSettings())
    for i in range(20):
        tracker.update(boxes(upright(50 + 40 * i)), SIZE, 0.2 * i)
    assert identities(tracker) == [1]


def test_the_rate_of_frames_may_change_at_any_time() -> None:
    tracker = Tracker(TrackerSettings())
    moments = [*np.arange(0, 2, 0.04), 2.7, 3.1, *np.arange(3.2, 5, 0.2)]
    for now in moments:
        tracker.update(boxes(upright(50 + 120 * float(now))), SIZE, float(now))
    assert identities(tracker) == [1]


def test_who_stands_behind_a_passer_by_keeps_the_identity() -> None:
    """The passer-by hides the one who stands for 1.2 s, and goes on."""
    tracker = Tracker(TrackerSettings())
    for i in range(40):
        passing = 100 + 20 * i
        hidden = abs(passing - 500) < 120
        people = [upright(passing, 150, 450)] + ([] if hidden else [upright(500)])
        tracker.update(boxes(*people), SIZE, 0.1 * i)
    (standing,) = (t.id for t in tracker.tracks if t.box[0] == pytest.approx(0.5))
    (walking,) = (t.id for t in tracker.tracks if t.box[0] == pytest.approx(0.88))
    assert (walking, standing) == (1, 2)


def test_of_two_who_cross_the_hidden_one_comes_out_as_the_same() -> None:
    tracker = Tracker(TrackerSettings())
    for i in range(41):
        near, far = 100 + 15 * i, 700 - 15 * i
        people = [upright(near, 150, 450)] + ([] if abs(near - far) < 60 else [upright(far)])
        tracker.update(boxes(*people), SIZE, 0.1 * i)
    assert {t.id: t.box[0] for t in tracker.tracks} == {
        1: pytest.approx(0.7),
        2: pytest.approx(0.1),
    }


def test_one_miss_does_not_cost_a_beginning_track_its_number() -> None:
    tracker = Tracker(TrackerSettings())
    tracker.update(seen((100, 0.9)), SIZE, 0.0)
    tracker.update(seen(), SIZE, 0.1)
    assert tracker.tracks == ()
    assert not tracker.settled
    tracker.update(seen((104, 0.9)), SIZE, 0.2)
    assert identities(tracker) == [1]


def test_a_second_box_on_one_body_is_not_believed_at_once() -> None:
    tracker = Tracker(TrackerSettings())
    for i in range(10):
        half = [(110, 110, 190, 260)] if i in (4, 5, 6) else []
        tracker.update(boxes((100, 100, 200, 400), *half), SIZE, 0.1 * i)
        assert identities(tracker) in ([], [1])


def test_somebody_who_stays_in_front_of_another_is_believed_in_the_end() -> None:
    tracker = Tracker(TrackerSettings())
    for i in range(30):
        behind = [(110, 90, 190, 330)] if i >= 5 else []
        tracker.update(boxes((100, 100, 200, 400), *behind), SIZE, 0.1 * i)
    assert identities(tracker) == [1, 2]


def test_a_body_that_rises_over_the_edge_is_one_track_from_its_first_box() -> None:
    """As at an ATM: from a tenth of the picture to nine tenths within a second."""
    tracker = Tracker(TrackerSettings())
    for i in range(10):
        top = 450 - 45 * i
        tracker.update(boxes((300 - 5 * i, top, 400 + 10 * i, 500)), SIZE, 0.1 * i)
    assert [t.id for t in tracker.tracks] == [1]


def test_the_end_of_a_track_is_told_once_and_apart() -> None:
    tracker = Tracker(TrackerSettings(patience=1.0))
    for now in (0.0, 0.1):
        tracker.update(seen((500, 0.9)), SIZE, now)
    tracker.update(seen(), SIZE, 1.0)
    assert tracker.ended == ()
    tracker.update(seen(), SIZE, 1.2)
    assert [(t.id, t.state, t.last_seen) for t in tracker.ended] == [(1, TrackState.ENDED, 0.1)]
    assert tracker.tracks == ()
    tracker.update(seen(), SIZE, 1.3)
    assert tracker.ended == ()


def test_who_was_never_believed_has_no_end() -> None:
    tracker = Tracker(TrackerSettings())
    tracker.update(seen((500, 0.9)), SIZE, 0.0)
    tracker.update(seen(), SIZE, 5.0)
    assert (tracker.tracks, tracker.ended) == ((), ())


def test_who_walks_out_of_the_picture_ends_sooner_than_who_is_hidden() -> None:
    tracker = Tracker(TrackerSettings(patience=3.0))
    for i in range(10):
        tracker.update(boxes(upright(780 + 20 * i), upright(300)), SIZE, 0.1 * i)
    tracker.update(boxes(), SIZE, 1.0)
    tracker.update(boxes(), SIZE, 1.9)
    assert [(t.id, t.state) for t in tracker.ended] == [(1, TrackState.ENDED)]
    assert [(t.id, t.state) for t in tracker.tracks] == [(2, TrackState.LOST)]


def test_a_track_says_how_fast_it_is() -> None:
    tracker = Tracker(TrackerSettings())
    for i in range(20):
        tracker.update(boxes(upright(100 + 20 * i, foot=300 + 5 * i)), SIZE, 0.1 * i)
    (track,) = tracker.tracks
    assert track.velocity == (pytest.approx(0.2, abs=0.02), pytest.approx(0.1, abs=0.01))
    tracker.rest(2.5)
    (track,) = tracker.tracks
    assert track.velocity == (0, 0)


def test_who_walks_off_after_a_rest_of_the_gate_keeps_the_identity() -> None:
    tracker = Tracker(TrackerSettings())
    for i in range(10):
        tracker.update(boxes(upright(300)), SIZE, 0.1 * i)
    for i in range(10, 100):
        tracker.rest(0.1 * i)
    for i in range(12):
        tracker.update(boxes(upright(330 + 20 * i)), SIZE, 10.2 + 0.1 * i)
    assert identities(tracker) == [1]


def test_a_box_without_an_area_is_nothing() -> None:
    tracker = Tracker(TrackerSettings())
    tracker.update(boxes((100, 100, 100, 400), (5, 9, 80, 9)), SIZE, 0.0)
    assert tracker.tracks == ()


def test_durations_below_zero_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^confirm, doubt and patience are >= 0 seconds$"):
        TrackerSettings(patience=-1)


def test_who_need_not_have_been_seen_goes_on_as_foretold_and_is_lost_after_a_while() -> None:
    tracker = Tracker(TrackerSettings())
    for i in range(10):
        tracker.update(seen((100 + 10 * i, 0.9)), SIZE, 0.1 * i)
    for i in range(10, 20):
        tracker.update(seen(), SIZE, 0.1 * i, looked=lambda _: False)
        (track,) = tracker.tracks
        assert track.state is TrackState.CONFIRMED
        assert track.last_seen == pytest.approx(0.9)
        assert not tracker.settled
    # A speed is forgotten over the seconds: 190 px if it were not.
    assert 0.26 < track.box[0] < 0.29
    assert track.box[2] - track.box[0] == pytest.approx(0.1)
    for i in range(20, 30):
        tracker.update(seen(), SIZE, 0.1 * i, looked=lambda _: False)
    assert [t.state for t in tracker.tracks] == [TrackState.LOST]


def test_who_was_looked_at_in_vain_is_lost_at_once_and_is_found_by_the_same_number() -> None:
    tracker = Tracker(TrackerSettings())
    for i in range(5):
        tracker.update(seen((100, 0.9), (700, 0.9)), SIZE, 0.1 * i)
    tracker.update(seen(), SIZE, 0.5, looked=lambda box: box[0] < 0.5)
    assert [t.state for t in tracker.tracks] == [TrackState.LOST, TrackState.CONFIRMED]
    tracker.update(seen((100, 0.9), (700, 0.9)), SIZE, 0.6, looked=lambda _: False)
    assert [(t.id, t.state) for t in tracker.tracks] == [
        (1, TrackState.CONFIRMED),
        (2, TrackState.CONFIRMED),
    ]


def test_who_is_foretold_to_have_left_the_picture_is_not_waited_for() -> None:
    tracker = Tracker(TrackerSettings())
    for i in range(10):
        tracker.update(seen((800 + 15 * i, 0.9)), SIZE, 0.1 * i)
    for i in range(10, 16):
        tracker.update(seen(), SIZE, 0.1 * i, looked=lambda _: False)
    assert tracker.tracks == ()


def test_all_who_are_followed_are_foretold_also_those_not_yet_believed() -> None:
    tracker = Tracker(TrackerSettings())
    for i in range(10):
        tracker.update(seen((100 + 10 * i, 0.9)), SIZE, 0.1 * i)
    tracker.update(seen((200, 0.9), (700, 0.9)), SIZE, 1.0)
    walker, newcomer = tracker.foretold(1.2)
    assert 0.21 < walker.box[0] < 0.23
    assert newcomer.state is TrackState.TENTATIVE
    assert newcomer.box[0] == pytest.approx(0.7)
