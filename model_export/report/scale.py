"""Shares as small bars on one scale."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """An interval and the value in it, in hundredths of the scale's length."""

    low: float
    value: float
    high: float


@dataclass(frozen=True, slots=True)
class Scale:
    """From a share to a share, both 0..1, the first less than the second."""

    least: float
    most: float

    @classmethod
    def over(cls, shares: Iterable[float | None]) -> Scale:
        """The scale in whole tenths that has room for all; the whole one where there are none."""
        known = [share for share in shares if share is not None]
        if not known:
            return cls(0.0, 1.0)
        # What is a tenth but for its last bit is one.
        least = math.floor(round(10 * min(known), 6)) / 10
        most = math.ceil(round(10 * max(known), 6)) / 10
        return cls(least, most) if least < most else cls(max(0.0, least - 0.1), least or 0.1)

    def bar(self, low: float | None, value: float | None, high: float | None) -> Bar | None:
        """An interval on the scale; None where there is none."""
        if low is None or value is None or high is None:
            return None
        return Bar(*(round(self._at(share), 1) for share in (low, value, high)))

    def _at(self, share: float) -> float:
        return 100 * (share - self.least) / (self.most - self.least)

    def __str__(self) -> str:
        return f"{100 * self.least:.0f}% to {100 * self.most:.0f}%"
