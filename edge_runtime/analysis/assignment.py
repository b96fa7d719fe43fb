"""Which row goes with which column so that the sum of their gains is the largest.

The Hungarian method in its form with potentials (Kuhn 1955, Munkres 1957), in plain Python: for
the few objects of a camera it is done before an array would be made, and it needs no scipy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf

Pair = tuple[int, int]
"""A row and a column."""


def assign(gains: dict[Pair, float]) -> list[Pair]:
    """The pairs with the largest sum of gains, each row and each column once at most.

    Args:
        gains: what a pair is worth, > 0, for the pairs that are possible at all; nobody is forced
            into a pair.

    Returns:
        The chosen pairs, rising.
    """
    chosen: list[Pair] = []
    for part in _parts(gains):
        if len(part) == 1:
            chosen += part
        else:
            chosen += _best(part, gains)
    return sorted(chosen)


def _parts(pairs: Iterable[Pair]) -> list[list[Pair]]:
    """The pairs, apart where they have neither a row nor a column in common."""
    parts: list[tuple[set[int], set[int], list[Pair]]] = []
    for row, column in pairs:
        rows, columns, inside = {row}, {column}, [(row, column)]
        apart = []
        for part in parts:
            if row in part[0] or column in part[1]:
                rows |= part[0]
                columns |= part[1]
                inside += part[2]
            else:
                apart.append(part)
        parts = [*apart, (rows, columns, inside)]
    return [inside for _, _, inside in parts]


def _best(pairs: Sequence[Pair], gains: dict[Pair, float]) -> list[Pair]:
    """The same for pairs that belong together, by a table of costs.

    Each row has a column of its own, at no gain, in which it remains alone.
    """
    rows = sorted({row for row, _ in pairs})
    columns = sorted({column for _, column in pairs})
    place = {column: at for at, column in enumerate(columns)}
    costs = [[0.0] * (len(columns) + len(rows)) for _ in rows]
    at_row = {row: at for at, row in enumerate(rows)}
    for row, column in pairs:
        costs[at_row[row]][place[column]] = -gains[row, column]
    matched = _hungarian(costs)
    return [
        (row, columns[to])
        for row, to in zip(rows, matched, strict=True)
        if to < len(columns) and (row, columns[to]) in gains
    ]


def _hungarian(costs: Sequence[Sequence[float]]) -> list[int]:
    """For each row the column of the cheapest assignment; no fewer columns than rows."""
    height, width = len(costs), len(costs[0])
    row_potential = [0.0] * height
    column_potential = [0.0] * (width + 1)
    row_of = [-1] * (width + 1)  # the last column is that from which a search begins
    for row in range(height):
        row_of[width] = row
        column = width
        least = [inf] * width
        came_from = [width] * width
        visited = [False] * (width + 1)
        while row_of[column] >= 0:
            visited[column] = True
            here = row_of[column]
            line, base = costs[here], row_potential[here]
            step, next_column = inf, width
            for other in range(width):
                if visited[other]:
                    continue
                reduced = line[other] - base - column_potential[other]
                if reduced < least[other]:
                    least[other], came_from[other] = reduced, column
                if least[other] < step:
                    step, next_column = least[other], other
            for other in range(width + 1):
                if visited[other]:
                    row_potential[row_of[other]] += step
                    column_potential[other] -= step
                elif other < width:
                    least[other] -= step
            column = next_column
        while column != width:
            row_of[column] = row_of[came_from[column]]
            column = came_from[column]
        row_of[width] = -1
    matched = [0] * height
    for column, row in enumerate(row_of[:width]):
        if row >= 0:
            matched[row] = column
    return matched
