"""Tells what is wrong with a camera, and when that is over; also when no pictures come.

One incident a condition. Unlike the other rules it is not asked about tracks but about pictures,
and it goes on where none come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf

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
        cooldown: seconds after a condition's end during which it does not start again.
        lit: when there is light: `dark` is told only then; None is always.
    """

    camera: str
    severities: Mapping[Condition, Severity] = field(default_factory=dict)
    silent_after: float = 4.0
    cooldown: float = 0.0
    lit: Schedule | None = None

    def __post_init__(self) -> None:
        if self.silent_after <= 0:
            raise ValueError(f"silent_after is above 0 seconds, not {self.silent_after}")
        if self.cooldown < 0:
            raise ValueError(f"cooldown is 0 seconds or more, not {self.cooldown}")


class CameraHealth:
    """The health of one camera."""

    def __init__(self, settings: HealthSettings) -> None:
        self._settings = settings
        self._judge = Judge()
        self._present: tuple[Condition, ...] = ()
        self._wrong: dict[Condition, float] = {}
        """What is wrong, told or not, and since when on the frame's clock."""
        self._open: dict[Condition, Alert] = {}
        self._cool_until: dict[Condition, float] = {}
        self._heard: float | None = None
        self._offset = 0.0  # from the frame's clock to Unix seconds
        self._seen = False

    @property
    def present(self) -> tuple[Condition, ...]:
        """What is wrong now and worth telling; may be asked from any thread."""
        return self._present

    def step(
        self, glance: Glance, timestamp: float, wall_time: float, *, dropped: bool = False
    ) -> list[Alert]:
        """What is to be told after the frame of `timestamp`, whose glance is `glance`.

        `dropped` says that others came since the last one, which nobody had the time to look at.
        """
        alerts = self._arrived(timestamp, wall_time, dropped=dropped)
        for verdict in self._judge.step(glance, timestamp):
            if verdict.begins:
                self._wrong[verdict.condition] = verdict.at
            else:
                alerts += self._over(verdict.condition, verdict.at, timestamp)
        return alerts + self._tell(timestamp, wall_time)

    def idle(self, timestamp: float, wall_time: float) -> list[Alert]:
        """What is to be told at `timestamp`, at which no frame has come."""
        self._offset = wall_time - timestamp
        if self._heard is None:
            self._heard = timestamp
        least = self._settings.silent_after if self._seen else _OPENING_SECONDS
        if timestamp - self._heard >= least:
            self._wrong.setdefault(Condition.NO_FRAMES, self._heard)
        return self._tell(timestamp, wall_time)

    def finish(self, timestamp: float, reason: str) -> list[Alert]:
        """No frame follows: end what is open, and say why."""
        # After a silence the last frame is older than the silence's beginning was told.
        ends = [(c, max(timestamp, self._open[c].timestamp)) for c in list(self._open)]
        self._wrong.clear()
        self._present = ()
        return [replace(self._end(c, at, at), reason=reason) for c, at in ends]

    def _arrived(self, timestamp: float, wall_time: float, *, dropped: bool) -> list[Alert]:
        """A frame has come: what that says of the time before it."""
        self._offset = wall_time - timestamp
        heard, seen = self._heard, self._seen
        self._heard, self._seen = timestamp, True
        # Where others came in between, it was the analysis that was away, and not the camera.
        since = heard if seen and heard is not None and not dropped else timestamp
        if timestamp - since >= self._settings.silent_after:
            self._wrong.setdefault(Condition.NO_FRAMES, since)
        if Condition.NO_FRAMES not in self._wrong:
            return []
        begun = self._tell(timestamp, wall_time)
        return begun + self._over(Condition.NO_FRAMES, timestamp, timestamp)

    def _over(self, condition: Condition, at: float, now: float) -> list[Alert]:
        self._wrong.pop(condition, None)
        return [self._end(condition, at, now)] if condition in self._open else []

    def _tell(self, now: float, wall_time: float) -> list[Alert]:
        """What begins to be told; `dark` begins and ends with the hours of light, too."""
        alerts = []
        lit = self._settings.lit
        wrong = self._wrong.copy()
        if Condition.DARK in wrong and lit is not None and not lit.active(wall_time):
            del wrong[Condition.DARK]
            self._wrong[Condition.DARK] = inf  # when these hours are over it begins anew
            if Condition.DARK in self._open:
                ended = self._end(Condition.DARK, now, now)
                alerts.append(replace(ended, reason=OUT_OF_HOURS))
        for condition, since in wrong.items():
            cool = now >= self._cool_until.get(condition, now)
            if cool and condition not in self._open:
                alerts.append(self._start(condition, min(since, now), now))
        self._present = tuple(wrong)
        return alerts

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
            score=self._score(condition),
        )
        self._open[condition] = alert
        return alert

    def _end(self, condition: Condition, at: float, now: float) -> Alert:
        started = self._open.pop(condition)
        self._cool_until[condition] = now + self._settings.cooldown
        return replace(
            started,
            state=AlertState.ENDED,
            timestamp=at,
            wall_time=started.wall_time + at - started.timestamp,
            decided_after=now - at,
            duration=at - started.timestamp,
            score=self._score(condition),
        )

    def _score(self, condition: Condition) -> float:
        if condition is Condition.NO_FRAMES:
            return 1.0  # that nothing comes is no matter of opinion
        return self._judge.sureness(condition)
