"""What a centre says that it holds, and whether that can be."""

from __future__ import annotations

from edge_runtime.alerts.ledger import Ledger
from edge_runtime.errors import EdgeRuntimeError


class AcknowledgementError(EdgeRuntimeError):
    """The centre cannot hold what it says that it holds: nothing is forgotten for it."""


def shift_of(ledger: Ledger, epoch: int, sequence: int, digest: str | None) -> int:
    """See that this outbox had what is acknowledged: the shift of its epoch.

    Args:
        ledger: the outbox's.
        epoch, sequence, digest: see `Outbox.acknowledge`.

    Raises:
        AcknowledgementError: it never had.
    """
    span = ledger.span(epoch)
    if span is None:
        raise AcknowledgementError(
            f"alert {sequence} of epoch {epoch} is acknowledged, and this outbox is of epoch "
            f"{ledger.epoch}"
        )
    shift, last = span
    if not 1 <= sequence <= last:
        raise AcknowledgementError(f"alert {sequence} is acknowledged, and the last one is {last}")
    known = _hash(ledger, epoch, sequence, shift)
    if None not in (digest, known) and digest != known:
        raise AcknowledgementError(
            f"alert {sequence} is acknowledged with a hash that is not its own: the centre holds "
            "another one in its place"
        )
    return shift


def _hash(ledger: Ledger, epoch: int, sequence: int, shift: int) -> str | None:
    """The hash of that alert, if the outbox still knows it."""
    row = ledger.connection.execute(
        "SELECT json_extract(payload, '$.hash') FROM alerts WHERE sequence = ?", (sequence - shift,)
    ).fetchone()
    if row is not None:
        known: str | None = row[0]
        return known
    head = ledger.head
    return head.hash if (epoch, sequence) == (head.epoch, head.sequence) else None
