"""What it takes until an alert is forgotten on the device: the centre's word, or the broker's.

A broker acknowledges what it may drop afterwards: with a full queue, or when it is killed before it
has saved. So only the centre's acknowledgement counts, unless there is no centre; see
docs/decisions/0020-only-the-centre-lets-an-alert-go.md.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic
from typing import Protocol

from edge_runtime.alerts.outbox import AcknowledgementError, Outbox, OutboxError
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.messaging.connection import Received
from edge_runtime.messaging.delivery import BEGINNING
from edge_runtime.messaging.wire import Acknowledgement, WireError

_log = logging.getLogger(__name__)

LARGEST_ACKNOWLEDGEMENT = 1024
"""Bytes; one has some 130."""
LONGEST_RESEND_SECONDS = 600.0
_SETTLE_SECONDS = 0.5
_SETTLE_COUNT = 100
"""A delete costs the disk ten times less an alert when a hundred go at once."""
_MOST_TOLD = 20
"""Refused acknowledgements that are logged: whoever sends more is not to fill the disk."""


class AcknowledgedBy(StrEnum):
    """Whose word lets the outbox forget an alert."""

    CENTRE = "centre"
    BROKER = "broker"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """How far the centre is.

    Attributes:
        upto: the sequence up to which it holds all.
        waiting: alerts that the broker took and the centre has not acknowledged.
        seconds: how long such alerts have waited without any progress; None if there are none.
        refused: how many acknowledgements were none that can be believed.
    """

    upto: int
    waiting: int
    seconds: float | None
    refused: int


class Receipts(Protocol):
    """What becomes of the alerts that the broker took. One thread writes, others may read.

    Attributes:
        acknowledged: up to where all are acknowledged; before all where the centre is not asked.
        due: when `work` has something to do, in monotonic seconds.
    """

    acknowledged: int
    due: float | None

    def connected(self) -> None:
        """A new connection, over which all that waits is sent again."""

    def taken(self, sequence: int, now: float) -> None:
        """The broker took this alert, at `now` in monotonic seconds."""

    def done(self, sequence: int) -> bool:
        """Whether this alert need not be sent, although it still is in the outbox."""

    def work(self) -> None:
        """Write down what was taken."""

    def overdue(self, now: float) -> bool:
        """Whether all that waits is to be sent again. Ask only when all was sent."""

    def blocked_by(self, sequence: int) -> bool:
        """Whether this one alone keeps alerts that the broker took from being acknowledged.

        Raises:
            OutboxError: the outbox cannot be read.
        """

    def state(self) -> Acknowledged | None:
        """How far the centre is; None where it is not asked. From any thread."""


class BrokerReceipts:
    """The broker's word is enough: what it took is forgotten, many at a time.

    If the process is killed before, they are sent again after a restart: with the same id, which
    tells the receiver.
    """

    acknowledged = BEGINNING

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._settled: set[int] = set()
        self._trouble = ""
        self.due: float | None = None

    def connected(self) -> None:
        """See `Receipts`."""

    def taken(self, sequence: int, now: float) -> None:
        """See `Receipts`."""
        self._settled.add(sequence)
        if len(self._settled) >= _SETTLE_COUNT:
            self.work()
        elif self.due is None:
            self.due = now + _SETTLE_SECONDS

    def done(self, sequence: int) -> bool:
        """See `Receipts`."""
        return sequence in self._settled

    def work(self) -> None:
        """Forget what was taken."""
        self.due = None
        if not self._settled:
            return
        try:
            self._outbox.delivered(self._settled)
        except OutboxError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                _log.error("%s", error)
        else:
            self._settled.clear()

    def overdue(self, now: float) -> bool:
        """Never: what the broker took is its own business."""
        return False

    def blocked_by(self, sequence: int) -> bool:
        """Never: each is forgotten for itself."""
        return False

    def state(self) -> None:
        """See `Receipts`."""


class CentreReceipts:
    """Only the centre's acknowledgement lets an alert go; the broker's begins the wait for it."""

    def __init__(self, outbox: Outbox, resend_after: float) -> None:
        """Begin where the outbox is.

        Args:
            outbox: where the alerts wait.
            resend_after: seconds without any acknowledgement after which all that waits is sent
                again; each time in vain doubles them, up to ten minutes.
        """
        self._outbox = outbox
        self._resend_after = self._patience = resend_after
        self._highest = BEGINNING
        self._sent_at: float | None = None
        self._waits_since: float | None = None
        self._said: list[Acknowledgement] = []
        self._told: set[str] = set()
        self._refused = 0
        self.due: float | None = None
        self.acknowledged = _before_the_first(outbox)

    def connected(self) -> None:
        """See `Receipts`."""
        self._sent_at = None

    def taken(self, sequence: int, now: float) -> None:
        """See `Receipts`."""
        self._highest = max(self._highest, sequence)
        if sequence <= self.acknowledged:
            return  # the centre was quicker than the broker
        if self._sent_at is None:
            self._sent_at = now
        if self._waits_since is None:
            self._waits_since = now

    def done(self, sequence: int) -> bool:
        """Never: what is done is not in the outbox any more."""
        return False

    def work(self) -> None:
        """Forget up to the farthest of what was said of each epoch that can be believed."""
        self.due = None
        said = sorted(self._said, key=lambda each: each.sequence, reverse=True)
        self._said.clear()
        believed: set[int] = set()
        for each in said:
            if each.epoch in believed:
                continue
            try:
                self._believe(each)
            except AcknowledgementError as error:
                self._refuse(error)
            except OutboxError as error:
                self._tell(str(error))
                return
            else:
                believed.add(each.epoch)

    def overdue(self, now: float) -> bool:
        """See `Receipts`."""
        if self._sent_at is None or now - self._sent_at < self._patience:
            return False
        self._sent_at = None
        self._patience = min(self._patience * 2, LONGEST_RESEND_SECONDS)
        return True

    def blocked_by(self, sequence: int) -> bool:
        """See `Receipts`."""
        return sequence < self._highest and sequence == _before_the_first(self._outbox) + 1

    def state(self) -> Acknowledged:
        """See `Receipts`."""
        since = self._waits_since
        waiting = min(max(self._highest - self.acknowledged, 0), self._outbox.depth())
        seconds = None if since is None else monotonic() - since
        return Acknowledged(max(self.acknowledged, 0), waiting, seconds, self._refused)

    def take(self, received: Received) -> None:
        """The centre, or whoever may write there, says how far it holds the alerts."""
        try:
            self._said.append(_read(received.payload))
        except WireError as error:
            self._refuse(error)
            return
        if len(self._said) >= _SETTLE_COUNT:
            self.work()
        elif self.due is None:
            self.due = monotonic() + _SETTLE_SECONDS

    def _believe(self, said: Acknowledgement) -> None:
        forgotten = self._outbox.acknowledge(said.epoch, said.sequence, said.hash)
        upto = _before_the_first(self._outbox)
        if forgotten or upto > self.acknowledged:
            self.acknowledged = upto
            self._patience = self._resend_after
            more = self._highest > self.acknowledged
            self._sent_at = self._waits_since = monotonic() if more else None

    def _refuse(self, error: EdgeRuntimeError) -> None:
        self._refused += 1
        self._tell(f"an acknowledgement is refused: {error}")

    def _tell(self, sentence: str) -> None:
        """Log it, unless it was told before or too much was."""
        if sentence not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(sentence)
            _log.warning("%s", sentence)


def _read(payload: bytes) -> Acknowledgement:
    if len(payload) > LARGEST_ACKNOWLEDGEMENT:
        raise WireError(
            f"it has {len(payload)} bytes, and at most {LARGEST_ACKNOWLEDGEMENT} are read"
        )
    return Acknowledgement.read(payload)


def _before_the_first(outbox: Outbox) -> int:
    first = outbox.pending(BEGINNING, 1)
    return first[0].sequence - 1 if first else outbox.committed


def _told_once(sentence: str, before: str) -> str:
    if sentence != before:
        _log.error("%s", sentence)
    return sentence
