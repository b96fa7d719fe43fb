from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo

import pytest

from edge_runtime.rules.schedule import Schedule

BERLIN = ZoneInfo("Europe/Berlin")
WORKDAYS = frozenset(range(5))


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("moment", "active"),
    [
        ("2026-11-23T08:59:59", False),  # a Monday
        ("2026-11-23T09:00:00", True),
        ("2026-11-23T16:59:59", True),
        ("2026-11-23T17:00:00", False),
        ("2026-11-28T12:00:00", False),  # a Saturday
    ],
)
def test_hours_within_a_day(moment: str, active: bool) -> None:
    schedule = Schedule(WORKDAYS, time(9), time(17), BERLIN)
    assert schedule.active(at(moment)) is active


@pytest.mark.parametrize(
    ("moment", "active"),
    [
        ("2026-11-27T22:00:00", True),  # Friday night ...
        ("2026-11-28T05:59:59", True),  # ... ends on Saturday morning
        ("2026-11-28T06:00:00", False),
        ("2026-11-28T22:00:00", False),  # no night begins on Saturday
        ("2026-11-30T05:00:00", False),  # and none on Sunday
    ],
)
def test_hours_that_cross_midnight_belong_to_the_day_on_which_they_began(
    moment: str, active: bool
) -> None:
    schedule = Schedule(WORKDAYS, time(22), time(6), BERLIN)
    assert schedule.active(at(moment)) is active


def test_equal_hours_are_the_whole_day() -> None:
    schedule = Schedule(frozenset({0}), time(0), time(0), BERLIN)
    assert schedule.active(at("2026-11-23T00:00:00"))
    assert schedule.active(at("2026-11-23T23:59:59"))
    assert not schedule.active(at("2026-11-24T00:00:00"))


def test_the_hours_follow_the_change_to_summer_time() -> None:
    schedule = Schedule(frozenset(range(7)), time(9), time(17), BERLIN)
    utc = ZoneInfo("UTC")
    assert not schedule.active(at("2026-03-28T07:30:00", utc))  # 08:30 in winter
    assert schedule.active(at("2026-03-30T07:30:00", utc))  # 09:30 in summer
