"""Rules about how many there are, how long, and how they are."""

from __future__ import annotations

from datetime import time
from zoneinfo import ZoneInfo

import pytest

from edge_runtime.analysis.zones import Zone
from edge_runtime.rules.covered_face import covered_face
from edge_runtime.rules.crowd import SECOND_PERSON, crowd
from edge_runtime.rules.incidents import OUT_OF_HOURS, Timing
from edge_runtime.rules.loitering import loitering
from edge_runtime.rules.person_down import person_down
from edge_runtime.rules.presence import INTRUSION, presence
from edge_runtime.rules.queue import queue
from edge_runtime.rules.schedule import Schedule
from edge_runtime.scene import Face
from tests.unit.rules.acting import LOST, Stage, person, watch

LEFT_HALF = Zone("left", ((0, 0), (0.5, 0), (0.5, 1), (0, 1)))


# Loitering


def test_each_who_loiters_is_an_incident_with_a_time_of_its_own() -> None:
    stage = Stage(loitering(watch(), Timing(5.0, 2.0)))
    stage.show(3, person(1, 0.2)).show(9, person(1, 0.2), person(2, 0.8))
    assert [(a.track, a.timestamp) for a in stage.told] == [(1, 0.0), (2, 3.0)]
    assert len({a.incident for a in stage.told}) == 2


def test_loitering_goes_on_with_another_track_where_the_first_broke_off() -> None:
    stage = Stage(loitering(watch(), Timing(5.0, 2.0))).show(3, person(1))
    stage.show(1).show(3, person(2, 0.62, since=4.0))
    assert [a.timestamp for a in stage.told] == [0.0]


def test_loitering_goes_on_with_the_second_box_on_one_body() -> None:
    """The first track is lost while the second, born beside it, stays."""
    stage = Stage(loitering(watch(), Timing(5.0, 2.0)))
    stage.show(2, person(1, wide=0.3), person(2, wide=0.15))
    stage.show(4, person(1, state=LOST, wide=0.3), person(2, wide=0.15))
    assert [(a.timestamp, str(a.state)) for a in stage.told] == [(0.0, "started")]


def test_who_appears_elsewhere_is_another_one() -> None:
    stage = Stage(loitering(watch(), Timing(5.0, 2.0))).show(3, person(1, 0.2))
    assert stage.show(1).show(4, person(2, 0.8, since=4.0)).told == []


def test_a_walk_out_of_the_zone_within_the_grace_does_not_begin_anew() -> None:
    rule = loitering(watch(zone=LEFT_HALF), Timing(5.0, 2.0))
    stage = Stage(rule).show(3, person(1, 0.3)).show(1.5, person(1, 0.7)).show(2, person(1, 0.3))
    assert [a.timestamp for a in stage.told] == [0.0]


def test_a_walk_out_of_the_zone_beyond_the_grace_begins_anew() -> None:
    rule = loitering(watch(zone=LEFT_HALF), Timing(5.0, 2.0))
    stage = Stage(rule).show(3, person(1, 0.3)).show(3, person(1, 0.7)).show(4, person(1, 0.3))
    assert stage.told == []


# Crowds and queues


def test_a_second_person_is_told_from_the_moment_at_which_both_were_there() -> None:
    stage = Stage(crowd(watch(), 2, Timing(2.0, 1.0), kind=SECOND_PERSON))
    stage.show(3, person(1, 0.2)).show(4, person(1, 0.2), person(2, 0.5)).show(3, person(2, 0.5))
    assert [(str(a.state), a.timestamp) for a in stage.told] == [
        ("started", 3.0), ("ended", pytest.approx(6.9))
    ]  # fmt: skip
    assert len(stage.told[0].boxes) == 2


def test_two_boxes_on_one_body_are_one_person() -> None:
    rule = crowd(watch(), 2, Timing(2.0, 1.0), kind=SECOND_PERSON)
    assert Stage(rule).show(6, person(1, wide=0.3), person(2, 0.58, wide=0.18)).told == []


def test_a_child_in_front_of_a_grown_up_is_a_second_person() -> None:
    rule = crowd(watch(), 2, Timing(2.0, 1.0), kind=SECOND_PERSON)
    stage = Stage(rule).show(6, person(1, wide=0.3), person(2, wide=0.12, tall=0.35))
    assert stage.states == ["started"]


def test_a_crowd_may_change_its_people_and_is_told_again_when_it_grows() -> None:
    stage = Stage(crowd(watch(), 2, Timing(1.0, 1.0)))
    stage.show(2, person(1, 0.1), person(2, 0.4)).show(2, person(3, 0.6), person(2, 0.4))
    stage.show(1, person(1, 0.1), person(2, 0.4), person(3, 0.8))
    assert stage.states == ["started", "updated"]


