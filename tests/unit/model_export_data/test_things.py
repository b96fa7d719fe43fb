"""Parts of pictures around things, without anybody in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_export.datasets.coco import Box, BoxedPicture, BoxedPictures
from model_export.datasets.sightings import Sighting
from model_export.datasets.things import Thing, things

CHAIR = (200.0, 100.0, 260.0, 180.0)


def pictures(*boxes: Box, count: int = 1) -> BoxedPictures:
    every = (
        BoxedPicture(n, Path(f"{n}.jpg"), 320, 240, boxes if n == 0 else ()) for n in range(count)
    )
    return BoxedPictures(("person",), tuple(every))


def sighting(
    corners: tuple[float, float, float, float] = CHAIR,
    label: str = "chair",
    score: float = 0.5,
    *,
    enlarged: bool = False,
) -> Sighting:
    return Sighting(label, score, corners, enlarged)


def found(data: BoxedPictures, *seen: Sighting, most: int = 9, seed: int = 0) -> tuple[Thing, ...]:
    return things(data, {picture.path.name: seen for picture in data.pictures}, most, seed)


def holds(thing: Thing, corners: tuple[float, float, float, float]) -> bool:
    left, top, right, bottom = corners
    return (
        thing.left <= left and thing.top <= top and thing.right >= right and thing.bottom >= bottom
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_part_holds_the_thing_and_lies_in_the_picture(seed: int) -> None:
    (thing,) = found(pictures(), sighting(), seed=seed)
    assert thing.label == "chair"
    assert holds(thing, CHAIR)
    assert 0 <= thing.left < thing.right <= 320
    assert 0 <= thing.top < thing.bottom <= 240
    assert (thing.right - thing.left) * (thing.bottom - thing.top) > 3 * 60 * 80


@pytest.mark.parametrize("seed", range(5))
def test_it_is_as_large_as_leaves_out_who_stands_beside_it(seed: int) -> None:
    (alone,) = found(pictures(), sighting(), seed=seed)
    (beside,) = found(pictures(Box(280, 60, 40, 160, 0)), sighting(), seed=seed)
    shared = max(0, min(beside.right, 320) - 280) * (beside.bottom - beside.top)
    assert shared <= 0.011 * (beside.right - beside.left) * (beside.bottom - beside.top)
    assert beside.right - beside.left <= alone.right - alone.left
    assert holds(beside, CHAIR)


def test_what_somebody_sits_on_is_left_out() -> None:
    assert not found(pictures(Box(210, 60, 40, 100, 0)), sighting())
    assert not found(pictures(), sighting(), sighting((210, 60, 250, 160), "person", 0.31))
    assert not found(pictures(Box(210, 60, 40, 100, 0, crowd=True)), sighting())


def test_what_is_small_or_doubtful_is_none() -> None:
    assert not found(pictures(), sighting((10, 10, 30, 35)))
    assert not found(pictures(), sighting(score=0.29))
    assert not found(pictures(), sighting(score=0.49, enlarged=True))
    assert found(pictures(), sighting(score=0.51, enlarged=True))


def test_one_thing_that_is_seen_twice_is_one() -> None:
    again = sighting((202, 102, 262, 180), "bench", 0.45, enlarged=False)
    assert [thing.label for thing in found(pictures(), sighting(), again)] == ["chair"]


def test_of_a_kind_there_are_only_so_many() -> None:
    data = pictures(count=20)
    dog = sighting((20, 20, 90, 90), "dog")
    few = found(data, sighting(), dog, most=3)
    assert sorted(thing.label for thing in few) == ["chair"] * 3 + ["dog"] * 3
    order = [thing.picture.id for thing in few]
    assert order == sorted(order)
    assert few == found(data, sighting(), dog, most=3)
    assert not things(data, {}, 3, 0)


def test_it_is_read_out_of_its_picture(tmp_path: Path) -> None:
    import cv2

    image = np.zeros((240, 320, 3), np.uint8)
    image[100:180, 200:260] = (10, 200, 30)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    picture = BoxedPicture(1, tmp_path / "a.png", 320, 240, ())
    part = Thing(picture, "chair", 200, 100, 260, 180).read()
    assert part.shape == (80, 60, 3)
    assert (part == (10, 200, 30)).all()
