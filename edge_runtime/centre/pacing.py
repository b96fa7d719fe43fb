"""When a device is told how far its alerts are held: at once, but a few times a second at most."""

from __future__ import annotations

from itertools import islice

from edge_runtime.alerts.chain import ChainName
from edge_runtime.messaging.wire import Acknowledgement


class AcknowledgementPacer:
    """The acknowledgements that are to be sent, the latest of each chain."""

    def __init__(self, every: float = 0.25) -> None:
        """Prepare; `every` is the least number of seconds between two of one chain."""
        self._every = every
        self._waiting: dict[ChainName, Acknowledgement] = {}
        self._sent: dict[ChainName, float] = {}

    def add(self, told: dict[ChainName, Acknowledgement]) -> None:
        """These are to be sent."""
        self._waiting |= told

    def due(self, now: float, most: int) -> list[tuple[ChainName, Acknowledgement]]:
        """Those that go out at `now`, monotonic seconds, and `most` of them."""
        self._sent = {key: at for key, at in self._sent.items() if now - at < self._every}
        free = ((key, told) for key, told in self._waiting.items() if key not in self._sent)
        ready = list(islice(free, most))
        for key, _ in ready:
            del self._waiting[key]
            self._sent[key] = now
        return ready

    def wait(self, now: float) -> float | None:
        """Seconds until one is due; None where none waits."""
        if not self._waiting:
            return None
        first = min(self._sent.get(key, now - self._every) for key in self._waiting)
        return max(first + self._every - now, 0.0)
