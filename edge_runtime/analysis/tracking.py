"""Tracking: which object of this frame is which of the last.

The scheme is that of ByteTrack (Zhang et al., 2022, https://arxiv.org/abs/2110.06864): detections
of a good score find their tracks first and may begin new ones; detections of a lower score may
only go on with a track that is there, which carries an object through frames in which the detector
is less sure. Association is greedy on the overlap with the predicted box: with the few objects of
a branch it finds the same pairs as an optimal assignment, without its dependency; and with so few,
plain floats are several times faster than arrays, whose calls cost more than their numbers.

All durations are seconds on the frame's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge_runtime.detections import Detections
from edge_runtime.tracks import Box, Track, TrackState

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


@dataclass(slots=True, eq=False)
class _Live:
    """A track while it is being followed; `velocity` is that of the box's sides, 1/s."""

    id: int
    label: str
    box: Box
    velocity: Box
    score: float
    state: TrackState
    first_seen: float
    last_seen: float

    def predicted(self, now: float) -> Box:
        """Where the box should be at `now` if the object moves on as it did."""
        ahead = min(now - self.last_seen, _HORIZON)
        x1, y1, x2, y2 = self.box
        u1, v1, u2, v2 = self.velocity
        return x1 + u1 * ahead, y1 + v1 * ahead, x2 + u2 * ahead, y2 + v2 * ahead

    def see(self, box: Box, score: float, now: float) -> None:
        elapsed = now - self.last_seen
        if elapsed > 0:
            x1, y1, x2, y2 = (
                speed + _SMOOTHING * ((new - old) / elapsed - speed)
                for speed, new, old in zip(self.velocity, box, self.box, strict=True)
            )
            self.velocity = x1, y1, x2, y2
        self.box, self.score, self.last_seen = box, score, now

    def public(self) -> Track:
        return Track(
            self.id,
            self.label,
            self.box,
            self.score,
            self.state,
            self.first_seen,
            self.last_seen,
        )


@dataclass(frozen=True, slots=True)
class _Sighting:
    """One detection; `box` in 0..1."""

    label: str
    box: Box
    score: float


_STILL: Box = (0.0, 0.0, 0.0, 0.0)
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
        strong, weak = self._by_strength(detections, size)
        unseen = list(self._live)
        new = self._associate(unseen, strong, now)
        self._associate(unseen, weak, now)
        for track in unseen:
            if track.state is TrackState.CONFIRMED:
                track.state = TrackState.LOST
        # Somebody who was seen once and not again was nobody.
        self._live = [
            track
            for track in self._live
            if track.state is not TrackState.TENTATIVE or track not in unseen
        ]
        self._expire(now)
        for sighting in new:
            self._begin(sighting, now)

    def rest(self, now: float) -> None:
        """The gate was shut: what was seen is still there, what was lost stays lost."""
        self._now = now
        for track in self._live:
            if track.state is TrackState.CONFIRMED:
                track.last_seen = now
                track.velocity = _STILL
        self._expire(now)

    def hold(self, now: float) -> None:
        """Nobody could look (an inference failed): nothing is known to have changed."""
        elapsed = now - self._now
        if elapsed > 0:
            for track in self._live:
                track.last_seen += elapsed
        self._now = now

    def _by_strength(
        self, detections: Detections, size: tuple[int, int]
    ) -> tuple[list[_Sighting], list[_Sighting]]:
        """Those that may begin a track, and those that may only go on with one."""
        width, height = size
        strong, weak = [], []
        rows = zip(
            detections.class_ids.tolist(),
            detections.boxes.tolist(),
            detections.scores.tolist(),
            strict=True,
        )
        for class_id, (x1, y1, x2, y2), score in rows:
            label = detections.labels[class_id]
            box = x1 / width, y1 / height, x2 / width, y2 / height
            least = self._settings.begins(label)
            if score >= least:
                strong.append(_Sighting(label, box, score))
            elif score >= least * CONTINUE_FRACTION:
                weak.append(_Sighting(label, box, score))
        return strong, weak

    def _associate(
        self, unseen: list[_Live], sightings: list[_Sighting], now: float
    ) -> list[_Sighting]:
        """Pair tracks of `unseen` with `sightings`, best overlap first; return the unpaired.

        A track that finds its sighting is updated and taken out of `unseen`.
        """
        pairs = []
        for row, track in enumerate(unseen):
            predicted = track.predicted(now)
            for column, sighting in enumerate(sightings):
                if sighting.label == track.label:
                    overlap = iou(predicted, sighting.box)
                    if overlap >= self._settings.overlap:
                        pairs.append((-overlap, row, column))
        rows: set[int] = set()
        columns: set[int] = set()
        for _, row, column in sorted(pairs):
            if row not in rows and column not in columns:
                rows.add(row)
                columns.add(column)
                self._see(unseen[row], sightings[column], now)
        unseen[:] = [track for row, track in enumerate(unseen) if row not in rows]
        return [each for column, each in enumerate(sightings) if column not in columns]

    def _see(self, track: _Live, sighting: _Sighting, now: float) -> None:
        track.see(sighting.box, sighting.score, now)
        if track.state is TrackState.LOST or now - track.first_seen >= self._settings.confirm:
            track.state = TrackState.CONFIRMED

    def _begin(self, sighting: _Sighting, now: float) -> None:
        self._live.append(
            _Live(
                self._next_id,
                sighting.label,
                sighting.box,
                _STILL,
                sighting.score,
                TrackState.TENTATIVE,
                now,
                now,
            )
        )
        self._next_id += 1

    def _expire(self, now: float) -> None:
        patience = self._settings.patience
        self._live = [
            track
            for track in self._live
            if track.state is not TrackState.LOST or now - track.last_seen <= patience
        ]


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0..1."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common
    return common / union
