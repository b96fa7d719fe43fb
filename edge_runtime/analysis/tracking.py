"""Tracking: which object of this frame is which of the last.

The scheme is that of ByteTrack (Zhang et al., 2022, https://arxiv.org/abs/2110.06864): detections
of a good score find their tracks first and may begin new ones; detections of a lower score may
only go on with a track that is there, which carries an object through frames in which the detector
is less sure. Association is greedy on the overlap with the predicted box: with the few objects of
a branch it finds the same pairs as an optimal assignment, without its dependency.

All durations are seconds on the frame's clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_runtime.detections import Detections
from edge_runtime.tracks import Track, TrackState

CONTINUE_FRACTION = 0.6
"""A detection goes on with a track from this fraction of the score that begins one."""


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """What a track needs to begin, to go on and to end.

    Attributes:
        threshold: score that begins a track, 0..1.
        thresholds: the same for single classes.
        overlap: intersection over union from which two boxes can be one object, 0..1.
        confirm: seconds between the first sighting and the one that makes it believed; two
            sightings are needed in any case.
        doubt: seconds for which a lost object is looked for without rest.
        patience: seconds after which a lost track ends.
    """

    threshold: float = 0.5
    thresholds: Mapping[str, float] = field(default_factory=dict)
    overlap: float = 0.2
    confirm: float = 0.0
    doubt: float = 0.7
    patience: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.overlap <= 1:
            raise ValueError(f"overlap is in (0, 1], not {self.overlap}")

    def begins(self, label: str) -> float:
        """The score that begins a track of class `label`."""
        return self.thresholds.get(label, self.threshold)


@dataclass(slots=True)
class _Live:
    """A track while it is being followed. Boxes are arrays of x1, y1, x2, y2 in 0..1."""

    id: int
    label: str
    box: NDArray[np.float64]
    velocity: NDArray[np.float64]
    score: float
    state: TrackState
    first_seen: float
    last_seen: float

    def predicted(self, now: float) -> NDArray[np.float64]:
        """Where the box should be at `now` if the object moves on as it did."""
        return self.box + self.velocity * min(now - self.last_seen, _HORIZON)

    def see(self, box: NDArray[np.float64], score: float, now: float) -> None:
        elapsed = now - self.last_seen
        if elapsed > 0:
            self.velocity += _SMOOTHING * ((box - self.box) / elapsed - self.velocity)
        self.box, self.score, self.last_seen = box, score, now

    def public(self) -> Track:
        x1, y1, x2, y2 = self.box.tolist()
        return Track(
            self.id,
            self.label,
            (x1, y1, x2, y2),
            self.score,
            self.state,
            self.first_seen,
            self.last_seen,
        )


_SMOOTHING = 0.4
"""The weight of the newest displacement in a track's velocity."""
_HORIZON = 0.5
"""Seconds beyond which a straight line foretells nothing about a person."""


class Tracker:
    """Follows the objects of one camera."""

    def __init__(self, settings: TrackerSettings) -> None:
        self._settings = settings
        self._live: list[_Live] = []
        self._next_id = 1
        self._now = float("-inf")

    @property
    def tracks(self) -> tuple[Track, ...]:
        """All tracks after the latest call."""
        return tuple(track.public() for track in self._live)

    @property
    def settled(self) -> bool:
        """Whether every track is either seen or so long lost that it is believed to be gone."""
        doubt = self._settings.doubt
        return all(
            track.state is TrackState.CONFIRMED
            or (track.state is TrackState.LOST and self._now - track.last_seen > doubt)
            for track in self._live
        )

    def update(self, detections: Detections, size: tuple[int, int], now: float) -> None:
        """The detector looked at `now` and saw `detections` in a picture of `size` (w, h)."""
        self._now = now
        width, height = size
        boxes = detections.boxes.astype(np.float64) / (width, height, width, height)
        begins = [self._settings.begins(detections.label(i)) for i in range(len(detections))]
        strong = [i for i, least in enumerate(begins) if detections.scores[i] >= least]
        weak = [
            i
            for i, least in enumerate(begins)
            if least * CONTINUE_FRACTION <= detections.scores[i] < least
        ]
        unseen = list(self._live)
        born = self._associate(unseen, detections, boxes, strong, now)
        self._associate(unseen, detections, boxes, weak, now)
        for track in unseen:
            if track.state is TrackState.CONFIRMED:
                track.state = TrackState.LOST
        self._expire(now, gone=[t for t in unseen if t.state is TrackState.TENTATIVE])
        for index in born:
            self._begin(detections.label(index), boxes[index], float(detections.scores[index]), now)

    def rest(self, now: float) -> None:
        """The gate was shut: what was seen is still there, what was lost stays lost."""
        self._now = now
        for track in self._live:
            if track.state is TrackState.CONFIRMED:
                track.last_seen = now
                track.velocity[:] = 0
        self._expire(now, gone=[])

    def hold(self, now: float) -> None:
        """Nobody could look (an inference failed): nothing is known to have changed."""
        elapsed = now - self._now
        if elapsed > 0:
            for track in self._live:
                track.last_seen += elapsed
        self._now = now

    def _associate(
        self,
        unseen: list[_Live],
        detections: Detections,
        boxes: NDArray[np.float64],
        candidates: list[int],
        now: float,
    ) -> list[int]:
        """Pair tracks in `unseen` with `candidates`, best overlap first; return the unpaired.

        A track that finds its detection is updated and taken out of `unseen`.
        """
        if not unseen or not candidates:
            return candidates
        overlaps = iou(np.array([track.predicted(now) for track in unseen]), boxes[candidates])
        for row, track in enumerate(unseen):
            for column, index in enumerate(candidates):
                if detections.label(index) != track.label:
                    overlaps[row, column] = 0
        paired_rows: set[int] = set()
        paired_columns: set[int] = set()
        while overlaps.max() >= self._settings.overlap:
            row, column = divmod(int(overlaps.argmax()), overlaps.shape[1])
            index = candidates[column]
            self._see(unseen[row], boxes[index], float(detections.scores[index]), now)
            overlaps[row, :] = overlaps[:, column] = -1
            paired_rows.add(row)
            paired_columns.add(column)
        unseen[:] = [track for row, track in enumerate(unseen) if row not in paired_rows]
        return [index for c, index in enumerate(candidates) if c not in paired_columns]

    def _see(self, track: _Live, box: NDArray[np.float64], score: float, now: float) -> None:
        track.see(box, score, now)
        if track.state is TrackState.LOST or now - track.first_seen >= self._settings.confirm:
            track.state = TrackState.CONFIRMED

    def _begin(self, label: str, box: NDArray[np.float64], score: float, now: float) -> None:
        self._live.append(
            _Live(self._next_id, label, box, np.zeros(4), score, TrackState.TENTATIVE, now, now)
        )
        self._next_id += 1

    def _expire(self, now: float, gone: Iterable[_Live]) -> None:
        ids = {track.id for track in gone}
        patience = self._settings.patience
        self._live = [
            track
            for track in self._live
            if track.id not in ids
            and (track.state is not TrackState.LOST or now - track.last_seen <= patience)
        ]


def iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of every box of `a` (N x 4) with every one of `b` (M x 4): N x M."""
    corner = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    common = np.clip(corner, 0, None).prod(axis=2)
    area_a = (a[:, 2:] - a[:, :2]).prod(axis=1)
    area_b = (b[:, 2:] - b[:, :2]).prod(axis=1)
    union = area_a[:, None] + area_b[None, :] - common
    overlap: NDArray[np.float64] = np.zeros_like(common)
    np.divide(common, union, out=overlap, where=union > 0)
    return overlap
