"""What every rule is told, whatever it is about: where, whom, when and how urgent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from edge_runtime.alerts.alert import Severity
from edge_runtime.analysis.zones import Zone
from edge_runtime.rules.schedule import Schedule
from edge_runtime.scene import Scene
from edge_runtime.tracks import Track, TrackState

_BODY = 0.5
"""The part of a box that has to lie in a zone for a body to be there."""


class Place(StrEnum):
    """By what of an object a zone is asked."""

    FEET = "feet"
    """The middle of the box's lower edge: where it stands on the floor."""
    BODY = "body"
    """Half of the box: for cameras so close that no feet are in the picture."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What is the same in all rules.

    Attributes:
        name: the rule's name in the configuration.
        camera: the camera that it looks at.
        labels: the classes that count.
        zone: where; None is the whole picture.
        place: by what of an object the zone is asked.
        cooldown: seconds after an end during which nothing starts.
        severity: what the alerts carry.
        schedule: when the rule is on; None is always.
    """

    name: str
    camera: str
    labels: frozenset[str]
    zone: Zone | None = None
    place: Place = Place.FEET
    cooldown: float = 0.0
    severity: Severity = Severity.MEDIUM
    schedule: Schedule | None = None

    def __post_init__(self) -> None:
        if not self.labels:
            raise ValueError(f"rule {self.name!r} names no class")
        self.check_durations(self.cooldown)

    def check_durations(self, *seconds: float) -> None:
        """Raise ValueError if one of them is negative."""
        if min(seconds) < 0:
            raise ValueError(f"rule {self.name!r} has a negative duration")

    def active(self, wall_time: float) -> bool:
        """Whether the rule is on at `wall_time` (Unix seconds)."""
        return self.schedule is None or self.schedule.active(wall_time)

    def counts(self, track: Track) -> bool:
        """Whether `track` is of a class and in the place that the rule is about."""
        if track.label not in self.labels:
            return False
        if self.zone is None:
            return True
        if self.place is Place.FEET:
            return self.zone.contains(track.foot)
        return self.zone.share(track.box) >= _BODY

    def seen(self, scene: Scene) -> Iterator[Track]:
        """The tracks of `scene` that count and were seen by the latest look."""
        return (t for t in scene.tracks if t.state is not TrackState.LOST and self.counts(t))
