"""One object while it is followed: where it is thought to be, and whether a detection may be it.

Lengths are in heights of the picture, so that they are the same across and down.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log

from edge_runtime.analysis.boxes import iou
from edge_runtime.analysis.motion_model import Coordinate, Step
from edge_runtime.tracks import Box, Track, TrackState

_ERROR = 0.07
"""Standard deviation of a detection's middle, by the object's longer side."""
_UPRIGHT = 0.4
"""How fast the people in a picture move up and down, by how fast they move across."""
_HEIGHT_CHANGE, _WIDTH_CHANGE = 0.2, 0.5
"""Standard deviations of the logarithms of height and width, over those that are expected."""
_RESIZING = 0.3
"""The weight of the newest size."""
_FARTHEST = 16.0
"""The square of as many standard deviations as place, or size, may be off."""
_FORGOTTEN = 2.0
"""By how much a match gets worse with every second out of sight."""
_APART, _ALIKE = 12.0, 5.0
"""How badly a box fits by its overlap alone: where there is none, and where they are the same."""
_UNSURE = 2.0
"""By how much a detection fits worse that is not sure enough to begin a track."""


@dataclass(slots=True)
class Sighting:
    """One detection.

    Attributes:
        label: its class.
        box: in 0..1 of the picture.
        score: 0..1.
        begins: whether it is sure enough to begin a track.
        aspect: the picture's width by its height.
        x: the middle, across.
        y: the middle, down.
        width: the box's width.
        height: the box's height.
        scale: the square of the longer side, to which its speed and its errors are in proportion.
    """

    label: str
    box: Box
    score: float
    begins: bool
    aspect: float
    x: float = field(init=False)
    y: float = field(init=False)
    width: float = field(init=False)
    height: float = field(init=False)
    scale: float = field(init=False)

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = self.box
        self.x, self.y = (x1 + x2) / 2 * self.aspect, (y1 + y2) / 2
        self.width, self.height = (x2 - x1) * self.aspect, y2 - y1
        self.scale = max(self.width, self.height) ** 2


@dataclass(slots=True, eq=False)
class Followed:
    """A track from its first sighting on; the attributes of `Track`, and what it is foretold by.

    Attributes:
        latest: its latest sighting.
        x: the middle, across.
        y: the middle, down.
        width: as it is expected.
        height: as it is expected.
        doubtful: whether it began on the box of another, as a second box on one object does.
        seen: whether the latest look saw it.
    """

    id: int
    state: TrackState
    first_seen: float
    last_seen: float
    latest: Sighting
    x: Coordinate
    y: Coordinate
    width: float
    height: float
    doubtful: bool
    seen: bool = True

    @classmethod
    def begin(cls, number: int, first: Sighting, now: float, *, doubtful: bool) -> Followed:
        """What was seen for the first time at `now`."""
        scale = first.scale
        error = _ERROR * _ERROR * scale
        return cls(
            number,
            TrackState.TENTATIVE,
            now,
            now,
            first,
            Coordinate.first(first.x, error, scale),
            Coordinate.first(first.y, error, scale * _UPRIGHT * _UPRIGHT),
            first.width,
            first.height,
            doubtful,
        )

    def predict(self, step: Step) -> None:
        """Time passes."""
        scale = self.latest.scale
        self.x.predict(step, scale)
        self.y.predict(step, scale * _UPRIGHT * _UPRIGHT)

    def distance(self, sighting: Sighting, now: float) -> float:
        """How badly `sighting` fits, as twice a negative logarithm of its likelihood.

        Near 0 where it is just where and as large as expected of something just seen; more where
        place or size are off, by how well they are known.
        """
        worse = 0.0 if sighting.begins else _UNSURE
        if self.state is TrackState.LOST:
            worse += _FORGOTTEN * (now - self.last_seen)
        expected = self._surprise(sighting)
        if expected is not None and expected <= _ALIKE:
            return expected + worse
        # A body that comes in over the picture's edge doubles within half a second, and a detector
        # may frame half of it: then place and size are surprising, and there is still the overlap.
        by_overlap = _APART - (_APART - _ALIKE) * iou(self.latest.box, sighting.box)
        return min(by_overlap, by_overlap if expected is None else expected) + worse

    def _surprise(self, sighting: Sighting) -> float | None:
        """The same by place and size alone; None where one of them is too far off."""
        error = _ERROR * _ERROR * self.latest.scale
        across = self.x.place_variance + error
        down = self.y.place_variance + error
        dx, dy = sighting.x - self.x.place, sighting.y - self.y.place
        place = dx * dx / across + dy * dy / down
        if place > _FARTHEST:
            return None
        taller = log(sighting.height / self.height) / _HEIGHT_CHANGE
        wider = log(sighting.width / self.width) / _WIDTH_CHANGE
        size = taller * taller + wider * wider
        if size > _FARTHEST:
            return None
        # Who could be anywhere is the likelier one nowhere. By the theory the logarithm counts in
        # full; half of it followed better, as it is not by chance where people are lost.
        return place + size + 0.5 * log(across * down / (4 * error * error))

    def see(self, sighting: Sighting, now: float) -> None:
        """It is `sighting`."""
        error = _ERROR * _ERROR * sighting.scale
        if self._surprise(sighting) is None:
            self.x.move(sighting.x, error)
            self.y.move(sighting.y, error)
            self.width, self.height = sighting.width, sighting.height
        else:
            self.x.correct(sighting.x, error)
            self.y.correct(sighting.y, error)
            self.width += _RESIZING * (sighting.width - self.width)
            self.height += _RESIZING * (sighting.height - self.height)
        self.latest, self.last_seen, self.seen = sighting, now, True

    def stand(self, now: float) -> None:
        """It is known not to have moved since."""
        scale = self.latest.scale
        self.x.stop(scale)
        self.y.stop(scale * _UPRIGHT * _UPRIGHT)
        self.last_seen = now

    @property
    def is_doubtful(self) -> bool:
        """Whether it may still be a second track of another's object."""
        return self.doubtful and self.state is TrackState.TENTATIVE

    @property
    def outside(self) -> bool:
        """Whether it is foretold to have left the picture."""
        return not (0 <= self.x.place <= self.latest.aspect and 0 <= self.y.place <= 1)

    def foretold(self) -> Box:
        """Where its box is expected now, as large as it was; its middle within the picture."""
        latest = self.latest
        x, y = min(max(self.x.place / latest.aspect, 0.0), 1.0), min(max(self.y.place, 0.0), 1.0)
        x1, y1, x2, y2 = latest.box
        across, down = (x2 - x1) / 2, (y2 - y1) / 2
        return max(x - across, 0.0), max(y - down, 0.0), min(x + across, 1.0), min(y + down, 1.0)

    def public(self, *, foretold: bool = False) -> Track:
        """As the rules see it: where it was seen, or where it is foretold to be.

        Who waits for a look is where he is foretold to be in any case.
        """
        latest = self.latest
        waits = self.state is TrackState.CONFIRMED and not self.seen
        return Track(
            self.id,
            latest.label,
            self.foretold() if foretold or waits else latest.box,
            latest.score,
            self.state,
            self.first_seen,
            self.last_seen,
            (self.x.speed / latest.aspect, self.y.speed),
        )
