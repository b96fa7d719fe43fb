"""Whose a thing is, and whether somebody attends to it."""

from __future__ import annotations

from edge_runtime.analysis.zones import Zone
from edge_runtime.rules.incidents import Timing
from edge_runtime.rules.objects import LEFT, REMOVED, objects
from edge_runtime.scene import Change, StillObject
from tests.unit.rules.acting import LOST, Stage, person, watch

BAG = StillObject(1, Change.APPEARED, (0.3, 0.75, 0.36, 0.88), 0.0, 0.9)
GAP = StillObject(2, Change.VANISHED, (0.3, 0.75, 0.36, 0.88), 0.0, 0.9)
TIMING = Timing(5.0, 1.0)


def test_a_thing_without_anybody_is_told_after_its_time() -> None:
    stage = Stage(objects(watch(), LEFT, TIMING)).show(7, still=[BAG])
    assert stage.states == ["started"]
    assert stage.told[0].decided_after == 5.0
    assert stage.told[0].boxes == (BAG.box,)


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
    stage = Stage(objects(watch(), LEFT, TIMING)).show(7, still=[BAG]).show(2)
    assert stage.states == ["started", "ended"]


def test_left_and_removed_are_about_different_changes() -> None:
    assert Stage(objects(watch(), REMOVED, TIMING)).show(7, still=[BAG]).told == []
    assert Stage(objects(watch(), LEFT, TIMING)).show(7, still=[GAP]).told == []
    assert Stage(objects(watch(), REMOVED, TIMING)).show(7, still=[GAP]).states == ["started"]


def test_a_thing_outside_the_zone_does_not_count() -> None:
    right = Zone("right", ((0.5, 0), (1, 0), (1, 1), (0.5, 1)))
    assert Stage(objects(watch(zone=right), LEFT, TIMING)).show(7, still=[BAG]).told == []
