"""What every rule has in common with the others: how it is asked."""

from __future__ import annotations

from typing import Protocol

from edge_runtime.alerts.alert import Alert
from edge_runtime.scene import Scene


class Rule(Protocol):
    """Looks at one camera's scenes, one after another, and tells what it was made for."""

    @property
    def labels(self) -> frozenset[str]:
        """The classes that the rule wants to be tracked."""
        ...

    def step(self, scene: Scene) -> list[Alert]:
        """What is to be told after `scene`; scenes come in the order of their timestamps."""
        ...

    def finish(self, scene: Scene, reason: str) -> list[Alert]:
        """No scene follows `scene`: end what is open, and say why."""
        ...
