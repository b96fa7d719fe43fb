from __future__ import annotations

import numpy as np

from edge_runtime.analysis.region import Region, merged, shifted, uncut
from edge_runtime.detections import Detections
from edge_runtime.tracks import Box

SIZE = (640, 360)
REGION = Region(200, 100, 120)


def found(*rows: tuple[Box, float], class_id: int = 0) -> Detections:
    boxes = np.array([box for box, _ in rows], np.float32).reshape(-1, 4)
    scores = np.array([score for _, score in rows], np.float32)
    return Detections(boxes, scores, np.full(len(rows), class_id, np.int32), ("person", "car"))


def placed(near: Detections, region: Region) -> Detections:
    """Whole objects that were seen in `region`, in pixels of the frame."""
    return uncut(shifted(near, region), region, SIZE)


def boxes(detections: Detections) -> list[list[float]]:
    return sorted(detections.boxes.round().tolist())


def test_a_cut_is_a_view_of_the_frame() -> None:
    image = np.zeros((360, 640, 3), np.uint8)
    part = REGION.cut(image)
    assert part.shape == (120, 120, 3)
    assert np.shares_memory(part, image)


def test_what_is_seen_in_the_region_is_placed_into_the_frame() -> None:
    near = placed(found(((40, 20, 70, 90), 0.8)), REGION)
    assert boxes(near) == [[240, 120, 270, 190]]


def test_what_its_border_cuts_off_is_shifted_all_the_same() -> None:
    assert boxes(shifted(found(((0, 20, 30, 90), 0.8)), REGION)) == [[200, 120, 230, 190]]


def test_what_the_border_of_the_region_cuts_off_does_not_count() -> None:
    cut = [(0, 20, 30, 90), (40, 0, 70, 60), (95, 20, 120, 90), (40, 60, 70, 120)]
    near = placed(found(*((box, 0.8) for box in cut), ((40, 20, 70, 90), 0.7)), REGION)
    assert boxes(near) == [[240, 120, 270, 190]]


def test_the_border_of_the_frame_cuts_off_nothing() -> None:
    corner = Region(640 - 120, 360 - 120, 120)
    near = placed(found(((90, 50, 120, 120), 0.8), ((0, 20, 30, 90), 0.8)), corner)
    assert boxes(near) == [[610, 290, 640, 360]]


def test_who_is_seen_twice_is_there_once_as_he_was_seen_closer() -> None:
    whole, near = found(((238, 118, 275, 195), 0.4)), found(((240, 120, 270, 190), 0.8))
    both = merged(whole, near, REGION)
    assert boxes(both) == [[240, 120, 270, 190]]
    assert both.scores.tolist() == [np.float32(0.8)]


def test_one_box_around_two_gives_way_to_theirs() -> None:
    near = found(((240, 120, 265, 190), 0.8), ((268, 121, 290, 190), 0.7))
    assert boxes(merged(found(((238, 118, 292, 192), 0.6)), near, REGION)) == boxes(near)


def test_a_part_of_somebody_larger_than_the_region_does_not_count() -> None:
    whole = found(((180, 20, 330, 350), 0.9))
    assert boxes(merged(whole, found(((220, 130, 290, 210), 0.6)), REGION)) == boxes(whole)


def test_who_is_elsewhere_or_of_another_class_stays() -> None:
    whole = found(((10, 10, 60, 150), 0.9), ((400, 100, 440, 200), 0.6))
    near = found(((240, 120, 270, 190), 0.8), class_id=1)
    both = merged(found(((238, 118, 275, 195), 0.4)), near, REGION)
    assert len(both) == 2
    assert len(merged(whole, near, REGION)) == 3


def test_the_surest_comes_first() -> None:
    whole, near = found(((10, 10, 60, 150), 0.6)), found(((240, 120, 270, 190), 0.8))
    assert merged(whole, near, REGION).scores.tolist() == [np.float32(0.8), np.float32(0.6)]


def test_a_look_that_sees_nobody_takes_nobody_away() -> None:
    whole = found(((238, 118, 275, 195), 0.4))
    assert merged(whole, Detections.none(("person", "car")), REGION) is whole
