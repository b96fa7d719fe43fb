from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from edge_runtime.analysis.assignment import Pair, assign


def best_of_all(gains: dict[Pair, float], rows: int, columns: int) -> float:
    """The largest sum that there is, by trying everything."""
    return max(
        sum(gains.get((row, to), 0.0) for row, to in enumerate(way))
        for way in permutations(range(columns + rows), rows)
    )


@pytest.mark.parametrize("seed", range(60))
def test_no_other_assignment_is_worth_more(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(1, 5), rng.integers(1, 5)
    gains = {
        (row, column): float(rng.uniform(0.1, 5))
        for row in range(rows)
        for column in range(columns)
        if rng.random() < 0.7
    }
    chosen = assign(gains)
    assert len({row for row, _ in chosen}) == len({column for _, column in chosen}) == len(chosen)
    assert sum(gains[pair] for pair in chosen) == pytest.approx(
        best_of_all(gains, int(rows), int(columns))
    )


def test_a_pair_that_is_second_best_for_both_is_taken_where_the_sum_is_larger() -> None:
    """A greedy choice takes 5 first, and is left with 1."""
    assert assign({(0, 0): 5.0, (0, 1): 4.0, (1, 0): 4.0, (1, 1): 1.0}) == [(0, 1), (1, 0)]


def test_where_nothing_is_possible_nothing_is_chosen() -> None:
    assert assign({}) == []
