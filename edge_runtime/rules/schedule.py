"""When a rule is on: weekdays and hours in the branch's own time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Schedule:
    """Weekly hours.

    Attributes:
        days: weekdays on which the hours begin, 0 is Monday. Hours that cross midnight belong to
            the day on which they began.
        start: the first moment that counts.
        end: the first that does not; not after `start` means on the next day, and equal to it
            means all 24 hours.
        zone: the time zone of the branch.
        outside: True turns it round: the rule is on outside of these hours.
    """

    days: frozenset[int]
    start: time
    end: time
    zone: ZoneInfo
    outside: bool = False

    def active(self, wall_time: float) -> bool:
        """Whether the rule is on at `wall_time` (Unix seconds)."""
        return self._within(wall_time) != self.outside

    def _within(self, wall_time: float) -> bool:
        moment = datetime.fromtimestamp(wall_time, self.zone)
        today, clock = moment.weekday(), moment.time()
        if self.start < self.end:
            return today in self.days and self.start <= clock < self.end
        if clock >= self.start:
            return today in self.days
        return clock < self.end and (today - 1) % 7 in self.days
