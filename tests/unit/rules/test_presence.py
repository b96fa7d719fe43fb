from __future__ import annotations

from datetime import time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edge_runtime.alerts.alert import Alert, AlertState
from edge_runtime.analysis.zones import Zone
from edge_runtime.rules.incidents import Incidents, Timing
from edge_runtime.rules.presence import presence
from edge_runtime.rules.schedule import Schedule
from edge_runtime.rules.watch import Watch
from edge_runtime.scene import Scene
from edge_runtime.tracks import Track, TrackState

RIGHT_HALF = Zone("atm", ((0.5, 0), (1, 0), (1, 1), (0.5, 1)))
MIDNIGHT = 1_795_392_000.0  # 2026-11-23T00:00:00Z, a Monday
LABELS = frozenset({"person"})


def rule_with(seconds: float = 1.0, grace: float = 0.7, **changes: Any) -> Incidents:
    return presence(Watch("presence", "cam", LABELS, **changes), Timing(seconds, grace))


def person(
    track: int = 1,
    x: float = 0.6,
    state: TrackState = TrackState.CONFIRMED,
    label: str = "person",
    score: float = 0.8,
) -> Track:
    return Track(track, label, (x, 0.2, x + 0.1, 0.9), score, state, 0.0, 0.0)


def play(rule: Incidents, *parts: tuple[float, tuple[Track, ...]], start: float = 0) -> list[Alert]:
    """Ten scenes a second; each part is (seconds, the tracks that are there)."""
    alerts: list[Alert] = []
    tick = round(start * 10)
    for seconds, tracks in parts:
        for _ in range(round(seconds * 10)):
            alerts += rule.step(Scene(tick / 10, MIDNIGHT + tick / 10, tracks))
            tick += 1
    return alerts


def test_a_presence_is_told_with_the_moments_of_arrival_and_last_sighting() -> None:
    started, ended = play(rule_with(seconds=1.0, grace=0.7), (2, ()), (5, (person(),)), (3, ()))
    assert started.state is AlertState.STARTED
    assert started.timestamp == 2.0
    assert started.decided_after == pytest.approx(1.0)
    assert started.wall_time == MIDNIGHT + 2.0
    assert (started.label, started.track, started.score) == ("person", 1, 0.8)
    assert ended.state is AlertState.ENDED
    assert ended.timestamp == pytest.approx(6.9)
    assert ended.decided_after == pytest.approx(0.8)
    assert ended.duration == pytest.approx(4.9)
    assert ended.reason is None


def test_both_alerts_name_one_incident_and_the_next_presence_another() -> None:
    alerts = play(rule_with(), (3, (person(),)), (2, ()), (3, (person(2),)), (2, ()))
    first, first_end, second, second_end = (a.incident for a in alerts)
    assert first == first_end != second == second_end


def test_who_only_passes_is_not_told() -> None:
    assert play(rule_with(seconds=1.0), (0.9, (person(),)), (5, ())) == []


def test_two_who_pass_one_after_the_other_are_not_one_who_stays() -> None:
    rule = rule_with(seconds=1.0)
    assert play(rule, (0.7, (person(1),)), (0.7, (person(2),)), (3, ())) == []


def test_who_stands_outside_the_zone_is_not_told() -> None:
    rule = rule_with(zone=RIGHT_HALF)
    assert play(rule, (5, (person(x=0.2),))) == []
    alerts = play(rule, (5, (person(x=0.7),)), start=5)
    assert [(a.state, a.zone) for a in alerts] == [(AlertState.STARTED, "atm")]


def test_leaving_the_zone_ends_the_presence_although_the_person_is_still_seen() -> None:
    alerts = play(rule_with(zone=RIGHT_HALF), (3, (person(x=0.7),)), (3, (person(x=0.2),)))
    assert [a.state for a in alerts] == [AlertState.STARTED, AlertState.ENDED]
    assert alerts[1].timestamp == pytest.approx(2.9)


def test_other_classes_do_not_count() -> None:
    assert play(rule_with(), (5, (person(label="dog"),))) == []


def test_a_short_absence_is_bridged() -> None:
    rule = rule_with(grace=0.7)
    alerts = play(rule, (3, (person(),)), (0.5, ()), (3, (person(),)))
    assert [a.state for a in alerts] == [AlertState.STARTED]


def test_a_lost_track_is_an_absence() -> None:
    lost = person(state=TrackState.LOST)
    alerts = play(rule_with(grace=0.7), (3, (person(),)), (1, (lost,)))
    assert [a.state for a in alerts] == [AlertState.STARTED, AlertState.ENDED]
    assert alerts[1].timestamp == pytest.approx(2.9)


def test_what_is_only_suspected_starts_nothing() -> None:
    assert play(rule_with(), (5, (person(state=TrackState.TENTATIVE),))) == []


def test_a_presence_goes_on_while_anybody_is_there() -> None:
    rule = rule_with()
    alerts = play(rule, (2, (person(1),)), (1, (person(1), person(2))), (3, (person(2),)), (2, ()))
    assert [a.state for a in alerts] == [AlertState.STARTED, AlertState.ENDED]
    assert alerts[1].duration == pytest.approx(5.9)


def test_nothing_starts_while_the_rule_cools_down() -> None:
    rule = rule_with(cooldown=10.0)
    alerts = play(rule, (2, (person(),)), (2, ()), (3, (person(2),)), (2, ()), (9, (person(3),)))
    starts = [a.timestamp for a in alerts if a.state is AlertState.STARTED]
    assert starts == [0.0, 9.0]


def test_who_stays_beyond_the_cool_down_is_told_with_the_moment_of_arrival() -> None:
    rule = rule_with(cooldown=5.0)
    alerts = play(rule, (2, (person(),)), (2, ()), (9, (person(2),)))
    assert [(a.state, a.timestamp) for a in alerts][2] == (AlertState.STARTED, 4.0)


def test_outside_its_hours_the_rule_is_silent_and_the_end_of_the_hours_ends_a_presence() -> None:
    hours = Schedule(frozenset({0}), time(0, 0, 10), time(0, 0, 20), ZoneInfo("UTC"))
    alerts = play(rule_with(schedule=hours), (30, (person(),)))
    assert [(a.state, a.timestamp, a.reason) for a in alerts] == [
        (AlertState.STARTED, 10.0, None),
        (AlertState.ENDED, 19.9, "schedule"),
    ]


def test_the_end_of_the_camera_ends_a_presence_and_says_so() -> None:
    rule = rule_with()
    play(rule, (3, (person(),)))
    (ended,) = rule.finish(Scene(3.0, MIDNIGHT + 3.0, ()), "camera ended")
    assert (ended.state, ended.reason) == (AlertState.ENDED, "camera ended")
    assert ended.duration == pytest.approx(2.9)
    assert rule.finish(Scene(3.0, MIDNIGHT + 3.0, ()), "camera ended") == []


def test_the_alert_carries_the_best_score_of_the_incident() -> None:
    rule = rule_with()
    alerts = play(rule, (2, (person(score=0.6),)), (1, (person(score=0.95),)), (2, ()))
    assert [a.score for a in alerts] == [0.6, 0.95]


@pytest.mark.parametrize("bad", [{"seconds": -1.0}, {"grace": -0.1}, {"cooldown": -5.0}])
def test_negative_durations_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="negative"):
        rule_with(**bad)


def test_a_rule_without_a_class_is_refused() -> None:
    with pytest.raises(ValueError, match="no class"):
        Watch("presence", "cam", frozenset())
