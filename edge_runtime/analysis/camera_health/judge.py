"""The camera's health over time: what seems wrong for long enough is, and so is what is over."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.analysis.camera_health.conditions import Condition
from edge_runtime.analysis.camera_health.freezing import Repeat, Repeats
from edge_runtime.analysis.camera_health.measures import Change, Measures, alike, tiles
from edge_runtime.analysis.camera_health.reference import Likeness, Reference
from edge_runtime.analysis.camera_health.verdicts import Sight, seen
from edge_runtime.analysis.glance import WIDTH, Glance
from edge_runtime.analysis.planes import Mask, Plane

EVERY = 0.2
"""Seconds between two looks: what takes seconds to decide needs no more."""
_RISE = 2.5
"""Seconds for which something has to seem wrong before it is."""
_LAPSE = 0.45
"""For so long it may seem well meanwhile: one or two looks at somebody who walks by."""
_FALL = 1.2
"""Seconds for which it has to seem well again."""
_STILL_SECONDS = 1.0
_STILL_LEVELS, _STILL_EDGES = 3.0, 0.9
"""A tile that keeps still changes by less grey levels, or its gradients are at least so alike."""
_ELSEWHERE_SECONDS = 1.0
"""Found elsewhere for so long, the old picture has moved, whoever may now stand before it."""
_GLIDES = 0.1 * WIDTH
"""So has what is found further away from look to look, and so many pixels at least."""
_EMPTY = {Condition.COVERED, Condition.DARK, Condition.BRIGHT}


class State(StrEnum):
    """Where a condition is in its life."""

    CLEAR = "clear"
    RISING = "rising"
    ON = "on"
    FALLING = "falling"


@dataclass(slots=True)
class _Life:
    state: State = State.CLEAR
    since: float = 0.0
    wrong: float = float("-inf")
    """When it last seemed wrong."""
    sureness: float = 0.0
    """The highest since it seems wrong."""

    def step(self, now: float, sureness: float, *, rise: float) -> bool | None:
        """True when the condition has begun, False when it is over, None when neither.

        `sureness` is how surely it seems wrong now; 0: it does not.
        """
        wrong = sureness > 0
        if wrong:
            self.wrong = now
            so_far = 0.0 if self.state is State.CLEAR else self.sureness
            self.sureness = max(sureness, so_far)
        match self.state, wrong:
            case State.CLEAR, True:
                self.state, self.since = State.RISING, now
            case State.RISING, False if now - self.wrong > _LAPSE:
                self.state = State.CLEAR
            case State.RISING, True if now - self.since >= rise:
                self.state = State.ON
                return True
            case State.ON, False:
                self.state, self.since = State.FALLING, now
            case State.FALLING, True:
                self.state = State.ON
            case State.FALLING, False if now - self.since >= _FALL:
                self.state = State.CLEAR
                return False
        return None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A condition has begun or is over.

    Attributes:
        condition: which.
        begins: True: it has begun; False: it is over.
        at: seconds on the frame's clock since when it seems so.
    """

    condition: Condition
    begins: bool
    at: float


@dataclass(slots=True)
class _Turn:
    """Whether the camera was seen to turn away, so that it has moved whatever its new view is."""

    since: float | None = None
    pixels: float = 0.0
    glided: bool = False

    def sure(self, now: float) -> bool:
        """Whether the old picture was found elsewhere for long enough, or further and further."""
        found = self.since is not None and now - self.since >= _ELSEWHERE_SECONDS
        return self.glided or found

    def follow(self, sight: Sight, now: float) -> None:
        """Take in what is seen now."""
        if sight.elsewhere:
            if self.since is None:
                self.since = now
            elif sight.elsewhere > max(self.pixels, _GLIDES):
                self.glided = True
            self.pixels = sight.elsewhere
        elif sight.wrong is not Condition.MOVED or not self.sure(now):
            self.since, self.pixels, self.glided = None, 0.0, False


