from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.ranges import Span, gaps, merged

numbers = st.integers(1, 40)
spans = st.lists(st.tuples(numbers, numbers).map(lambda pair: (min(pair), max(pair))))


def held(ranges: list[Span]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


@given(spans)
def test_ranges_are_merged_into_the_same_numbers_apart_and_in_order(ranges: list[Span]) -> None:
    made = merged(ranges)
    assert held(made) == held(ranges)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(made))


@given(spans, numbers, numbers)
def test_gaps_are_all_that_is_in_no_range(ranges: list[Span], first: int, last: int) -> None:
    made = gaps(merged(ranges), first, last)
    assert held(made) == set(range(first, last + 1)) - held(ranges)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(made))
