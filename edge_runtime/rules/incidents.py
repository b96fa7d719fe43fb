"""The life of an incident: what has held for long enough starts, what no longer holds ends.

A rule says of each scene what it holds for true (`Claim`), of whom or what (a subject). Here it is
counted how long that has been so, a short break is bridged, and the alerts are made. Both ends are
told with the moments at which they really happened: the first and the last scene in which it held.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace

from edge_runtime.alerts.alert import Alert, AlertState, rfc3339
from edge_runtime.rules.watch import Watch
from edge_runtime.scene import Scene
from edge_runtime.tracks import Box, Track, TrackState

OUT_OF_HOURS = "schedule"
"""The reason with which an incident ends whose rule's hours are over."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a rule holds for true of one subject at one moment.

    Attributes:
        boxes: where, in 0..1 of the picture.
        score: how sure it is, 0..1.
        label: the class that it is about; None where it is about none.
        track: the track that it is about; None where it is about none.
        believed: False for what may be an error; it begins no incident.
        since: seconds on the frame's clock since when it has held, where the rule knows better.
    """

    boxes: tuple[Box, ...]
    score: float
    label: str | None = None
    track: int | None = None
    believed: bool = True
    since: float | None = None

    @classmethod
    def of(cls, *tracks: Track, score: float | None = None) -> Claim:
        """A claim about `tracks`, one at least; as sure as the least sure of them."""
        first = tracks[0]
        least = min(track.score for track in tracks) if score is None else score
        believed = all(track.state is not TrackState.TENTATIVE for track in tracks)
        return cls(tuple(t.box for t in tracks), least, first.label, first.id, believed)


Claims = Callable[[Scene], Mapping[Hashable, Claim]]
"""What a rule holds for true of a scene, by subject; is asked once a scene, in their order."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a claim has to hold; seconds.

    Attributes:
        seconds: for so long, before it is told.
        grace: it may be interrupted for so long.
    """

    seconds: float
    grace: float


@dataclass(frozen=True, slots=True)
class _Run:
    """One subject's claim from its first to its latest scene."""

    began: float
    last: float
    claim: Claim


@dataclass(slots=True)
class _Incident:
    started: Alert
    last: _Run
    score: float
    most: int


