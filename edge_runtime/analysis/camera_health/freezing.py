"""Whether the same picture comes again and again, also from before an encoder, or under a clock.

An encoder that is short of bits repeats the quiet parts of a picture exactly: an empty room then
looks frozen from one key frame to the next. But it does so beside somebody who walks, too. How much
of the picture usually repeats tells such a camera from one whose noise changes every part of it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from edge_runtime.analysis.camera_health.measures import part
from edge_runtime.analysis.camera_health.verdicts import beyond
from edge_runtime.analysis.planes import Plane

_SAME, _REPEATS = 0.05, 0.9
"""A picture repeats if so many of its tiles change by so few grey levels at most: a clock, or a few
pixels after a key frame, may change in it."""
_RESTLESS, _THRIFTY = 0.1, 0.38
"""The share of tiles that are exactly as before, usually: below, every part always changes; above,
an encoder repeats whatever it can."""
_WINDOW, _SECONDS, _BREAK = 5.0, 2.0, 1.5
"""A restless camera is frozen if for so much of the last seconds the picture repeats, and until it
does not for so long: a key frame, and what follows it, takes less."""
_UNBROKEN, _LONG = 2.5, 60.0
"""Another one if it does so for so long without a break: as a rule, and where much repeats."""
_LONGER = 1.5
"""And for so much longer than ever before."""
_USUAL_SECONDS, _KNOWN_SECONDS = 600.0, 10.0
"""The time constant of what is usual, and after how long it is known."""
_LIGHT = 1.33
"""In a light so much brighter or darker it is not."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same picture comes again and again.

    Attributes:
        since: seconds on the frame's clock since when.
        sureness: 0.5..1, as everywhere.
    """

    since: float
    sureness: float


class Repeats:
    """Follows how much of the picture repeats from look to look."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, float]] = deque()
        """The latest looks that repeat: since when what they show was shown, and for how long."""
        self._first: float | None = None
        self._last: float | None = None
        self._usual = self._light = 0.0
        self._weight = 0
        self._run: float | None = None
        self._longest = 0.0

    def rest(self) -> None:
        """Nothing is known of now."""
        self._looks.clear()
        self._run = self._last = None

    def step(self, levels: Plane, light: float, now: float) -> Repeat | None:
        """What is frozen at `now`; None: nothing is.

        Args:
            levels: by how many grey levels each tile has changed since the look before.
            light: the picture's mean brightness.
            now: seconds on the frame's clock, rising.
        """
        before = now if self._last is None else self._last
        self._last = now
        if self._first is None:
            self._first = now
        repeats = part(levels <= _SAME) >= _REPEATS
        self._follow(repeats, before, now)
        known = now - self._first >= _KNOWN_SECONDS
        alike = self._light / _LIGHT <= light <= self._light * _LIGHT
        usual = self._usual if known and alike else 1.0
        if not repeats or not known:
            self._learn(part(levels == 0), light, now - before)
        if usual < _RESTLESS:
            return self._mostly(now)
        return self._all(_UNBROKEN if usual < _THRIFTY else _LONG, now)

    def _follow(self, repeats: bool, before: float, now: float) -> None:
        if repeats:
            self._looks.append((before, now - before))
            self._run = before if self._run is None else self._run
        elif self._run is not None:
            self._longest = max(self._longest, before - self._run)
            self._run = None
        while self._looks and self._looks[0][0] < now - _WINDOW:
            self._looks.popleft()
        if self._looks and sum(self._looks[-1]) < now - _BREAK:
            self._looks.clear()

    def _learn(self, same: float, light: float, passed: float) -> None:
        self._weight += 1
        share = max(1 / self._weight, min(passed / _USUAL_SECONDS, 1.0))
        self._usual += share * (same - self._usual)
        self._light += share * (light - self._light)

    def _mostly(self, now: float) -> Repeat | None:
        lasted = sum(lasts for _, lasts in self._looks)
        if lasted < _SECONDS:
            return None
        since = self._looks[0][0]
        return Repeat(since, beyond(_SECONDS / _WINDOW, lasted / (now - since), 1.0))

    def _all(self, least: float, now: float) -> Repeat | None:
        least = max(least, _LONGER * self._longest)
        if self._run is None or now - self._run < least:
            return None
        return Repeat(self._run, beyond(least, now - self._run, 2 * least))