class Judge:
    """Judges the glances at one camera."""

    def __init__(self) -> None:
        self._lives: dict[Condition, _Life] = {
            c: _Life() for c in Condition if c is not Condition.NO_FRAMES
        }
        self._reference: Reference | None = None
        self._before: Glance | None = None
        self._latest: deque[tuple[float, Glance, Measures]] = deque()
        self._last = float("-inf")
        self._turn = _Turn()
        self._repeats = Repeats()

    @property
    def present(self) -> tuple[Condition, ...]:
        """What is wrong now."""
        on = (State.ON, State.FALLING)
        return tuple(c for c, life in self._lives.items() if life.state in on)

    def sureness(self, condition: Condition) -> float:
        """How sure it is, or was, at best: 0.5 at the limit of what decides, 1 far beyond it."""
        return self._lives[condition].sureness

    def due(self, now: float) -> bool:
        """Whether it is time for a look at `now`, seconds on the frame's clock."""
        return now - self._last >= EVERY - 1e-3

    def step(self, glance: Callable[[], Glance] | Glance, now: float) -> list[Verdict]:
        """What begins or ends at `now`; glances come in the order of time."""
        if not self.due(now):
            return []
        look = glance() if callable(glance) else glance
        if self._before is not None and self._before.grey.shape != look.grey.shape:
            self._reference = self._before = None  # another resolution: another picture
            self._latest.clear()
        measures = Measures.of(look)
        change = Change.of(self._before, look) if self._before else None
        known = self._reference
        noise = change.noise if change else known.usual_noise if known else 0.0
        like = known.likeness(measures, noise) if known else None
        beside = (known, like) if known and like and known.believed else None
        still = self._still(look, measures, now)
        sight = seen(measures, noise, beside, still, self._known(now))
        self._turn.follow(sight, now)
        frozen = None
        if sight.wrong in _EMPTY:
            self._repeats.rest()  # nothing is in the picture that could change
        elif change is not None:
            frozen = self._repeats.step(change.levels, measures.mean, now)
        verdicts = self._live(sight, frozen, now)
        if sight.wrong is None and all(life.state is State.CLEAR for life in self._lives.values()):
            self._learn(measures, change, like, still, now)
        self._before, self._last = look, now
        return verdicts

    def _known(self, now: float) -> tuple[Condition, ...]:
        """What is present, and what is certain to be told soon."""
        return (Condition.MOVED, *self.present) if self._turn.sure(now) else self.present

    def _live(self, sight: Sight, frozen: Repeat | None, now: float) -> list[Verdict]:
        verdicts = []
        for condition, life in self._lives.items():
            if condition is Condition.FROZEN:
                begun = life.step(now, frozen.sureness if frozen else 0.0, rise=0.0)
            else:
                sureness = sight.sureness if condition is sight.wrong else 0.0
                begun = life.step(now, sureness, rise=_RISE)
            if begun is not None:
                since = frozen.since if frozen and condition is Condition.FROZEN else life.since
                verdicts.append(Verdict(condition, begun, since))
        return verdicts

    def _still(self, look: Glance, measures: Measures, now: float) -> Mask | None:
        """The tiles that are as they were a second ago, in whatever light."""
        self._latest.append((now, look, measures))
        while len(self._latest) > 1 and self._latest[1][0] <= now - _STILL_SECONDS:
            self._latest.popleft()
        then, before, had = self._latest[0]
        if now - then < _STILL_SECONDS:
            return None
        # What is as much brighter as most tiles has kept still. A camera that sets its exposure
        # anew makes dark parts brighter than bright ones, but leaves edges where they are.
        here, there = (np.maximum(each.light, 1.0) for each in (measures, had))
        gain = _median(here / there)
        levels = cv2.addWeighted(look.calm, 1.0, before.calm, -gain, 0, dtype=cv2.CV_32F)
        changed: Plane = tiles(np.abs(np.asarray(levels)))
        return np.asarray((changed < _STILL_LEVELS) | (alike(measures, had) >= _STILL_EDGES))

    def _learn(
        self,
        measures: Measures,
        change: Change | None,
        like: Likeness | None,
        still: Mask | None,
        now: float,
    ) -> None:
        reference = self._reference
        if reference is None or like is None:
            self._reference = Reference(measures, now)
        elif like.matched >= 0.5:
            reference.learn(measures, change, still, now)
        elif not reference.believed:
            self._reference = Reference(measures, now)  # what it began with was no background


def _median(plane: NDArray[np.floating]) -> float:
    """As `np.median`, which takes four times as long over so few."""
    ordered = np.sort(plane, axis=None)
    return float(ordered[(plane.size - 1) // 2] + ordered[plane.size // 2]) / 2
