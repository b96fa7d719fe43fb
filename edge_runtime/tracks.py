"""An object followed over time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 as fractions of the picture's width and height, 0..1."""


class TrackState(StrEnum):
    """The life of a track."""

    TENTATIVE = "tentative"
    """Seen, but not yet often enough to be believed."""
    CONFIRMED = "confirmed"
    """Seen by the latest run of the detector."""
    LOST = "lost"
    """Believed, but not seen by the latest run of the detector."""
    ENDED = "ended"
    """Given up. Told once, and apart from those that are still followed."""


@dataclass(frozen=True, slots=True)
class Track:
    """What is known of one object after a frame.

    Attributes:
        id: rises from 1 for each camera; never used again while the process lives.
        label: the object's class.
        box: where it was seen last, in 0..1 of the picture.
        score: the detector's latest score for it, 0..1.
        state: see `TrackState`.
        first_seen: seconds on the frame's clock.
        last_seen: seconds on the frame's clock; while the motion gate rests the detector, what
            does not move counts as seen.
        velocity: of the box's middle, across and down, in widths and heights of the picture a
            second.
    """

    id: int
    label: str
    box: Box
    score: float
    state: TrackState
    first_seen: float
    last_seen: float
    velocity: tuple[float, float] = (0.0, 0.0)

    @property
    def foot(self) -> tuple[float, float]:
        """Where the object touches the ground: the middle of the box's lower edge, 0..1."""
        x1, _, x2, y2 = self.box
        return (x1 + x2) / 2, y2
