"""How long each stage of a frame's way takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Stage(StrEnum):
    """The stages of a frame's way, in their order."""

    WAIT = "wait"
    DECODE = "decode"
    MOTION = "motion"
    HEALTH = "camera health"
    TENSOR = "into tensor"
    INVOKE = "invoke"
    OUTPUTS = "outputs"
    TRACK = "track"
    RULES = "rules"
    COMMIT = "commit"

    # Enum's own is a Python function, called for each look into a dictionary: several times a lap.
    __hash__ = str.__hash__


Lap = Callable[[Stage], None]
"""Called when a stage is over; what has passed since the last call is that stage's time."""


def no_lap(_: Stage) -> None:
    """A lap that nobody times."""


class StageTimes:
    """The latest samples of every stage, in memory that does not grow.

    One thread writes; others may read percentiles at any time (a sample that is just being
    written may be missed, which a percentile does not notice).
    """

    def __init__(self, capacity: int = 2048) -> None:
        self._samples: dict[Stage, NDArray[np.float64]] = {s: np.zeros(capacity) for s in Stage}
        self._counts: dict[Stage, int] = dict.fromkeys(Stage, 0)
        self._last = time.perf_counter()
        self._sum: dict[Stage, float] = dict.fromkeys(Stage, 0.0)

    def start(self) -> None:
        """The next lap counts from now."""
        self._last = time.perf_counter()

    def lap(self, stage: Stage) -> None:
        """`stage` is over: add what has passed since the last lap."""
        now = time.perf_counter()
        self.add(stage, now - self._last)
        self._last = now

    def add(self, stage: Stage, seconds: float) -> None:
        """Add a time that was measured elsewhere."""
        samples, count = self._samples[stage], self._counts[stage]
        samples[count % len(samples)] = seconds
        self._counts[stage] = count + 1
        self._sum[stage] += seconds

    def latest(self, stage: Stage) -> float:
        """The newest sample of `stage` in seconds; 0 before the first."""
        samples = self._samples[stage]
        return float(samples[(self._counts[stage] - 1) % len(samples)])

    def total(self, stage: Stage) -> float:
        """All seconds that were ever spent in `stage`."""
        return self._sum[stage]

    def samples(self, stage: Stage) -> NDArray[np.float64]:
        """The latest samples of `stage` in seconds, in no order."""
        samples = self._samples[stage]
        return samples[: min(self._counts[stage], len(samples))].copy()

    def percentiles(self, stage: Stage) -> tuple[float, float, float] | None:
        """p50, p95 and p99 in milliseconds, or None before the first sample."""
        samples = self.samples(stage)
        if not len(samples):
            return None
        p50, p95, p99 = np.percentile(samples, (50, 95, 99)) * 1e3
        return float(p50), float(p95), float(p99)
