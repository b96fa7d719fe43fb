"""Tracks held against the truth, by the figures of the MOT challenges.

MOTA: Bernardin and Stiefelhagen, 2008; IDF1: Ristani et al., 2016. They are computed by
py-motmetrics (extra ``score``); a track and an object are one where their boxes have half of their
union in common.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.scoring.truth import TrueTrack
from edge_runtime.tracks import Box, Track, TrackState

OVERLAP = 0.5
"""Intersection over union from which a track is on an object."""

_FIGURES = (
    "mota",
    "idf1",
    "num_switches",
    "num_fragmentations",
    "num_false_positives",
    "num_misses",
    "num_objects",
    "num_unique_objects",
)
"""In the order of `TrackScore`, by the names of motmetrics."""


class ScoreError(EdgeRuntimeError):
    """A score that cannot be computed."""


@dataclass(frozen=True, slots=True)
class TrackScore:
    """How well tracks follow objects.

    Attributes:
        mota: 1 less the share of all errors, to 1; below 0 where there are more errors than boxes.
        idf1: the F1 of identities, 0..1.
        switches: how often an object got another number.
        fragments: how often the following of an object broke off and went on.
        false: boxes of tracks on nothing.
        missed: boxes of the truth without a track.
        boxes: boxes of the truth.
        objects: different objects in the truth.
    """

    mota: float
    idf1: float
    switches: int
    fragments: int
    false: int
    missed: int
    boxes: int
    objects: int


def score_tracks(
    truth: Sequence[TrueTrack], frames: Iterable[tuple[float, Iterable[Track]]]
) -> TrackScore:
    """Hold the tracks of `frames`, each with its seconds, against `truth`.

    Only confirmed tracks count, of classes that the truth has.

    Raises:
        ScoreError: motmetrics is not installed.
    """
    metrics = _motmetrics()
    accumulator = metrics.MOTAccumulator(auto_id=True)
    labels = {each.label for each in truth}
    for now, tracks in frames:
        there = [(each, box) for each in truth if (box := each.at(now)) is not None]
        found = [t for t in tracks if t.state is TrackState.CONFIRMED and t.label in labels]
        distances = _distances([box for _, box in there], [track.box for track in found])
        for row, (each, _) in enumerate(there):
            distances[row, [track.label != each.label for track in found]] = np.nan
        accumulator.update([each.id for each, _ in there], [track.id for track in found], distances)
    row = metrics.metrics.create().compute(accumulator, metrics=list(_FIGURES)).iloc[0]
    mota, idf1, *counts = (float(row[name]) for name in _FIGURES)
    return TrackScore(mota, idf1, *map(round, counts))


def _motmetrics() -> Any:
    try:
        import motmetrics
    except ImportError as error:
        raise ScoreError(
            "the truth has tracks, and to score them motmetrics is needed: "
            "pip install 'edge-runtime[score]'"
        ) from error
    return motmetrics


def _distances(truth: Sequence[Box], found: Sequence[Box]) -> NDArray[np.float64]:
    """1 - intersection over union, a row for each of `truth`; NaN where it is too little."""
    a, b = (np.array(boxes, np.float64).reshape(-1, 4) for boxes in (truth, found))
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=-1)
    area_a, area_b = (np.prod(boxes[:, 2:] - boxes[:, :2], axis=-1) for boxes in (a, b))
    overlap = common / np.maximum(area_a[:, None] + area_b[None] - common, 1e-12)
    return np.where(overlap >= OVERLAP, 1 - overlap, np.nan)
