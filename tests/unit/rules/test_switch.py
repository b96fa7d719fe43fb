from __future__ import annotations

from edge_runtime.rules.incidents import Timing
from edge_runtime.rules.presence import presence
from edge_runtime.rules.switch import SWITCHED_OFF, Rests, Switched
from edge_runtime.scene import Scene
from tests.unit.rules.acting import MIDNIGHT, Stage, person, watch


def switched(rests: Rests) -> Switched:
    return Switched(lambda: presence(watch(), Timing(1.0, 0.7)), lambda: rests.until("cam", "rule"))


def test_a_rule_that_begins_to_rest_ends_what_is_open_and_says_why() -> None:
    rests = Rests()
    stage = Stage(switched(rests)).show(2, person())
    rests.rest("cam", "rule", MIDNIGHT + 10)
    stage.show(5, person())
    assert stage.states == ["started", "ended"]
    assert stage.told[1].reason == SWITCHED_OFF


def test_after_its_rest_a_rule_begins_as_if_it_were_new() -> None:
    """What it saw before and during the rest does not count."""
    rests = Rests()
    rests.rest("cam", "rule", MIDNIGHT + 5)
    stage = Stage(switched(rests)).show(8, person())
    assert stage.states == ["started"]
    assert stage.told[0].timestamp == 5.0
    assert stage.told[0].decided_after == 1.0


def test_a_rest_that_is_taken_back_is_over_at_once() -> None:
    rests = Rests()
    rests.rest("cam", "rule", MIDNIGHT + 500)
    stage = Stage(switched(rests)).show(2, person())
    rests.rest("cam", "rule", 0.0)
    assert stage.show(2, person()).states == ["started"]


def test_the_end_of_the_camera_ends_nothing_of_a_rule_that_rests() -> None:
    rests = Rests()
    rests.rest("cam", "rule", MIDNIGHT + 5)
    stage = Stage(switched(rests)).show(2, person())
    assert stage.rule.finish(Scene(2.0, MIDNIGHT + 2, ()), "stopped") == []


def test_rests_are_told_until_they_are_over_by_camera_and_rule() -> None:
    rests = Rests()
    rests.rest("hall", "crowd", 20.0)
    rests.rest("atm", "crowd", 30.0)
    rests.rest("atm", "presence", 10.0)
    assert list(rests.at(15.0)) == [("atm", "crowd", 30.0), ("hall", "crowd", 20.0)]
    assert rests.until("hall", "presence") == 0.0
