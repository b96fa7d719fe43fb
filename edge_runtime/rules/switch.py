"""A rule that can be told to rest until a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edge_runtime.alerts.alert import Alert
from edge_runtime.rules.rule import Rule
from edge_runtime.scene import Scene

SWITCHED_OFF = "switched off"
"""The reason with which an incident ends whose rule begins to rest."""


class Rests:
    """Which rules rest, and until when. One thread writes, others may read."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str], float] = {}

    def rest(self, camera: str, rule: str, until: float) -> None:
        """Let `rule` rest for `camera` until `until`, Unix seconds; 0 ends a rest."""
        self._until[camera, rule] = until

    def until(self, camera: str, rule: str) -> float:
        """Until when the rule rests, Unix seconds; 0 if it was never told to."""
        return self._until.get((camera, rule), 0.0)

    def at(self, now: float) -> Iterator[tuple[str, str, float]]:
        """Camera, rule and end of each rest that is not over at `now`, Unix seconds."""
        for (camera, rule), until in sorted(self._until.items()):
            if until > now:
                yield camera, rule, until


class Switched:
    """`Rule` that rests while it is told to; afterwards it begins as if it were new."""

    def __init__(self, make: Callable[[], Rule], until: Callable[[], float]) -> None:
        """Begin at work.

        Args:
            make: makes the rule, without any memory.
            until: until when it rests, Unix seconds; asked once a scene.
        """
        self._make = make
        self._until = until
        self._rule: Rule = make()
        self._resting = False

    @property
    def labels(self) -> frozenset[str]:
        """The rule's."""
        return self._rule.labels

    def step(self, scene: Scene) -> list[Alert]:
        """What the rule tells; as it begins to rest, the end of what is open."""
        resting = scene.wall_time < self._until()
        if resting == self._resting:
            return [] if resting else self._rule.step(scene)
        self._resting = resting
        if resting:
            return self._rule.finish(scene, SWITCHED_OFF)
        self._rule = self._make()
        return self._rule.step(scene)

    def finish(self, scene: Scene, reason: str) -> list[Alert]:
        """End what is open."""
        return [] if self._resting else self._rule.finish(scene, reason)
