"""What came has an outline in the picture of now, what went had one before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_runtime.analysis.blobs import part_of
from edge_runtime.analysis.outlines import Judgement, Picture, Verdict, judge

SIZE = (60, 80)
BOX = (25, 20, 40, 40)


def picture(level: float, seed: int) -> NDArray[np.float32]:
    """A floor, or a thing, with a grain of its own."""
    grain = np.random.default_rng(seed).normal(0, 6, SIZE)
    return np.repeat((level + grain).astype(np.float32)[..., None], 3, axis=2)


def with_bag(floor: NDArray[np.float32]) -> NDArray[np.float32]:
    shown = floor.copy()
    shown[part_of(BOX)] = picture(90, 2)[part_of(BOX)]
    return shown


def judged(now: NDArray[np.float32], before: NDArray[np.float32]) -> Judgement:
    own = np.ones(SIZE, np.bool_)[part_of(BOX)]
    pictures = (Picture(each.mean(axis=2), each) for each in (now, before))
    return judge(*pictures, BOX, own, noise=0.4, visited=True)


def test_what_came_and_what_went_are_told_apart() -> None:
    floor = picture(150, 1)
    assert judged(with_bag(floor), floor).verdict is Verdict.APPEARED
    assert judged(floor, with_bag(floor)).verdict is Verdict.VANISHED
