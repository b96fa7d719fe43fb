"""How far a chain of alerts is held without a gap: what may be acknowledged, and what is asked for.

Pure: what is stored comes in, and a new standing or the gaps come out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from edge_runtime.alerts.chain import BEGINNING


class Reason(StrEnum):
    """Why alerts that are not there are waited for no longer."""

    DROPPED = "dropped"
    """The device told that it gave them up."""
    MISSING = "missing"
    """The device was asked for them, and has them no more."""
    ACCEPTED = "accepted"
    """A person accepted that they are not there, or that the chain is broken there."""


@dataclass(frozen=True, slots=True)
class Link:
    """What of a stored alert matters to its chain: its own hash, and that of the one before."""

    previous: str | None
    hash: str | None


@dataclass(frozen=True, slots=True)
class Gone:
    """Adjacent alerts that are waited for no longer.

    Attributes:
        first, last: their numbers.
        reason: why.
        previous: the hash of the alert before the first; None where nobody told.
        hash: that of the last one.
    """

    first: int
    last: int
    reason: Reason
    previous: str | None = None
    hash: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last:
            raise ValueError(f"the range from {self.first} to {self.last} runs backwards")


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a chain is held.

    Attributes:
        sequence: each alert up to this one is stored, or is known to be gone.
        hash: that of this one; None where it is not known, which it is not of a missing one.
        broken: whether the next one is there, but does not follow this one.
    """

    sequence: int = 0
    hash: str | None = BEGINNING
    broken: bool = False


def advanced(standing: Standing, links: Mapping[int, Link], gone: Iterable[Gone]) -> Standing:
    """As far as `standing` gets with what is there.

    Args:
        standing: from where.
        links: stored alerts by their numbers; those behind the next gap do not matter.
        gone: all ranges that reach beyond `standing`.
    """
    ranges = sorted(gone, key=lambda each: each.first)
    number, known = standing.sequence, standing.hash
    while True:
        link = links.get(number + 1)
        cover = _cover(ranges, number + 1)
        accepted = cover is not None and cover.reason is Reason.ACCEPTED
        if link is not None:
            if not accepted and _contradicts(known, link.previous):
                return Standing(number, known, broken=True)
            number, known = number + 1, link.hash
        elif cover is not None:
            if not accepted and cover.first == number + 1 and _contradicts(known, cover.previous):
                return Standing(number, known, broken=True)
            number = min([cover.last, *(n - 1 for n in links if number < n - 1 < cover.last)])
            known = cover.hash if number == cover.last else None
        else:
            return Standing(number, known)


def gaps(standing: Standing, numbers: Sequence[int], gone: Iterable[Gone]) -> list[tuple[int, int]]:
    """The ranges (first and last) that are neither stored nor gone, each before something that is.

    Args:
        standing: up to there nothing is asked.
        numbers: those of the stored alerts beyond it, rising.
        gone: all ranges that reach beyond it.
    """
    there = sorted([*((n, n) for n in numbers), *((each.first, each.last) for each in gone)])
    found = []
    reached = standing.sequence
    for first, last in there:
        if first > reached + 1:
            found.append((reached + 1, first - 1))
        reached = max(reached, last)
    return found


def _cover(ranges: Sequence[Gone], number: int) -> Gone | None:
    """The range around `number` that reaches furthest; one that was accepted before any other."""
    around = [each for each in ranges if each.first <= number <= each.last]
    return max(around, key=lambda each: (each.reason is Reason.ACCEPTED, each.last), default=None)


def _contradicts(known: str | None, told: str | None) -> bool:
    return None not in (known, told) and known != told
