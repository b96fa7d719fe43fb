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
