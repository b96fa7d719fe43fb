"""How sure a figure is: the pictures are drawn again, with replacement, and counted again.

Intervals are 95% percentile bootstraps. Where near-duplicates are grouped, whole groups are drawn.
A share of none or of all is the same in each draw, and not as sure as that looks: its interval is
the exact one of a binomial share (Clopper and Pearson 1934), of as many as can be drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DRAWS = 1000

_LEAST, _GREATEST = 2.5, 97.5
_TELLING = 100
"""So many draws tell groups apart."""

Counts = NDArray[np.float64]
"""How often each of N pictures counts in each of D draws: D x N."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Between which values a figure is with 95% confidence."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of pictures or boxes, 0..1, and between which values it is with 95% confidence.

    Attributes:
        value: the share; None: there is nothing that it could be a share of.
        low, high: the ends of the interval; None with it.
        of: how many pictures or boxes it is a share of.
    """

    value: float | None
    low: float | None
    high: float | None
    of: int


def draws(groups: NDArray[np.int64], seed: int, count: int = DRAWS) -> Counts:
    """`count` draws of pictures that are of these groups."""
    numbers, of_group = np.unique(groups, return_inverse=True)
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(len(numbers), np.full(len(numbers), 1 / len(numbers)), size=count)
    return drawn[:, of_group].astype(np.float64)


def share(hits: NDArray[Any], among: NDArray[Any], drawn: Counts) -> Rate:
    """How many of what is counted are hits.

    Args:
        hits, among: for each of N pictures how many there are, hits being some of `among`.
        drawn: D x N.
    """
    of = int(among.sum())
    if not of:
        return Rate(None, None, None, 0)
    value = float(hits.sum() / of)
    if value in (0.0, 1.0):
        # Groups are drawn as one: their columns are the same.
        independent = np.unique(drawn[:_TELLING, among > 0], axis=1).shape[1]
        missing = float(1 - (_LEAST / 100) ** (1 / independent))
        return Rate(value, *((1 - missing, 1.0) if value else (0.0, missing)), of)
    each = drawn @ among
    ends = interval((drawn @ hits)[each > 0] / each[each > 0])
    return Rate(value, ends.low, ends.high, of)


def interval(values: NDArray[np.float64]) -> Interval:
    """The ends of what a figure came to in each draw."""
    low, high = np.percentile(values, (_LEAST, _GREATEST))
    return Interval(float(low), float(high))


def intervals(values: NDArray[np.float64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The lower and the upper ends for G figures: `values` is D x G."""
    low, high = np.percentile(values, (_LEAST, _GREATEST), axis=0)
    return tuple(map(float, low)), tuple(map(float, high))
