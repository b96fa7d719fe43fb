"""How the way to the centre is, as it is told; and what the centre asks of it."""

from __future__ import annotations

import time
from typing import Any

from edge_runtime.alerts.alert import rfc3339
from edge_runtime.alerts.outbox import Outbox
from edge_runtime.messaging.commands import RefusedError, ResendArguments
from edge_runtime.messaging.link import LinkState
from edge_runtime.messaging.publisher import Publisher, PublisherStats
from edge_runtime.messaging.receipts import Acknowledged
from edge_runtime.report import AcknowledgementReport, LinkReport

MOST_MISSING = 100
"""Ranges in one answer: it stays small for every broker."""
_SILENT_SECONDS = 180.0
"""Without a word of the centre's while it should have one to say: somebody has to know."""
_LAST_WORD_SECONDS = 5.0
"""For the centre's acknowledgement of the last alerts, when nothing more can come."""


def link_report(stats: PublisherStats) -> LinkReport:
    """The same for `status` and `health`."""
    return {
        "link": stats.link,
        "since": rfc3339(stats.since),
        "in_flight": stats.in_flight,
        "delivered": stats.delivered,
        "resent": stats.resent,
        "set_aside": stats.set_aside,
        "held": stats.held,
        "acknowledged": _acknowledgement_report(stats.acknowledged),
        "last_error": stats.last_error,
        "reconnects": stats.reconnects,
    }


def warnings(stats: PublisherStats) -> list[str]:
    """What has to be known of the way to the centre, a sentence each."""
    return [text for text in (_not_taken(stats), silent_centre(stats)) if text]


def _not_taken(stats: PublisherStats) -> str | None:
    if not stats.set_aside:
        return None
    return f"the broker does not take {stats.set_aside} of the alerts that wait: the log says why"


def silent_centre(stats: PublisherStats) -> str | None:
    """A sentence, if the broker is there and the centre has been silent for too long."""
    acknowledged = stats.acknowledged
    if acknowledged is None or stats.link is not LinkState.ONLINE:
        return None
    if acknowledged.seconds is None or acknowledged.seconds < _SILENT_SECONDS:
        return None
    return (
        f"{acknowledged.waiting} alerts wait for the centre's acknowledgement, of which none has "
        f"come since {_ago(acknowledged.seconds)}: it does not run, may not write to this device's "
        'topic ack, or there is none and `acknowledgement = "broker"` is meant'
    )


def all_brought(stats: PublisherStats) -> bool:
    """Whether nothing waits that could still be brought away.

    Where the centre says nothing the alerts stay in the outbox, and are sent again by the next
    daemon.
    """
    acknowledged = stats.acknowledged
    patient = acknowledged and (acknowledged.seconds or 0.0) >= _LAST_WORD_SECONDS
    waiting = acknowledged.waiting if acknowledged and patient else 0
    return stats.depth <= stats.set_aside + waiting


def resend(asked: ResendArguments, outbox: Outbox, publisher: Publisher) -> dict[str, Any]:
    """Do the command `resend`: how many alerts are sent again, and which are not here.

    Raises:
        RefusedError: this outbox never had them.
        OutboxError: it cannot be read.
    """
    span = outbox.span(asked.epoch)
    if span is None:
        raise RefusedError(
            f"alerts of epoch {asked.epoch} are asked for, and this outbox is of epoch "
            f"{outbox.epoch}"
        )
    shift, last = span
    if asked.last > last:
        raise RefusedError(f"alert {asked.last} is asked for, and the last one is {last}")
    resent = publisher.resend(asked.first - shift, asked.last - shift)
    missing = [[first + shift, end + shift] for first, end in resent.missing[:MOST_MISSING]]
    return {"sent": resent.count, "missing": missing}


def _acknowledgement_report(acknowledged: Acknowledged | None) -> AcknowledgementReport | None:
    if acknowledged is None:
        return None
    seconds = acknowledged.seconds
    return {
        "upto": acknowledged.upto,
        "waiting": acknowledged.waiting,
        "waiting_since": None if seconds is None else _ago(seconds),
        "refused": acknowledged.refused,
    }


def _ago(seconds: float) -> str:
    return rfc3339(time.time() - seconds)
