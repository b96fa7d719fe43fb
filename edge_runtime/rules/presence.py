"""Presence: an object of a class stays in a zone.

It has started when one object has been in the zone for `seconds`, and it is over when no such
object has been there for `grace`. Both are told with the moment at which they really happened:
the arrival, and the last sighting.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from edge_runtime.alerts.alert import Alert, AlertState, Severity, rfc3339
from edge_runtime.analysis.zones import Zone
from edge_runtime.rules.schedule import Schedule
from edge_runtime.scene import Scene
from edge_runtime.tracks import Box, Track, TrackState

KIND = "presence"


@dataclass(frozen=True, slots=True)
class PresenceSettings:
    """What counts as a presence; durations in seconds.

    Attributes:
        name: the rule's name in the configuration.
        camera: the camera that it looks at.
        labels: the classes that count.
        zone: where; None is the whole picture. An object is where its feet are.
        seconds: how long an object has to be there before it is told.
        grace: how long nothing may be there before it is believed to be gone.
        cooldown: how long after an end no new one starts.
        severity: what the alerts carry.
        schedule: when the rule is on; None is always.
    """

    name: str
    camera: str
    labels: frozenset[str]
    zone: Zone | None = None
    seconds: float = 1.0
    grace: float = 0.7
    cooldown: float = 0.0
    severity: Severity = Severity.MEDIUM
    schedule: Schedule | None = None

    def __post_init__(self) -> None:
        if not self.labels:
            raise ValueError(f"rule {self.name!r} names no class")
        if min(self.seconds, self.grace, self.cooldown) < 0:
            raise ValueError(f"rule {self.name!r} has a negative duration")


class _State(StrEnum):
    ABSENT = "absent"
    PRESENT = "present"
    COOLING = "cooling"


@dataclass(frozen=True, slots=True)
class _Stay:
    """One object's stay in the zone; moments on the frame's clock."""

    track: int
    label: str
    entered: float
    last: float
    score: float
    box: Box


class Presence:
    """The rule, for one camera."""

    def __init__(self, settings: PresenceSettings) -> None:
        self._settings = settings
        self._state = _State.ABSENT
        self._stays: dict[int, _Stay] = {}
        self._started: Alert | None = None
        self._latest: _Stay | None = None
        self._best_score = 0.0
        self._cool_until = float("-inf")

    @property
    def labels(self) -> frozenset[str]:
        """The classes that count."""
        return self._settings.labels

    def step(self, scene: Scene) -> list[Alert]:
        """What is to be told after `scene`: a start, an end, or (mostly) nothing."""
        schedule = self._settings.schedule
        if schedule is not None and not schedule.active(scene.wall_time):
            self._stays.clear()
            return self._end(scene, "schedule") if self._state is _State.PRESENT else []
        self._follow(scene)
        match self._state:
            case _State.PRESENT:
                return [] if self._stays else self._end(scene, None)
            case _State.COOLING if scene.timestamp < self._cool_until:
                return []
            case _:
                return self._start(scene)

    def finish(self, scene: Scene, reason: str) -> list[Alert]:
        """No scene follows: end what is open."""
        return self._end(scene, reason) if self._state is _State.PRESENT else []

    def _follow(self, scene: Scene) -> None:
        """Bring the stays up to date, and forget those that are over."""
        for track in scene.tracks:
            if track.state is TrackState.LOST or not self._counts(track):
                continue
            known = self._stays.get(track.id)
            entered = known.entered if known else scene.timestamp
            stay = _Stay(track.id, track.label, entered, scene.timestamp, track.score, track.box)
            self._stays[track.id] = self._latest = stay
            if self._state is _State.PRESENT:
                self._best_score = max(self._best_score, track.score)
        for stay in list(self._stays.values()):
            if scene.timestamp - stay.last > self._settings.grace:
                del self._stays[stay.track]

    def _counts(self, track: Track) -> bool:
        zone = self._settings.zone
        return track.label in self._settings.labels and (zone is None or zone.contains(track.foot))

    def _start(self, scene: Scene) -> list[Alert]:
        confirmed = {t.id for t in scene.tracks if t.state is TrackState.CONFIRMED}
        ripe = [
            stay
            for stay in self._stays.values()
            if stay.track in confirmed and stay.last - stay.entered >= self._settings.seconds
        ]
        if not ripe:
            self._state = _State.ABSENT
            return []
        first = min(ripe, key=lambda stay: stay.entered)
        self._state = _State.PRESENT
        self._best_score = max(stay.score for stay in ripe)
        self._started = self._alert(scene, first, AlertState.STARTED, first.entered)
        return [self._started]

    def _end(self, scene: Scene, reason: str | None) -> list[Alert]:
        started, latest = self._started, self._latest
        assert started is not None and latest is not None
        self._state = _State.COOLING
        self._cool_until = scene.timestamp + self._settings.cooldown
        self._stays.clear()
        ended = self._alert(scene, latest, AlertState.ENDED, latest.last)
        return [
            replace(
                ended,
                incident=started.incident,
                duration=latest.last - started.timestamp,
                reason=reason,
            )
        ]

    def _alert(self, scene: Scene, stay: _Stay, state: AlertState, moment: float) -> Alert:
        settings = self._settings
        wall_time = scene.wall_time - (scene.timestamp - moment)
        boxes = tuple(s.box for s in self._stays.values()) or (stay.box,)
        return Alert(
            rule=KIND,
            name=settings.name,
            camera=settings.camera,
            state=state,
            severity=settings.severity,
            timestamp=moment,
            wall_time=wall_time,
            decided_after=scene.timestamp - moment,
            duration=0.0,
            incident=f"{settings.camera}/{settings.name}/{rfc3339(wall_time)}",
            zone=settings.zone.name if settings.zone else None,
            label=stay.label,
            score=self._best_score,
            track=stay.track,
            boxes=boxes,
        )
