"""At most so many pictures a second."""

from __future__ import annotations


class RateLimit:
    """Chooses which pictures are due.

    The schedule runs on: a picture that comes late does not push all later ones back, so that 10
    pictures a second limited to 3 give 3, not 2.5.
    """

    def __init__(self, fps: float | None) -> None:
        self._period = 0.0 if fps is None else 1.0 / fps
        self._next = float("-inf")

    def due(self, moment: float) -> bool:
        """Whether the picture of `moment` (seconds, rising) is to be delivered."""
        # A tenth of a period early is on time: pictures arrive with jitter.
        if moment < self._next - 0.1 * self._period:
            return False
        behind = moment >= self._next + self._period
        self._next = (moment if behind else self._next) + self._period
        return True
