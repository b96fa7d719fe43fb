"""Rules about moments: what they tell has no duration, and starts and ends with one scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from edge_runtime.alerts.alert import Alert, AlertState
from edge_runtime.rules.incidents import Claim, alert_of
from edge_runtime.rules.watch import Watch
from edge_runtime.scene import Scene

Happenings = Callable[[Scene], list[Claim]]
"""What has just happened; `since` says when it began, where it began earlier."""


class Moments:
    """`Rule` made out of happenings: a start and an end for each, one after the other."""

    def __init__(self, kind: str, watch: Watch, happenings: Happenings) -> None:
        self._kind = kind
        self._watch = watch
        self._happenings = happenings
        self._cool_until = float("-inf")

    @property
    def labels(self) -> frozenset[str]:
        """The classes that count."""
        return self._watch.labels

    def step(self, scene: Scene) -> list[Alert]:
        """What is to be told after `scene`."""
        told: list[Alert] = []
        for claim in self._happenings(scene):
            if scene.timestamp >= self._cool_until and self._watch.active(scene.wall_time):
                told += self._both(scene, claim)
        if told:
            self._cool_until = scene.timestamp + self._watch.cooldown
        return told

    def finish(self, scene: Scene, reason: str) -> list[Alert]:
        """Nothing is ever open."""
        return []

    def _both(self, scene: Scene, claim: Claim) -> tuple[Alert, Alert]:
        now = scene.timestamp
        began = now if claim.since is None else claim.since
        started, ended = (
            alert_of(self._kind, self._watch, scene, claim, state=state, moment=moment)
            for state, moment in ((AlertState.STARTED, began), (AlertState.ENDED, now))
        )
        incident = f"{started.incident}/{claim.track}"  # another may cross in the same moment
        return (
            replace(started, incident=incident),
            replace(ended, incident=incident, duration=now - began),
        )
