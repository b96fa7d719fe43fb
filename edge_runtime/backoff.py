"""How long to wait before trying again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with jitter, without an end.

    The ceiling doubles from `first` to `longest` seconds, and each wait is drawn from the upper
    part of what lies below it. With a `jitter` of 1 that is all of it ("full jitter"), which
    spreads the boards that lost one broker in one instant as far as can be; what nobody else
    shares, as a camera, has no need of that, and is tried at steadier intervals.

    Attributes:
        first: the first ceiling, in seconds.
        longest: the highest ceiling, in seconds.
        jitter: how much of the ceiling is left to chance, above 0 and up to 1.
    """

    first: float = 0.5
    longest: float = 30.0
    jitter: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.first <= self.longest:
            raise ValueError(f"0 < first <= longest is asked for, not {self.first}, {self.longest}")
        if not 0 < self.jitter <= 1:
            raise ValueError(f"a jitter above 0 and up to 1 is asked for, not {self.jitter}")

    def delays(self, rng: random.Random | None = None) -> Iterator[float]:
        """The waits in seconds, one after another, forever."""
        draw = (rng or random.Random()).uniform
        ceiling = self.first
        while True:
            yield draw(ceiling * (1 - self.jitter), ceiling)
            ceiling = min(ceiling * 2, self.longest)
