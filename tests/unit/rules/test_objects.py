"""Whose a thing is, and whether somebody attends to it."""

from __future__ import annotations

from dataclasses import replace

from edge_runtime.analysis.zones import Zone
from edge_runtime.rules.incidents import Timing
from edge_runtime.rules.objects import LEFT, REMOVED, objects
from edge_runtime.scene import Change, StillObject
from tests.unit.rules.acting import LOST, Stage, person, watch

BAG = StillObject(1, Change.APPEARED, (0.3, 0.75, 0.36, 0.88), 0.0, 0.9)
GAP = StillObject(2, Change.VANISHED, (0.3, 0.75, 0.36, 0.88), 0.0, 0.9)
TIMING = Timing(5.0, 1.0)


def after_somebody(kind: str, zone: Zone | None = None) -> Stage:
    """Somebody was there a moment ago, and walks on."""
    stage = Stage(objects(watch(zone=zone), kind, TIMING)).show(0.5, person(1, 0.4))
    return stage.show(0.5, person(1, 0.95))


def test_a_thing_that_somebody_left_is_told_after_its_time() -> None:
    stage = after_somebody(LEFT).show(7, still=[BAG])
    assert stage.states == ["started"]
    assert stage.told[0].decided_after == 5.0
    assert stage.told[0].boxes == (BAG.box,)


def test_what_appears_where_nobody_was_seen_is_not_told() -> None:
    assert Stage(objects(watch(), LEFT, TIMING)).show(9, still=[BAG]).told == []


def test_what_somebody_leaves_who_passed_undetected_is_told() -> None:
    stage = Stage(objects(watch(), LEFT, TIMING)).show(0.5, passers=(person(-1, 0.4),))
    stage.show(0.5, passers=(person(-1, 0.95),))
    assert stage.show(7, still=[BAG]).states == ["started"]


def test_who_stays_beside_it_undetected_attends_to_it() -> None:
    stage = Stage(objects(watch(), LEFT, TIMING))
    assert stage.show(9, still=[BAG], passers=(person(-1, 0.4),)).told == []


def test_what_nobody_could_carry_is_not_told() -> None:
    car = replace(BAG, box=(0.1, 0.5, 0.9, 0.88))
    assert after_somebody(LEFT).show(9, still=[car]).told == []


def test_what_is_above_the_shoulders_of_all_is_out_of_reach() -> None:
    screen = replace(BAG, box=(0.38, 0.05, 0.45, 0.3))
    assert after_somebody(LEFT).show(9, still=[screen]).told == []


def test_nothing_is_told_while_people_hide_it_and_it_may_be_gone() -> None:
    stage = after_somebody(LEFT).show(1, still=[BAG])
    assert stage.show(9, still=[replace(BAG, hidden=True)]).told == []
    assert stage.show(1, still=[BAG]).states == ["started"]


def test_an_owner_whom_the_detector_lost_and_who_stands_there_still_attends() -> None:
    stage = Stage(objects(watch(), LEFT, TIMING)).show(3, person(1, 0.4), still=[BAG])
    assert stage.show(9, still=[replace(BAG, company=True)]).told == []
    assert stage.show(6, still=[BAG]).states == ["started"]


def test_who_stood_there_owns_it_and_not_who_passed_at_that_moment() -> None:
    stage = Stage(objects(watch(), LEFT, TIMING))
    bag = replace(BAG, since=1.0)
    stage.show(0.8, person(1, 0.42)).show(0.3, person(1, 0.42), person(2, 0.33))
    stage.show(1, person(1, 0.42), person(2, 0.95))
    assert stage.show(9, person(1, 0.42), still=[bag]).told == []


def test_a_thing_beside_its_owner_is_attended_also_while_the_owner_is_lost() -> None:
    stage = Stage(objects(watch(), LEFT, TIMING)).show(10, person(1, 0.4), still=[BAG])
    assert stage.show(2, person(1, 0.4, LOST), still=[BAG]).told == []


def test_the_time_counts_from_when_the_owner_has_gone() -> None:
    stage = Stage(objects(watch(), LEFT, TIMING)).show(10, person(1, 0.4), still=[BAG])
    stage.show(4.9, person(1, 0.95), still=[BAG])
    assert stage.told == []
    assert stage.show(1, still=[BAG]).told[0].timestamp == 10.0


def test_who_only_passes_by_does_not_attend_to_it() -> None:
    stage = Stage(objects(watch(), LEFT, TIMING)).show(1, person(1, 0.4), still=[BAG])
    stage.show(1, person(1, 0.95), still=[BAG])
    stage.show(5, person(2, 0.4), still=[BAG])
    assert stage.states == ["started"]


def test_an_owner_whose_track_breaks_off_beside_it_and_goes_on_by_another_number_attends() -> None:
    stage = Stage(objects(watch(), LEFT, TIMING)).show(3, person(1, 0.4), still=[BAG])
    assert stage.show(9, person(5, 0.42), still=[BAG]).told == []


def test_a_thing_that_is_taken_away_ends_its_incident() -> None:
    stage = after_somebody(LEFT).show(7, still=[BAG]).show(2)
    assert stage.states == ["started", "ended"]


def test_left_and_removed_are_about_different_changes() -> None:
    assert after_somebody(REMOVED).show(7, still=[BAG]).told == []
    assert after_somebody(LEFT).show(7, still=[GAP]).told == []
    assert after_somebody(REMOVED).show(7, still=[GAP]).states == ["started"]


def test_a_thing_outside_the_zone_does_not_count() -> None:
    right = Zone("right", ((0.5, 0), (1, 0), (1, 1), (0.5, 1)))
    assert after_somebody(LEFT, right).show(7, still=[BAG]).told == []
