"""Who crosses a line, and in which direction: what several rules are made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge_runtime.analysis.lines import Line, Way
from edge_runtime.analysis.zones import Point
from edge_runtime.rules.watch import Watch
from edge_runtime.scene import Scene
from edge_runtime.tracks import Track, TrackState

_CLEAR = 0.015
"""How far from the line, in 0..1 of the picture, feet are clearly on one side of it."""


class Ways(StrEnum):
    """Which directions a rule is about."""

    IN = "in"
    OUT = "out"
    BOTH = "both"

    def include(self, way: Way) -> bool:
        """Whether the rule is about `way`."""
        return self is Ways.BOTH or self.value == way.value


@dataclass(frozen=True, slots=True)
class Crossing:
    """One object came over the line."""

    track: Track
    way: Way


class Crossings:
    """Watches one line.

    Feet tremble from picture to picture: an object has crossed when it was clearly on one side and
    is clearly on the other, and who stands on the line has not.
    """

    def __init__(self, line: Line, watch: Watch) -> None:
        self._line = line
        self._watch = watch
        self._clear: dict[int, Point] = {}

    def step(self, scene: Scene) -> list[Crossing]:
        """Who has crossed by now; scenes come in the order of their timestamps."""
        crossed = []
        for track in scene.tracks:
            if track.label not in self._watch.labels or track.state is not TrackState.CONFIRMED:
                continue
            if abs(self._line.side(track.foot)) < _CLEAR:
                continue
            before = self._clear.get(track.id)
            self._clear[track.id] = track.foot
            way = self._line.crossed(before, track.foot) if before is not None else None
            if way is not None:
                crossed.append(Crossing(track, way))
        live = {track.id for track in scene.tracks}
        self._clear = {track: at for track, at in self._clear.items() if track in live}
        return crossed
