"""How somebody moves: with a speed that is kept for a while, and forgotten over the seconds.

A Kalman filter for one coordinate, with the speed an Ornstein-Uhlenbeck process (Uhlenbeck and
Ornstein, Physical Review 36, 1930): unlike a speed that never changes, it says by itself that
somebody who is out of sight for long is probably not as far along as a straight line says. Its
equations are solved exactly for any interval, so that dropped frames and pauses change nothing.

Lengths are in heights of the picture, times in seconds; the noise is given for an object of size 1,
and grows with the object's own: what is nearer is larger, and faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

SPEED = 0.8
"""Standard deviation of a speed, in the object's own size a second."""
MEMORY = 6.0
"""Seconds for which a speed is kept."""


@dataclass(frozen=True, slots=True)
class Step:
    """What an interval does to any object; made once a frame.

    Attributes:
        keeps: the share of the speed that is left, 0..1.
        reach: how far a speed of 1 carries.
        spread: variance that the place gains, for an object of size 1.
        both: covariance of place and speed that is gained.
        stir: variance that the speed gains.
    """

    keeps: float
    reach: float
    spread: float
    both: float
    stir: float

    @classmethod
    def over(cls, seconds: float) -> Step:
        """The step over an interval of `seconds`, >= 0."""
        part = seconds / MEMORY
        keeps = exp(-part)
        variance = SPEED * SPEED
        return cls(
            keeps=keeps,
            reach=MEMORY * (1 - keeps),
            spread=max(variance * MEMORY * MEMORY * (2 * part - 3 + keeps * (4 - keeps)), 0.0),
            both=variance * MEMORY * (1 - keeps) ** 2,
            stir=variance * (1 - keeps * keeps),
        )


@dataclass(slots=True)
class Coordinate:
    """Where something is along one axis, how fast it moves, and how sure both are."""

    place: float
    speed: float
    place_variance: float
    covariance: float
    speed_variance: float

    @classmethod
    def first(cls, place: float, variance: float, scale: float) -> Coordinate:
        """Seen once, at `place` with `variance`; `scale` is the object's size squared."""
        return cls(place, 0.0, variance, 0.0, SPEED * SPEED * scale)

    def predict(self, step: Step, scale: float) -> None:
        """Time passes; `scale` is the object's size squared."""
        reach, keeps = step.reach, step.keeps
        covariance, speed_variance = self.covariance, self.speed_variance
        self.place += reach * self.speed
        self.speed *= keeps
        self.place_variance += (
            reach * (2 * covariance + reach * speed_variance) + step.spread * scale
        )
        self.covariance = keeps * (covariance + reach * speed_variance) + step.both * scale
        self.speed_variance = keeps * keeps * speed_variance + step.stir * scale

    def correct(self, seen: float, variance: float) -> None:
        """It is seen at `seen`, with `variance`."""
        total = self.place_variance + variance
        gain, speed_gain = self.place_variance / total, self.covariance / total
        surprise = seen - self.place
        self.place += gain * surprise
        self.speed += speed_gain * surprise
        self.speed_variance -= speed_gain * self.covariance
        self.covariance *= 1 - gain
        self.place_variance *= 1 - gain

    def move(self, seen: float, variance: float) -> None:
        """It is at `seen`, for a reason that says nothing of its speed."""
        self.place, self.place_variance, self.covariance = seen, variance, 0.0

    def stop(self, scale: float) -> None:
        """It is known to stand, and may walk off in any direction; `scale` as above."""
        self.speed = self.covariance = 0.0
        self.speed_variance = SPEED * SPEED * scale
