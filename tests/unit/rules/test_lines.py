"""Rules about a line: who crosses it, which way, and who follows."""

from __future__ import annotations

import pytest

from edge_runtime.analysis.lines import Line
from edge_runtime.rules.crossings import Ways
from edge_runtime.rules.line_crossing import WRONG_WAY, line_crossing
from edge_runtime.rules.tailgating import tailgating
from tests.unit.rules.acting import LOST, Stage, person, watch

DOOR = Line("door", (0.5, 1.0), (0.5, 0.5))
"""Who walks to the right comes in."""


@pytest.mark.parametrize(
    ("ways", "begin", "end", "told"),
    [
        (Ways.IN, 0.3, 0.7, True),
        (Ways.IN, 0.7, 0.3, False),
        (Ways.OUT, 0.7, 0.3, True),
        (Ways.BOTH, 0.7, 0.3, True),
    ],
)
def test_a_crossing_is_told_in_the_directions_that_count(
    ways: Ways, begin: float, end: float, told: bool
) -> None:
    stage = Stage(line_crossing(watch(), DOOR, ways)).walk(2, begin, end)
    assert stage.states == (["started", "ended"] if told else [])


def test_who_stands_on_the_line_and_trembles_has_not_crossed_it() -> None:
    stage = Stage(line_crossing(watch(), DOOR, Ways.BOTH)).show(1, person(x=0.45))
    for _ in range(20):
        stage.show(0.1, person(x=0.495)).show(0.1, person(x=0.507))
    assert stage.told == []


def test_who_walks_past_the_end_of_the_line_has_not_crossed_it() -> None:
    stage = Stage(line_crossing(watch(), DOOR, Ways.BOTH))
    stage.show(1, person(x=0.3, foot=0.4, tall=0.3)).show(1, person(x=0.7, foot=0.4, tall=0.3))
    assert stage.told == []


def test_who_was_lost_on_the_line_has_crossed_it_when_seen_on_the_other_side() -> None:
    stage = Stage(line_crossing(watch(), DOOR, Ways.IN)).show(1, person(x=0.4))
    stage.show(1, person(x=0.5, state=LOST)).show(1, person(x=0.6))
    assert stage.states == ["started", "ended"]


def test_the_wrong_way_is_a_crossing_by_another_name() -> None:
    stage = Stage(line_crossing(watch(), DOOR, Ways.OUT, kind=WRONG_WAY)).walk(2, 0.7, 0.3)
    assert {alert.rule for alert in stage.told} == {WRONG_WAY}


def test_two_who_cross_in_one_moment_are_two_incidents() -> None:
    stage = Stage(line_crossing(watch(), DOOR, Ways.IN))
    stage.show(1, person(1, 0.4), person(2, 0.45, foot=0.8)).show(
        1, person(1, 0.6), person(2, 0.55, foot=0.8)
    )
    assert len({alert.incident for alert in stage.told}) == 2


def test_nothing_is_told_while_the_rule_cools_down() -> None:
    stage = Stage(line_crossing(watch(cooldown=10.0), DOOR, Ways.IN))
    stage.walk(2, 0.3, 0.7, 1).walk(2, 0.3, 0.7, 2)
    assert stage.states == ["started", "ended"]


def test_who_follows_closely_tailgates_and_the_alert_lasts_from_the_first_to_the_second() -> None:
    stage = Stage(tailgating(watch(), DOOR, Ways.IN, 3.0)).walk(2, 0.3, 0.7, 1)
    stage.walk(2, 0.3, 0.7, 2)
    assert [(a.track, a.duration) for a in stage.told if a.state == "ended"] == [
        (2, pytest.approx(2.0, abs=0.2))
    ]


@pytest.mark.parametrize(
    ("pause", "second", "begin", "end"),
    [(2.0, 2, 0.3, 0.7), (0.0, 2, 0.7, 0.3), (0.0, 1, 0.3, 0.7)],
    ids=["too late", "the other direction", "the same one again"],
)
def test_this_is_no_tailgating(pause: float, second: int, begin: float, end: float) -> None:
    stage = Stage(tailgating(watch(), DOOR, Ways.IN, 3.0)).walk(2, 0.3, 0.7, 1)
    assert stage.show(pause).walk(2, begin, end, second).told == []
