"""How tall people are where: learned from boxes."""

from __future__ import annotations

import pytest

from edge_runtime.analysis.stature import Stature
from tests.unit.rules.acting import LOST, person


def test_nobody_was_seen_then_anything_may_be_carried() -> None:
    assert Stature().at(0.5) == float("inf")


def test_who_stands_further_away_is_smaller() -> None:
    stature = Stature()
    for step in range(200):
        foot = 0.5 + 0.4 * (step % 20) / 19
        stature.learn([person(1, foot=foot, tall=0.2 + 0.6 * (foot - 0.5))])
    assert stature.at(0.9) == pytest.approx(0.44, abs=0.04)
    assert stature.at(0.6) == pytest.approx(0.26, abs=0.04)


def test_one_who_stood_at_one_place_only_tells_the_height_everywhere() -> None:
    stature = Stature()
    for _ in range(50):
        stature.learn([person(1, foot=0.8, tall=0.4)])
    assert stature.at(0.4) == pytest.approx(0.4, abs=0.01)


def test_who_is_cut_off_or_lost_does_not_count() -> None:
    stature = Stature()
    stature.learn([person(1, foot=1.0, tall=0.5), person(2, foot=0.8, tall=0.3, state=LOST)])
    assert stature.at(0.8) == float("inf")
