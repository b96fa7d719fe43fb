"""Numbers as ranges of neighbours: pairs of the first and the last, in their order, apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Span = tuple[int, int]
"""The first number and the last one; both belong to it."""


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same numbers in as few ranges as there can be."""
    made: list[Span] = []
    for first, last in sorted(spans):
        if made and first <= made[-1][1] + 1:
            made[-1] = made[-1][0], max(made[-1][1], last)
        else:
            made.append((first, last))
    return made


def gaps(spans: Sequence[Span], first: int, last: int) -> list[Span]:
    """The numbers from `first` to `last` that are in none of `spans`, which are as `merged`."""
    made: list[Span] = []
    for begin, end in spans:
        if begin > first:
            made.append((first, min(begin - 1, last)))
        first = max(first, end + 1)
        if first > last:
            return made
    return [*made, (first, last)]
