from __future__ import annotations

import sys

import pytest

from edge_runtime.scoring.tracks import ScoreError, score_tracks
from edge_runtime.scoring.truth import TrueTrack
from edge_runtime.tracks import Box, Track, TrackState

A: Box = (0.1, 0.2, 0.2, 0.8)
B: Box = (0.7, 0.2, 0.8, 0.8)


def standing(number: int, box: Box, label: str = "person") -> TrueTrack:
    """Somebody who stands there from 0 to 10 s."""
    return TrueTrack(id=number, label=label, boxes=((0.0, *box), (10.0, *box)))


def track(number: int, box: Box, state: TrackState = TrackState.CONFIRMED) -> Track:
    return Track(number, "person", box, 0.9, state, 0.0, 0.0)


def test_tracks_that_are_right_have_full_marks() -> None:
    frames = [(float(now), [track(1, A), track(2, B)]) for now in range(10)]
    found = score_tracks([standing(5, A), standing(6, B)], frames)
    assert (found.mota, found.idf1, found.boxes, found.objects) == (1, 1, 20, 2)
    assert (found.switches, found.false, found.missed) == (0, 0, 0)


def test_a_switch_of_identities_costs_idf1() -> None:
    swapped = [[track(1, A), track(2, B)], [track(2, A), track(1, B)]]
    frames = [(float(now), swapped[now >= 5]) for now in range(10)]
    found = score_tracks([standing(5, A), standing(6, B)], frames)
    assert found.switches == 2
    assert found.mota == pytest.approx(1 - 2 / 20)
    assert found.idf1 == pytest.approx(0.5)


def test_lost_tracks_are_no_claim_and_other_places_are_false() -> None:
    frames = [
        (0.0, [track(1, A)]),
        (1.0, [track(1, A, TrackState.LOST)]),
        (2.0, [track(1, A), track(2, B)]),
    ]
    found = score_tracks([standing(5, A)], frames)
    assert (found.missed, found.false, found.fragments) == (1, 1, 1)
    assert found.mota == pytest.approx(1 - 2 / 3)


def test_a_track_of_another_class_is_on_no_object() -> None:
    found = score_tracks(
        [standing(5, A, "bag"), standing(6, B)], [(0.0, [track(1, A), track(2, B)])]
    )
    assert (found.missed, found.false) == (1, 1)


def test_without_motmetrics_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "motmetrics", None)
    with pytest.raises(ScoreError, match=r"pip install 'edge-runtime\[score\]'$"):
        score_tracks([standing(5, A)], [])
