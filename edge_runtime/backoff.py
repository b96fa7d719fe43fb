"""How long to wait before trying again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with jitter, without an end.

    The wait doubles from `first` to `longest` seconds, and each is drawn from the upper half of
    its range, so that a thousand boards that lost one broker do not return in one instant.
    """

    first: float = 0.5
    longest: float = 30.0

    def __post_init__(self) -> None:
        if not 0 < self.first <= self.longest:
            raise ValueError(f"0 < first <= longest is asked for, not {self.first}, {self.longest}")

    def delays(self, rng: random.Random | None = None) -> Iterator[float]:
        """The waits in seconds, one after another, forever."""
        draw = (rng or random.Random()).uniform
        ceiling = self.first
        while True:
            yield draw(ceiling / 2, ceiling)
            ceiling = min(ceiling * 2, self.longest)
