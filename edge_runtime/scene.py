"""What a rule is shown: one camera at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from edge_runtime.tracks import Box, Track


@dataclass(frozen=True, slots=True)
class Face:
    """What the latest look at a tracked person's head said.

    Attributes:
        seen: whether a face was found there; None where nobody looked for one.
        covered: how sure a classifier is that the face is covered, 0..1; None where none was
            asked.
        at: seconds on the frame's clock at which the picture was taken that was looked at.
    """

    seen: bool | None
    covered: float | None
    at: float


class Change(StrEnum):
    """In which way something that keeps still differs from the empty scene."""

    APPEARED = "appeared"
    """There is something that was not there before."""
    VANISHED = "vanished"
    """Something that was there before is missing."""


@dataclass(frozen=True, slots=True)
class StillObject:
    """A place that has changed, and stays as it now is.

    Attributes:
        id: rises from 1 for each camera; never used again while the process lives.
        change: whether something came or went.
        box: where, in 0..1 of the picture.
        since: seconds on the frame's clock since when it has kept still.
        sure: how sure the comparison is of `change`, 0..1.
        company: whether somebody still stands beside it whom the detector has lost.
        hidden: whether people hide it, so that nobody knows whether it is still so.
    """

    id: int
    change: Change
    box: Box
    since: float
    sure: float
    company: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """What is known of one camera after one frame.

    Attributes:
        timestamp: seconds on the frame's clock; durations are counted on it.
        wall_time: Unix seconds at the same moment, for schedules and labels only.
        tracks: tentative, confirmed and lost ones.
        still: what keeps still and was not there before, or is missing; empty where no rule asks.
        faces: by the id of the track; only tracks whose head was looked at.
        aspect: the picture's width by its height in pixels, to compare lengths across with
            lengths down.
        passers: who passes through undetected, as what moves there tells; ids below 0; empty where
            no rule asks.
    """

    timestamp: float
    wall_time: float
    tracks: tuple[Track, ...]
    still: tuple[StillObject, ...] = ()
    faces: Mapping[int, Face] = field(default_factory=dict)
    aspect: float = 16 / 9
    passers: tuple[Track, ...] = ()
