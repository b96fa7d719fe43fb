"""What a rule is shown: one camera at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from edge_runtime.tracks import Track


@dataclass(frozen=True, slots=True)
class Scene:
    """The tracked objects of one camera after one frame.

    Attributes:
        timestamp: seconds on the frame's clock; durations are counted on it.
        wall_time: Unix seconds at the same moment, for schedules and labels only.
        tracks: tentative, confirmed and lost ones.
    """

    timestamp: float
    wall_time: float
    tracks: tuple[Track, ...]
