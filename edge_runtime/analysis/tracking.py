"""Tracking: which object of this frame is which of the last.

As in ByteTrack (Zhang et al., 2022, https://arxiv.org/abs/2110.06864), detections of a low score
may go on with a track and begin none, which carries an object through frames in which the detector
is less sure. Which detection is which track is decided by likelihood instead of overlap: by how far
it is from where a motion model in seconds foretells the object, measured by how well that is known,
and by its size. So small and fast objects whose boxes do not overlap from frame to frame are
followed, and after an occlusion or a pause an object is looked for in a place that grows with the
time. All pairs are decided at once, by the best sum.

All durations are seconds on the frame's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from edge_runtime.analysis.assignment import assign
from edge_runtime.analysis.boxes import covered
from edge_runtime.analysis.followed import Followed, Sighting
from edge_runtime.analysis.motion_model import Step
from edge_runtime.detections import Detections
from edge_runtime.tracks import Box, Track, TrackState

CONTINUE_FRACTION = 0.6
"""A detection goes on with a track from this fraction of the score that begins one."""

_WORST = 10.0
"""The distance from which a detection is rather something new; see `Followed.distance`."""
_PROBATION = 0.3
"""Seconds after which somebody who was not yet believed, and is not seen again, was nobody."""
_OUTSIDE = 0.5
"""Seconds after which somebody ends who was lost and is foretold to have left the picture."""
_ON_ANOTHER = 0.75
"""A detection that has this share in common with a seen track's box may be that one again."""
_DOUBTFUL_SECONDS = 1.5
"""For so long it has to be seen beside the other to be believed."""
_LONGEST_STEP = 3.0
"""Seconds after which nothing more is foretold of who was seen before a pause."""
_WAITING = 1.5
"""Seconds for which somebody is believed to be there who was not looked at well enough."""


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """What a track needs to begin, to go on and to end.

    Attributes:
        threshold: score that begins a track, 0..1.
        thresholds: the same for single classes.
        confirm: seconds between the first sighting and the one that makes it believed; two
            sightings are needed in any case.
        doubt: seconds for which a lost object is looked for without rest.
        patience: seconds after which a lost track ends; one that has left the picture ends sooner.
    """

    threshold: float = 0.5
    thresholds: Mapping[str, float] = field(default_factory=dict)
    confirm: float = 0.0
    doubt: float = 0.7
    patience: float = 3.0

    def __post_init__(self) -> None:
        if min(self.confirm, self.doubt, self.patience) < 0:
            raise ValueError("confirm, doubt and patience are >= 0 seconds")

    def begins(self, label: str) -> float:
        """The score that begins a track of class `label`."""
        return self.thresholds.get(label, self.threshold)


def everywhere(_: Box) -> bool:
    """Who is in the picture must have been seen."""
    return True


