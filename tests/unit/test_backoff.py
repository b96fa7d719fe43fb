"""How far apart the boards come back that lost one broker in one instant."""

from __future__ import annotations

import random
from collections import Counter
from itertools import accumulate, islice

import pytest

from edge_runtime.backoff import Backoff
from edge_runtime.messaging.publisher import RECONNECT

BOARDS = 1000


def test_a_wait_is_drawn_below_a_ceiling_that_doubles() -> None:
    dice = random.Random(1)
    for jitter in (0.5, 1.0):
        waits = list(islice(Backoff(1.0, 8.0, jitter).delays(dice), 6))
        ceilings = [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
        assert all(
            (1 - jitter) * top <= wait <= top for wait, top in zip(waits, ceilings, strict=True)
        )


def test_a_thousand_boards_do_not_come_in_one_second() -> None:
    dice = random.Random(1)
    seconds: Counter[int] = Counter()
    for _ in range(BOARDS):
        tries = accumulate(islice(RECONNECT.delays(dice), 8))
        seconds.update(int(moment) for moment in tries)
    assert max(seconds.values()) < BOARDS / 2


@pytest.mark.parametrize("wrong", [(0.0, 1.0), (2.0, 1.0), (1.0, 2.0, 0.0), (1.0, 2.0, 1.1)])
def test_what_makes_no_sense_is_refused(wrong: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="asked for"):
        Backoff(*wrong)
