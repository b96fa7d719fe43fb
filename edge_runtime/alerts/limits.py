"""How large an outbox may become."""

from __future__ import annotations

from dataclasses import dataclass

from edge_runtime.errors import EdgeRuntimeError

LEAST_BYTES = 1_000_000
"""The write-ahead log of a smaller outbox would leave no room for alerts."""

PAGE_BYTES = 4096
_FRAME_BYTES = PAGE_BYTES + 24
_SHARED_MEMORY_BYTES = 32768
_MOST_LOG_PAGES = 1000
_TRANSACTION_PAGES = 128
"""No transaction writes more: one that deletes a hundred alerts writes about as many pages."""


class LimitsError(EdgeRuntimeError):
    """Bounds within which no outbox can work."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of an outbox.

    Attributes:
        max_bytes: of its files together: the database, its write-ahead log and shared memory.
        max_alerts: alerts that wait in it.
        min_free_disk: bytes that stay free on its disk. Alerts of high and critical severity may
            use them all the same.

    Raises:
        LimitsError: no outbox can work within them.
    """

    max_bytes: int = 64_000_000
    max_alerts: int = 100_000
    min_free_disk: int = 100_000_000

    def __post_init__(self) -> None:
        if self.max_bytes < LEAST_BYTES:
            raise LimitsError(
                f"an outbox of {self.max_bytes} bytes has no room for alerts: at least "
                f"{LEAST_BYTES} are asked for"
            )
        if self.max_alerts < 1:
            raise LimitsError(f"an outbox of {self.max_alerts} alerts keeps none: 1 or more do")
        if self.min_free_disk < 0:
            raise LimitsError(f"{self.min_free_disk} bytes cannot be free: 0 or more can")

    @property
    def log_pages(self) -> int:
        """Pages in the write-ahead log after which they are brought into the database."""
        return min(self.max_bytes // (8 * PAGE_BYTES), _MOST_LOG_PAGES)

    @property
    def log_bytes(self) -> int:
        """What the write-ahead log keeps of its file when it begins anew."""
        return self.log_pages * _FRAME_BYTES

    @property
    def pages(self) -> int:
        """How many pages the database may have, beside its log at its largest."""
        left = self.max_bytes - self.log_bytes - _SHARED_MEMORY_BYTES
        # A transaction that writes every page of a small database writes each once.
        small = left // (PAGE_BYTES + _FRAME_BYTES)
        return max(small, (left - _TRANSACTION_PAGES * _FRAME_BYTES) // PAGE_BYTES)
