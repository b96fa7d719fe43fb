"""Who is beside a place, and what may be a shadow."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.analysis.blobs import Blob, PixelBox, blobs
from edge_runtime.analysis.bystanders import Bystanders
from edge_runtime.tracks import Box, Track, TrackState

SHAPE = 180, 320
ASPECT = 16 / 9
STANDS: Box = (0.4, 0.3, 0.5, 0.8)
"""90 pixels high; the feet are at row 144."""
AT_THE_FEET: PixelBox = (158, 136, 190, 148)


def somebody(box: Box = STANDS) -> Track:
    return Track(1, "person", box, 0.8, TrackState.CONFIRMED, 0.0, 0.0)


def watched(*looks: tuple[float, tuple[Track, ...]]) -> Bystanders:
    """Who was there when."""
    people = Bystanders(SHAPE, ASPECT)
    for now, tracks in looks:
        people.step(tracks, now)
    return people


def thing(box: PixelBox = AT_THE_FEET) -> Blob:
    x1, y1, x2, y2 = box
    mask = np.zeros(SHAPE, np.bool_)
    mask[y1:y2, x1:x2] = True
    (blob,) = blobs(mask, 1, mask.size)
    return blob


@pytest.mark.parametrize(
    ("box", "may_be"),
    [
        (AT_THE_FEET, True),
        ((158, 118, 190, 148), False),
        ((158, 100, 190, 112), False),
        ((200, 136, 232, 148), False),
    ],
    ids=["flat, at the feet", "too high", "at the hip", "a step away"],
)
def test_only_what_lies_flat_at_somebodys_feet_may_be_a_shadow(box: PixelBox, may_be: bool) -> None:
    assert watched((0.0, (somebody(),))).casts(box) == may_be


def test_who_has_left_over_the_edge_casts_none() -> None:
    leaves: Box = (0.0, 0.3, 0.1, 0.8)
    at_its_feet = (20, 136, 40, 148)
    assert watched((0.0, (somebody(leaves),))).casts(at_its_feet)
    assert not watched((0.0, (somebody(leaves),)), (1.0, ())).casts(at_its_feet)


def test_who_was_lost_in_place_is_there_until_the_place_is_empty() -> None:
    people = watched((0.0, (somebody(),)), (1.0, ()))
    everywhere, nowhere = np.ones(SHAPE, np.bool_), np.zeros(SHAPE, np.bool_)
    people.forget_those_gone(everywhere, everywhere)
    assert people.stays_beside(thing().spread(SHAPE))
    people.forget_those_gone(everywhere, nowhere)
    assert not people.stays_beside(thing().spread(SHAPE))


@pytest.mark.parametrize(
    ("since", "may_be"), [(-3.0, False), (-0.5, True), (3.0, True), (6.5, True), (8.0, False)]
)
def test_who_came_later_or_left_before_has_put_nothing_down(since: float, may_be: bool) -> None:
    leaves: Box = (0.9, 0.3, 1.0, 0.8)
    looks = [(seconds, (somebody(),)) for seconds in np.arange(0, 5.01, 0.25).tolist()]
    people = watched(*looks, (5.25, (somebody(leaves),)), (5.5, ()))
    assert people.was_beside(thing(), since) == may_be


def test_a_body_where_somebody_was_lost_is_that_one_and_a_bag_at_the_feet_is_none() -> None:
    people = watched((0.0, (somebody(),)), (1.0, ()))
    assert people.is_one((130, 56, 158, 144))
    assert not people.is_one(AT_THE_FEET)
