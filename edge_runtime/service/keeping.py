"""What a person is told of the outbox: how full it is, what it gave up, and that it was damaged."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from edge_runtime.alerts.alert import Alert, AlertState, Severity, rfc3339
from edge_runtime.alerts.outbox import Outbox, OutboxError
from edge_runtime.alerts.salvage import Salvage
from edge_runtime.report import OutboxReport

logger = logging.getLogger(__name__)

KIND = "outbox"
CAMERA = "device"
"""What stands in the place of the camera in an alert that is about the device."""
_LOG_SECONDS = 60.0


def report(outbox: Outbox) -> OutboxReport:
    """How the outbox is."""
    given = outbox.given_up()
    return {
        "depth": outbox.depth(),
        "epoch": outbox.epoch,
        "committed": outbox.committed,
        "bytes": outbox.size(),
        "evicted": {str(severity): count for severity, count in given.evicted.items()},
        "refused": {str(severity): count for severity, count in given.refused.items()},
        "untold": given.untold,
    }


def reasons(outbox: Outbox) -> Iterator[str]:
    """Why the outbox is not as it should be."""
    if outbox.damage is not None:
        yield f"the outbox is damaged ({outbox.damage})"
    if outbox.full:
        refused = outbox.given_up().refused
        count = refused.get(Severity.HIGH, 0) + refused.get(Severity.CRITICAL, 0)
        yield (
            "the outbox is full of alerts of high and critical severity: "
            f"{count} such alerts found no room since the start"
        )


def warnings(outbox: Outbox) -> Iterator[str]:
    """What has to be known of the outbox all the same."""
    if outbox.salvage is not None:
        yield str(outbox.salvage)
    if untold := outbox.given_up().untold:
        yield f"{untold} alerts were dropped, of which the centre does not know yet"


class DropLog:
    """Says in the log what was dropped, once a minute at most."""

    def __init__(self) -> None:
        self._told = 0
        self._due = 0.0

    def look(self, outbox: Outbox, now: float) -> None:
        """Look whether something was dropped, at `now` in monotonic seconds."""
        drops = outbox.drops
        if drops == self._told or now < self._due:
            return
        logger.warning(
            "%d alerts were dropped: they found no room, could not be read, or nobody takes them",
            drops - self._told,
        )
        self._told, self._due = drops, now + _LOG_SECONDS


def damage_alerts(salvage: Salvage, monotonic: float, wall_time: float) -> Iterator[Alert]:
    """The alert that an outbox was damaged; it is over when it is told."""
    for state in (AlertState.STARTED, AlertState.ENDED):
        yield Alert(
            rule=KIND,
            name=KIND,
            camera=CAMERA,
            state=state,
            severity=Severity.HIGH,
            timestamp=monotonic,
            wall_time=wall_time,
            decided_after=0.0,
            duration=0.0,
            incident=f"{CAMERA}/{KIND}/{rfc3339(wall_time)}",
            reason=str(salvage),
        )


def renew(outbox: Outbox) -> bool:
    """Put a new outbox in the place of one that was found damaged: whether that could be done."""
    try:
        logger.critical("%s", outbox.renew())
    except OutboxError as error:
        logger.critical("%s", error)
        return False
    return True
