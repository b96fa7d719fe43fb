"""The tracker in worlds of walkers, by the figures of the MOT challenges."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest

from edge_runtime.analysis.tracking import Tracker, TrackerSettings
from edge_runtime.scoring.tracks import TrackScore, score_tracks
from edge_runtime.scoring.truth import TrueTrack
from edge_runtime.tracks import Track
from tests.scenes.walkers import LEAST_SEEN, SIZE, Look, Seen, World


def followed(looks: list[Look]) -> list[tuple[float, tuple[Track, ...]]]:
    tracker = Tracker(TrackerSettings())
    frames = []
    for look in looks:
        tracker.update(look.detections, SIZE, look.now)
        frames.append((look.now, tracker.tracks))
    return frames


def true_tracks(looks: list[Look]) -> list[TrueTrack]:
    """A track for each stretch in which somebody can be seen."""
    tracks = []
    for number in sorted({each.id for look in looks for each in look.truth}):
        rows = [
            next(((look.now, *s.box) for s in look.truth if s.id == number and counts(s)), None)
            for look in looks
        ]
        for there, stretch in groupby(rows, key=lambda row: row is not None):
            if there:
                tracks.append(TrueTrack(id=number, boxes=tuple(stretch)))
    return tracks


def counts(person: Seen) -> bool:
    return person.visible >= LEAST_SEEN


def scored(world: World) -> TrackScore:
    looks = list(world.looks())
    return score_tracks(true_tracks(looks), followed(looks))


@pytest.mark.parametrize(
    ("world", "mota", "idf1"),
    [
        (World("plaza", 50, fps=8, seconds=20), 0.85, 0.85),
        (World("mall", 50, fps=10, seconds=20), 0.85, 0.85),
        (World("corner", 52, fps=15, seconds=20), 0.85, 0.85),
        (World("atm", 50, fps=5, seconds=40), 0.8, 0.85),
    ],
    ids=lambda value: value.place if isinstance(value, World) else None,
)
def test_walkers_keep_their_identities(world: World, mota: float, idf1: float) -> None:
    found = scored(world)
    assert found.boxes > 100
    assert found.mota >= mota
    assert found.idf1 >= idf1


def test_the_same_detections_give_the_same_tracks() -> None:
    looks = list(World("mall", 51, fps=10, seconds=10).looks())
    assert followed(looks) == followed(looks)


def test_a_world_is_the_same_each_time_and_another_for_another_seed() -> None:
    one, again, other = (list(World("plaza", seed, seconds=3).looks()) for seed in (1, 1, 2))
    assert [look.truth for look in one] == [look.truth for look in again]
    assert all(
        np.array_equal(a.detections.boxes, b.detections.boxes)
        for a, b in zip(one, again, strict=True)
    )
    assert [look.truth for look in one] != [look.truth for look in other]
