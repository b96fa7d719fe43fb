"""People as tracks, and rules that are shown them ten times a second."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from edge_runtime.alerts.alert import Alert
from edge_runtime.rules.rule import Rule
from edge_runtime.rules.watch import Watch
from edge_runtime.scene import Face, Scene, StillObject
from edge_runtime.tracks import Track, TrackState

MIDNIGHT = 1_795_392_000.0  # 2026-11-23T00:00:00Z, a Monday
SEEN, LOST = TrackState.CONFIRMED, TrackState.LOST


def watch(name: str = "rule", **changes: Any) -> Watch:
    return Watch(name, "cam", frozenset({"person"}), **changes)


def person(
    track: int = 1,
    x: float = 0.6,
    state: TrackState = SEEN,
    *,
    foot: float = 0.9,
    wide: float = 0.1,
    tall: float = 0.7,
    since: float = 0.0,
) -> Track:
    """Somebody whose feet are at (x, foot)."""
    box = x - wide / 2, foot - tall, x + wide / 2, foot
    return Track(track, "person", box, 0.8, state, since, 0.0)


class Stage:
    """Shows a rule its scenes."""

    def __init__(self, rule: Rule, wall: float = MIDNIGHT) -> None:
        self.rule = rule
        self.told: list[Alert] = []
        self._tick = 0
        self._wall = wall

    @property
    def now(self) -> float:
        return self._tick / 10

    def show(
        self,
        seconds: float,
        *tracks: Track,
        still: Iterable[StillObject] = (),
        faces: Mapping[int, Face] | None = None,
        passers: tuple[Track, ...] = (),
    ) -> Stage:
        """The same for `seconds`; the faces were looked at just now."""
        for _ in range(round(seconds * 10)):
            now = self.now
            fresh = {n: Face(f.seen, f.covered, now) for n, f in (faces or {}).items()}
            scene = Scene(now, self._wall + now, tracks, tuple(still), fresh, passers=passers)
            self.told += self.rule.step(scene)
            self._tick += 1
        return self

    def walk(self, seconds: float, begin: float, end: float, track: int = 1) -> Stage:
        """Somebody walks from x = `begin` to `end`."""
        steps = round(seconds * 10)
        for step in range(steps):
            self.show(0.1, person(track, begin + (end - begin) * step / (steps - 1)))
        return self

    @property
    def states(self) -> list[str]:
        return [str(alert.state) for alert in self.told]
