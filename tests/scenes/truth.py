"""What a scene is, and the truth that it comes with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edge_runtime.frame import Frame, Image
from edge_runtime.scoring.events import Event

Frames = Iterable[tuple[float, Image]]
"""Pictures (H x W x 3 uint8 BGR) and their timestamps, in seconds, rising."""


Truth = Event
"""One event that a scene has in it: `start` is when it has come to its full onset, `end` when it
begins to be over; what is there to the end of the frames has the end that was asked for."""

Made = tuple[Frames, tuple[Truth, ...]]
Scene = Callable[[Frames], Made]
"""Changes frames, lazily, and says what is now to be seen in them; empty: nothing is."""


@dataclass(frozen=True, slots=True)
class Span:
    """When something is there: grows from `begin` to `full`, stays until `end`, goes at once.

    Attributes:
        begin: seconds at which it begins.
        full: seconds from which it is wholly there.
        end: seconds at which it begins to go.
        fade: seconds that it takes to go.
    """

    begin: float
    full: float
    end: float
    fade: float = 0.5

    def __post_init__(self) -> None:
        if not self.begin <= self.full < self.end or self.fade < 0:
            raise ValueError(f"a span begins, is full, ends: not {self}")

    def amount(self, now: float) -> float:
        """How much of it is there at `now`, 0..1."""
        if now < self.begin or now >= self.end + self.fade:
            return 0.0
        if now < self.full:
            return (now - self.begin) / (self.full - self.begin)
        return 1.0 if now < self.end else 1.0 - (now - self.end) / self.fade


def chained(*scenes: Scene) -> Scene:
    """One scene after another on the same frames, with the truth of them all."""

    def scene(frames: Frames) -> Made:
        truths: tuple[Truth, ...] = ()
        for each in scenes:
            frames, more = each(frames)
            truths += more
        return frames, truths

    return scene


def as_frames(frames: Frames) -> Iterable[Frame]:
    """The same as the pipeline takes them; wall time begins at 0."""
    return (Frame(image, now, now, number) for number, (now, image) in enumerate(frames))
