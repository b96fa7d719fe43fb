"""Tells what is wrong with a camera, and when that is over; also when no pictures come.

One incident a condition. Unlike the other rules it is not asked about tracks but about pictures,
and it goes on where none come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from edge_runtime.alerts.alert import Alert, AlertState, Severity, rfc3339
from edge_runtime.analysis.camera_health.conditions import Condition
from edge_runtime.analysis.camera_health.judge import Judge
from edge_runtime.analysis.glance import Glance
from edge_runtime.rules.incidents import OUT_OF_HOURS
from edge_runtime.rules.schedule import Schedule

KIND = "camera-health"
SEVERITIES: Mapping[Condition, Severity] = {
    Condition.COVERED: Severity.HIGH,
    Condition.DEFOCUSED: Severity.MEDIUM,
    Condition.MOVED: Severity.HIGH,
    Condition.FROZEN: Severity.HIGH,
    Condition.DARK: Severity.MEDIUM,
    Condition.BRIGHT: Severity.MEDIUM,
    Condition.NOISY: Severity.MEDIUM,
    Condition.NO_FRAMES: Severity.HIGH,
}
"""How urgent each is where nothing else is asked."""
_OPENING_SECONDS = 12.0
"""For so long a camera that has just been begun with may show nothing."""


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """How a camera's health is told.

    Attributes:
        camera: the camera's name.
        severities: how urgent the conditions are that are not as in `SEVERITIES`.
        silent_after: seconds without a picture after which that is told, > 0.
        lit: when there is light: `dark` is told only then; None is always.
    """

    camera: str
    severities: Mapping[Condition, Severity] = field(default_factory=dict)
    silent_after: float = 4.0
    lit: Schedule | None = None

    def __post_init__(self) -> None:
        if self.silent_after <= 0:
            raise ValueError(f"silent_after is above 0 seconds, not {self.silent_after}")


class CameraHealth:
    """The health of one camera."""

    def __init__(self, settings: HealthSettings) -> None:
        self._settings = settings
        self._judge = Judge()
        self._open: dict[Condition, Alert] = {}
        self._heard: float | None = None
        self._offset = 0.0  # from the frame's clock to Unix seconds
        self._seen = False
        self._dark = False  # told or not

    @property
    def present(self) -> tuple[Condition, ...]:
        """What is wrong now; may be asked from any thread."""
        return tuple(self._open.copy())

    def step(self, glance: Glance, timestamp: float, wall_time: float) -> list[Alert]:
        """What is to be told after the frame of `timestamp`, whose glance is `glance`."""
        alerts = self._arrived(timestamp, wall_time)
        for verdict in self._judge.step(glance, timestamp):
            if verdict.condition is Condition.DARK:
                self._dark = verdict.begins
            if verdict.begins and self._told(verdict.condition, wall_time):
                alerts.append(self._start(verdict.condition, verdict.at, timestamp))
            elif not verdict.begins and verdict.condition in self._open:
                alerts.append(self._end(verdict.condition, verdict.at, timestamp))
        return alerts + self._hours(timestamp, wall_time)

    def idle(self, timestamp: float, wall_time: float) -> list[Alert]:
        """What is to be told at `timestamp`, at which no frame has come."""
        self._offset = wall_time - timestamp
        if self._heard is None:
            self._heard = timestamp
        least = self._settings.silent_after if self._seen else _OPENING_SECONDS
        if Condition.NO_FRAMES in self._open or timestamp - self._heard < least:
            return []
        return [self._start(Condition.NO_FRAMES, self._heard, timestamp)]

    def finish(self, timestamp: float, reason: str) -> list[Alert]:
        """No frame follows: end what is open, and say why."""
        # After a silence the last frame is older than the silence's beginning was told.
        ends = [(c, max(timestamp, self._open[c].timestamp)) for c in list(self._open)]
        return [replace(self._end(c, at, at), reason=reason) for c, at in ends]

    def _arrived(self, timestamp: float, wall_time: float) -> list[Alert]:
        """A frame has come: what that says of the time before it."""
        self._offset = wall_time - timestamp
        heard, seen = self._heard, self._seen
        self._heard, self._seen = timestamp, True
        alerts = []
        if (
            seen
            and heard is not None
            and timestamp - heard >= self._settings.silent_after
            and Condition.NO_FRAMES not in self._open
        ):
            alerts.append(self._start(Condition.NO_FRAMES, heard, timestamp))
        if Condition.NO_FRAMES in self._open:
            alerts.append(self._end(Condition.NO_FRAMES, timestamp, timestamp))
        return alerts

    def _told(self, condition: Condition, wall_time: float) -> bool:
        """Whether the condition is worth telling at this hour."""
        lit = self._settings.lit
        return condition is not Condition.DARK or lit is None or lit.active(wall_time)

    def _hours(self, timestamp: float, wall_time: float) -> list[Alert]:
        """`dark` begins and ends with the hours in which there is light, too."""
        told = self._told(Condition.DARK, wall_time)
        if told and self._dark and Condition.DARK not in self._open:
            return [self._start(Condition.DARK, timestamp, timestamp)]
        if not told and Condition.DARK in self._open:
            ended = self._end(Condition.DARK, timestamp, timestamp)
            return [replace(ended, reason=OUT_OF_HOURS)]
        return []

    def _start(self, condition: Condition, at: float, now: float) -> Alert:
        settings = self._settings
        wall = at + self._offset
        alert = Alert(
            rule=KIND,
            name=condition,
            camera=settings.camera,
            state=AlertState.STARTED,
            severity=settings.severities.get(condition, SEVERITIES[condition]),
            timestamp=at,
            wall_time=wall,
            decided_after=now - at,
            duration=0.0,
            incident=f"{settings.camera}/{KIND}.{condition}/{rfc3339(wall)}",
        )
        self._open[condition] = alert
        return alert

    def _end(self, condition: Condition, at: float, now: float) -> Alert:
        started = self._open.pop(condition)
        return replace(
            started,
            state=AlertState.ENDED,
            timestamp=at,
            wall_time=started.wall_time + at - started.timestamp,
            decided_after=now - at,
            duration=at - started.timestamp,
        )