class Tracker:
    """Follows the objects of one camera."""

    def __init__(self, settings: TrackerSettings) -> None:
        self._settings = settings
        self._live: list[Followed] = []
        self._ended: list[Track] = []
        self._next_id = 1
        self._now = float("-inf")
        self._foretold = float("-inf")

    @property
    def tracks(self) -> tuple[Track, ...]:
        """All tracks after the latest call; the not yet believed ones where it saw them."""
        return tuple(
            each.public()
            for each in self._live
            if each.seen or each.state is not TrackState.TENTATIVE
        )

    @property
    def ended(self) -> tuple[Track, ...]:
        """The believed tracks that the latest call has ended."""
        return tuple(self._ended)

    @property
    def settled(self) -> bool:
        """Whether every track is either seen or so long lost that it is believed to be gone."""
        doubt = self._settings.doubt
        return all(
            (each.state is TrackState.CONFIRMED and each.seen)
            or (each.state is TrackState.LOST and self._now - each.last_seen > doubt)
            for each in self._live
        )

    def foretold(self, now: float) -> tuple[Track, ...]:
        """All who are followed, where they are expected to be at `now`."""
        self._foretell(now)
        return tuple(each.public(foretold=True) for each in self._live)

    def update(
        self,
        detections: Detections,
        size: tuple[int, int],
        now: float,
        looked: Callable[[Box], bool] = everywhere,
    ) -> None:
        """The detector looked at `now` and saw `detections` in a picture of `size` (w, h).

        `looked` says of a box, in 0..1, whether who is there must have been seen. Who need not
        have been is not lost for a while, and expected to go on as before.
        """
        self._foretell(now)
        sightings = list(self._sightings(detections, size))
        for each in self._live:
            each.seen = False
        new = self._associate(sightings, now)
        for each in self._live:
            if each.state is TrackState.CONFIRMED and not each.seen:
                waited = now - each.last_seen > _WAITING
                if waited or each.outside or looked(each.foretold()):
                    each.state = TrackState.LOST
        self._expire(now)
        known = [each.latest for each in self._live if each.seen]
        for sighting in new:
            if sighting.begins:
                self._begin(sighting, known, now)
                known.append(sighting)

    def rest(self, now: float) -> None:
        """The gate was shut: what was seen is still there, what was lost stays lost."""
        self._now = self._foretold = now
        for each in self._live:
            if each.state is TrackState.CONFIRMED:
                each.stand(now)
        self._expire(now)

    def hold(self, now: float) -> None:
        """Nobody could look (an inference failed): nothing is known to have changed."""
        elapsed = now - self._now
        if elapsed > 0:
            for each in self._live:
                each.last_seen += elapsed
        self._now = now
        self._ended = []

    def _foretell(self, now: float) -> None:
        elapsed = now - self._foretold
        if elapsed > 0:
            step = Step.over(min(elapsed, _LONGEST_STEP))
            for each in self._live:
                each.predict(step)
        self._now = self._foretold = now

    def _sightings(self, detections: Detections, size: tuple[int, int]) -> Iterator[Sighting]:
        """Those that are sure enough to go on with a track."""
        width, height = size
        rows = zip(
            detections.class_ids.tolist(),
            detections.boxes.tolist(),
            detections.scores.tolist(),
            strict=True,
        )
        for class_id, (x1, y1, x2, y2), score in rows:
            label = detections.labels[class_id]
            least = self._settings.begins(label)
            if score >= least * CONTINUE_FRACTION and x1 < x2 and y1 < y2:
                box = x1 / width, y1 / height, x2 / width, y2 / height
                yield Sighting(label, box, score, score >= least, width / height)

    def _associate(self, sightings: list[Sighting], now: float) -> list[Sighting]:
        """Give each track its sighting; return those that are of no track.

        Those that may be the second track of one object get what the others leave.
        """
        doubtful = [each for each in self._live if each.is_doubtful]
        certain = [each for each in self._live if not each.is_doubtful]
        left = self._match(certain, sightings, now)
        return self._match(doubtful, left, now)

    def _match(
        self, tracks: list[Followed], sightings: list[Sighting], now: float
    ) -> list[Sighting]:
        gains = {}
        for row, each in enumerate(tracks):
            for column, sighting in enumerate(sightings):
                if sighting.label == each.latest.label:
                    distance = each.distance(sighting, now)
                    if distance < _WORST:
                        gains[row, column] = _WORST - distance
        pairs = assign(gains)
        for row, column in pairs:
            self._see(tracks[row], sightings[column], now)
        taken = {column for _, column in pairs}
        return [each for column, each in enumerate(sightings) if column not in taken]

    def _see(self, each: Followed, sighting: Sighting, now: float) -> None:
        each.see(sighting, now)
        waits = max(self._settings.confirm, _DOUBTFUL_SECONDS if each.doubtful else 0.0)
        if each.state is TrackState.LOST or now - each.first_seen >= waits:
            each.state = TrackState.CONFIRMED

    def _begin(self, sighting: Sighting, known: list[Sighting], now: float) -> None:
        doubtful = any(
            other.label == sighting.label and covered(other.box, sighting.box) > _ON_ANOTHER
            for other in known
        )
        self._live.append(Followed.begin(self._next_id, sighting, now, doubtful=doubtful))
        self._next_id += 1

    def _expire(self, now: float) -> None:
        over = [each for each in self._live if self._is_over(each, now)]
        self._live = [each for each in self._live if each not in over]
        self._ended = [
            replace(each.public(), state=TrackState.ENDED)
            for each in over
            if each.state is not TrackState.TENTATIVE
        ]

    def _is_over(self, each: Followed, now: float) -> bool:
        if each.state is TrackState.CONFIRMED:
            return False
        if each.state is TrackState.TENTATIVE:
            patience = _PROBATION
        else:
            patience = self._settings.patience
            if each.outside:
                patience = min(patience, _OUTSIDE)
        return now - each.last_seen > patience
