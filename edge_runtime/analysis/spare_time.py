"""Whether there is time to spare for what the camera can do without.

Frames are numbered as they arrive. Where numbers are missing, the analysis was too slow for them;
then what is not needed is given up for a while, for longer each time it was taken up too early.
"""

from __future__ import annotations

from math import exp

from edge_runtime.frame import Frame

_LATELY = 2.0
"""Seconds after which a dropped frame is all but forgotten."""
_TOO_MANY = 2.0
"""Frames dropped lately; a single one may be chance."""
_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 300.0
"""Seconds."""


class SpareTime:
    """Watches one camera's frames.

    Attributes:
        missing: how many frames were dropped just before the latest.
    """

    def __init__(self) -> None:
        self.missing = 0
        self._number: int | None = None
        self._before = 0.0
        self._dropped = 0.0
        self._resumes = float("-inf")
        self._pause = _FIRST_PAUSE

    def step(self, frame: Frame) -> bool:
        """Whether there is time to spare at `frame`; to be asked of every frame."""
        now = frame.timestamp
        if self._number is not None:
            self._dropped *= exp((self._before - now) / _LATELY)
            self.missing = max(frame.number - self._number - 1, 0)
            self._dropped += self.missing
        self._number, self._before = frame.number, now
        if now < self._resumes:
            return False
        if self._dropped > _TOO_MANY:
            early = now - self._resumes < 2 * self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE) if early else _FIRST_PAUSE
            self._resumes = now + self._pause
            return False
        return True
