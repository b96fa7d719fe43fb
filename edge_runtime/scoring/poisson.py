"""How exactly a rate is known of which only some events were counted."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma, log, sqrt

_STEPS = 100
"""Halvings of the search: more than a float has digits."""


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`."""

    low: float
    high: float


def rate_interval(count: int, exposure: float, confidence: float = 0.95) -> Interval:
    """The exact interval of a Poisson rate (Garwood, Biometrika 28, 1936).

    Args:
        count: how many were counted, >= 0.
        exposure: over how much, in hours for example; > 0.
        confidence: how often such an interval has the true rate in it, in (0, 1).
    """
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else _mean_where(count - 1, 1 - tail)
    return Interval(low / exposure, _mean_where(count, tail) / exposure)


def _mean_where(count: int, probability: float) -> float:
    """The mean with which no more than `count` are seen with `probability`."""
    low, high = 0.0, count + 20 + 10 * sqrt(count)
    for _ in range(_STEPS):
        mean = (low + high) / 2
        if _at_most(count, mean) > probability:
            low = mean
        else:
            high = mean
    return (low + high) / 2


def _at_most(count: int, mean: float) -> float:
    """The probability that a Poisson variable of `mean` is no larger than `count`."""
    if mean == 0:
        return 1.0
    return sum(exp(k * log(mean) - mean - lgamma(k + 1)) for k in range(count + 1))