def test_a_lost_track_does_not_make_a_crowd() -> None:
    rule = crowd(watch(), 2, Timing(1.0, 0.5))
    assert Stage(rule).show(5, person(1, 0.2), person(2, 0.7, LOST)).told == []


def test_a_crowd_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 is needed"):
        crowd(watch(), 0)
    with pytest.raises(ValueError, match="at least 1 is needed"):
        queue(watch(), 0)


def test_a_queue_counts_only_who_has_waited() -> None:
    stage = Stage(queue(watch(), 2, Timing(5.0, 1.0)))
    stage.show(6, person(1, 0.2)).show(4.9, person(1, 0.2), person(2, 0.5))
    assert stage.told == []
    assert stage.show(1, person(1, 0.2), person(2, 0.5)).states == ["started"]


def test_who_is_out_of_sight_for_less_than_the_grace_keeps_the_place_in_the_queue() -> None:
    stage = Stage(queue(watch(), 1, Timing(5.0, 1.0)))
    stage.show(4, person()).show(0.8).show(1, person())
    assert stage.states == ["started"]
    other = Stage(queue(watch(), 1, Timing(5.0, 1.0))).show(4, person()).show(1.5).show(2, person())
    assert other.told == []


# Hours


def test_an_intrusion_that_lasts_into_the_open_hours_ends_with_them() -> None:
    hours = Schedule(frozenset(range(7)), time(0, 1), time(18, 0), ZoneInfo("UTC"), outside=True)
    rule = presence(watch(schedule=hours), Timing(1.0, 0.7), kind=INTRUSION)
    stage = Stage(rule).show(70, person())
    assert stage.states == ["started", "ended"]
    assert stage.told[1].reason == OUT_OF_HOURS
    assert stage.told[0].rule == INTRUSION


# Faces


@pytest.mark.parametrize(
    ("face", "mask_allowed", "told"),
    [
        (Face(False, None, 0.0), False, True),
        (Face(True, 0.9, 0.0), False, True),
        (Face(True, 0.9, 0.0), True, False),
        (Face(True, 0.3, 0.0), False, False),
        (Face(None, 0.9, 0.0), False, True),
        (Face(None, None, 0.0), False, False),
    ],
)
def test_a_face_is_hidden_where_none_is_found_or_the_classifier_says_so(
    face: Face, mask_allowed: bool, told: bool
) -> None:
    rule = covered_face(watch(), 0.7, Timing(2.0, 1.0), mask_allowed=mask_allowed)
    assert bool(Stage(rule).show(4, person(), faces={1: face}).told) == told


def test_who_shows_a_face_now_and_then_does_not_hide_it() -> None:
    stage = Stage(covered_face(watch(), 0.7, Timing(3.0, 0.5), mask_allowed=False))
    for _ in range(5):
        stage.show(2, person(), faces={1: Face(False, None, 0.0)})
        stage.show(1, person(), faces={1: Face(True, None, 0.0)})
    assert stage.told == []


def test_nobody_is_accused_whose_head_was_not_looked_at() -> None:
    rule = covered_face(watch(), 0.7, Timing(2.0, 1.0), mask_allowed=False)
    assert Stage(rule).show(6, person()).told == []


# Who lies


def test_somebody_who_falls_to_the_side_and_stays_is_told() -> None:
    stage = Stage(person_down(watch(), Timing(4.0, 1.5))).show(3, person())
    stage.show(7, person(wide=0.35, tall=0.2))
    assert stage.states == ["started"]
    assert stage.told[0].timestamp == pytest.approx(4.0, abs=0.2)  # once it has kept still


def test_somebody_who_collapses_where_he_stood_is_told_although_the_box_is_not_wide() -> None:
    stage = Stage(person_down(watch(), Timing(4.0, 1.5))).show(3, person())
    assert stage.show(7, person(wide=0.14, tall=0.3)).states == ["started"]


def test_who_crouches_for_a_moment_is_not_down() -> None:
    stage = Stage(person_down(watch(), Timing(4.0, 1.5))).show(3, person())
    assert stage.show(3, person(tall=0.3)).show(5, person()).told == []


def test_who_is_cut_off_by_the_edge_of_the_picture_is_not_down() -> None:
    stage = Stage(person_down(watch(), Timing(4.0, 1.5))).show(3, person(foot=1.0))
    assert stage.show(9, person(foot=1.0, wide=0.4, tall=0.2)).told == []


def test_who_walks_away_from_the_camera_and_becomes_small_is_not_down() -> None:
    stage = Stage(person_down(watch(), Timing(2.0, 1.0)))
    for step in range(80):
        stage.show(0.1, person(foot=0.95 - 0.005 * step, tall=0.7 - 0.006 * step))
    assert stage.show(5, person(foot=0.55, tall=0.22)).told == []
