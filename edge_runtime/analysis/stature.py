"""How tall people are at each height of the picture: as a camera that looks down sees them.

On a floor that is level, the height of a person's box grows evenly with how low the feet are. The
line is fitted to all who were seen as a whole (as Hoiem, Efros and Hebert, "Putting objects in
perspective", 2008, relate size and place).
"""

from __future__ import annotations

from collections.abc import Iterable

from edge_runtime.tracks import Track, TrackState

_EDGE = 0.01
"""Who is so near to the edge of the picture may be cut off."""
_STEADY = 0.03**2
"""The variance of feet (heights of the picture, squared) from which on the slope counts half."""
_LEAST = 0.4
"""Nobody is thought smaller than by this part of the mean: a thing may stand on a table."""
_MEMORY = 2000.0
"""So many boxes are remembered, about."""


class Stature:
    """Learns from boxes."""

    def __init__(self) -> None:
        self._weight = 0.0
        self._foot = self._tall = 0.0
        self._spread = self._common = 0.0

    def learn(self, people: Iterable[Track]) -> None:
        """Take in the boxes of those who are seen as a whole."""
        for person in people:
            _, y1, _, y2 = person.box
            if person.state is not TrackState.CONFIRMED or y1 <= _EDGE or y2 >= 1 - _EDGE:
                continue
            self._weight = min(self._weight + 1, _MEMORY)
            share = 1 / self._weight
            foot, tall = y2 - self._foot, y2 - y1 - self._tall
            self._foot += share * foot
            self._tall += share * tall
            self._spread += share * ((1 - share) * foot * foot - self._spread)
            self._common += share * ((1 - share) * foot * tall - self._common)

    def at(self, foot: float) -> float:
        """How tall somebody is whose feet are at `foot`, both in 0..1; infinite at first."""
        if not self._weight:
            return float("inf")
        slope = max(self._common / (self._spread + _STEADY), 0.0)
        return max(self._tall + slope * (foot - self._foot), _LEAST * self._tall)