class Incidents:
    """`Rule` made out of claims."""

    def __init__(
        self, kind: str, watch: Watch, timing: Timing, claims: Claims, *, together: bool
    ) -> None:
        """Begin with nothing.

        Args:
            kind: the kind of the rule, as in its alerts.
            watch: what the rule is told.
            timing: how long a claim has to hold.
            claims: the rule itself.
            together: True: all subjects share one incident, which lasts while a claim of any of
                them holds. False: each has its own.

        Raises:
            ValueError: a duration is negative.
        """
        watch.check_durations(timing.seconds, timing.grace)
        self._kind = kind
        self._watch = watch
        self._timing = timing
        self._claims = claims
        self._together = together
        self._runs: dict[Hashable, _Run] = {}
        self._open: dict[Hashable, _Incident] = {}
        self._cool_until = float("-inf")

    @property
    def labels(self) -> frozenset[str]:
        """The classes that count."""
        return self._watch.labels

    def step(self, scene: Scene) -> list[Alert]:
        """What is to be told after `scene`: starts, what has grown, ends, or (mostly) nothing."""
        claims = self._claims(scene)
        if not self._watch.active(scene.wall_time):
            return self.finish(scene, OUT_OF_HOURS)
        if not claims and not self._runs:
            return []
        told = self._follow(scene, claims)
        return told + self._end_those_over(scene) + self._start(scene)

    def finish(self, scene: Scene, reason: str) -> list[Alert]:
        """No scene follows: end what is open."""
        self._runs.clear()
        return [self._end(scene, key, reason) for key in list(self._open)]

    def _key(self, subject: Hashable) -> Hashable:
        return None if self._together else subject

    def _follow(self, scene: Scene, claims: Mapping[Hashable, Claim]) -> list[Alert]:
        """Bring the runs up to date; tell of incidents that have grown."""
        grown = []
        now = scene.timestamp
        for subject, claim in claims.items():
            known = self._runs.get(subject)
            began = known.began if known else min(now, now if claim.since is None else claim.since)
            self._runs[subject] = run = _Run(began, now, claim)
            incident = self._open.get(self._key(subject))
            if incident is None:
                continue
            incident.last = run
            incident.score = max(incident.score, claim.score)
            if len(claim.boxes) > incident.most and claim.believed:
                incident.most = len(claim.boxes)
                grown.append(self._later(scene, incident, AlertState.UPDATED))
        return grown

    def _end_those_over(self, scene: Scene) -> list[Alert]:
        over = [s for s, r in self._runs.items() if scene.timestamp - r.last > self._timing.grace]
        for subject in over:
            del self._runs[subject]
        alive = {self._key(subject) for subject in self._runs}
        return [self._end(scene, key, None) for key in list(self._open) if key not in alive]

    def _start(self, scene: Scene) -> list[Alert]:
        if scene.timestamp < self._cool_until:
            return []
        ripe = sorted(
            (
                (run.began, str(subject), self._key(subject), run)
                for subject, run in self._runs.items()
                if run.claim.believed
                and run.last == scene.timestamp
                and run.last - run.began >= self._timing.seconds
                and self._key(subject) not in self._open
            ),
            key=lambda entry: entry[:2],
        )
        started = []
        for _, _, key, run in ripe:
            if key not in self._open:
                score = max(r.claim.score for _, _, k, r in ripe if k == key)
                alert = self._alert(scene, run, AlertState.STARTED, run.began, score)
                if key is not None:  # others may start in the same moment
                    alert = replace(alert, incident=f"{alert.incident}/{key}")
                self._open[key] = _Incident(alert, run, score, len(run.claim.boxes))
                started.append(alert)
        return started

    def _end(self, scene: Scene, key: Hashable, reason: str | None) -> Alert:
        incident = self._open.pop(key)
        self._cool_until = scene.timestamp + self._watch.cooldown
        return replace(self._later(scene, incident, AlertState.ENDED), reason=reason)

    def _later(self, scene: Scene, incident: _Incident, state: AlertState) -> Alert:
        """An alert about an incident that has started."""
        last, started = incident.last, incident.started
        alert = self._alert(scene, last, state, last.last, incident.score)
        return replace(alert, incident=started.incident, duration=last.last - started.timestamp)

    def _alert(
        self, scene: Scene, run: _Run, state: AlertState, moment: float, score: float
    ) -> Alert:
        claim = run.claim
        boxes = claim.boxes
        if self._together:
            others = (r.claim.boxes for r in self._runs.values() if r is not run)
            boxes = tuple(box for part in (boxes, *others) for box in part)
        return alert_of(
            self._kind,
            self._watch,
            scene,
            replace(claim, boxes=boxes, score=score),
            state=state,
            moment=moment,
        )


def alert_of(
    kind: str, watch: Watch, scene: Scene, claim: Claim, *, state: AlertState, moment: float
) -> Alert:
    """The alert that says `claim`, decided at `scene`, of the `moment` on the frame's clock."""
    wall_time = scene.wall_time - (scene.timestamp - moment)
    return Alert(
        rule=kind,
        name=watch.name,
        camera=watch.camera,
        state=state,
        severity=watch.severity,
        timestamp=moment,
        wall_time=wall_time,
        decided_after=scene.timestamp - moment,
        duration=0.0,
        incident=f"{watch.camera}/{watch.name}/{rfc3339(wall_time)}",
        zone=watch.zone.name if watch.zone else None,
        label=claim.label,
        score=claim.score,
        track=claim.track,
        boxes=claim.boxes,
    )
