"""The alert: what a rule tells, and the CloudEvents JSON in which the world receives it.

Format: CloudEvents 1.0 (https://github.com/cloudevents/spec, JSON event format), structured mode.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from edge_runtime.alerts.chain import digest_as_made
from edge_runtime.tracks import Box

TYPE_PREFIX = "io.github.edge-runtime.alert"
CONTENT_TYPE = "application/cloudevents+json"

_ENCODER = json.JSONEncoder(separators=(",", ":"))


class AlertState(StrEnum):
    """Where in its life the thing is that an alert tells of."""

    STARTED = "started"
    UPDATED = "updated"
    ENDED = "ended"


class Severity(StrEnum):
    """How urgent an alert is, from least to most."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model saw it. `sha256` is that of the .tflite file that ran."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Alert:
    """What a rule has to tell, before it has an identity on the wire.

    Attributes:
        rule: the kind of rule, e.g. ``presence``.
        name: the rule's name in the configuration.
        camera: the camera's name.
        state: started, updated or ended.
        severity: how urgent it is.
        timestamp: when it happened, seconds on the frame's clock. A presence that is told after
            one second of standing started one second earlier: this is the earlier moment.
        wall_time: the same moment in Unix seconds.
        decided_after: seconds from that moment to the frame that made the rule sure.
        duration: how long the thing has lasted, in seconds, at `timestamp`.
        incident: the same text in every alert of one incident, and in no other.
        zone: the zone's name; None for the whole picture.
        label: the object's class; None where the rule is not about one.
        score: how sure it was at best in the incident so far, 0..1: the detector's score, or, of
            the camera itself, how far beyond its limit a measure was (0.5 is at the limit).
        track: the track that the alert is about.
        boxes: where the objects are, in 0..1 of the picture.
        reason: why it ended, where the scene did not end it (``camera ended``, ``stopped`` ...).
    """

    rule: str
    name: str
    camera: str
    state: AlertState
    severity: Severity
    timestamp: float
    wall_time: float
    decided_after: float
    duration: float
    incident: str
    zone: str | None = None
    label: str | None = None
    score: float | None = None
    track: int | None = None
    boxes: tuple[Box, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Who speaks: what is the same in all alerts of one device."""

    site: str
    device: str


@dataclass(frozen=True, slots=True)
class AlertData:
    """The ``data`` of the event; see `Alert` for what each means."""

    rule: str
    name: str
    camera: str
    state: AlertState
    incident: str
    since: str
    """When the incident began, RFC 3339."""
    duration: float
    decided_after: float
    zone: str | None
    label: str | None
    score: float | None
    track: int | None
    boxes: tuple[Box, ...]
    reason: str | None
    model: ModelIdentity | None
    clock_synchronised: bool
    """Whether the system clock was synchronised when the alert was committed."""
    media_time: float | None = None
    """Only in a replay: when it happened, in seconds since the clip's start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEvent:
    """A CloudEvents 1.0 event.

    `id` is device/epoch/sequence: unique for all time, and rising by one within an epoch. See
    docs/alerts.md for all that a receiver may rely on.
    """

    specversion: str = field(default="1.0", init=False)
    id: str
    source: str
    type: str
    time: str
    datacontenttype: str = field(default="application/json", init=False)
    severity: Severity
    sequence: str
    """The CloudEvents extension attribute of that name: the sequence number as text."""
    previoushash: str | None = None
    """The `hash` of the alert before this one; None for an alert that is in no outbox."""
    hash: str | None = None
    """Over all of the alert but this; see `edge_runtime.alerts.chain`."""
    data: AlertData

    def document(self) -> dict[str, Any]:
        """The structured form, without what is None."""
        return _present(self)

    def to_json(self) -> str:
        """The same as JSON, on one line."""
        return _ENCODER.encode(self.document())

    def chained(self, previous: str) -> AlertEvent:
        """The same as the one that follows the alert whose hash is `previous`."""
        linked = replace(self, previoushash=previous)
        return replace(linked, hash=digest_as_made(linked.document()))


def event(
    alert: Alert,
    *,
    origin: Origin,
    epoch: int,
    sequence: int,
    model: ModelIdentity | None,
    clock_synchronised: bool,
    media_time: float | None = None,
) -> AlertEvent:
    """Give `alert` its identity and turn it into the event that is stored and sent."""
    data = AlertData(
        rule=alert.rule,
        name=alert.name,
        camera=alert.camera,
        state=alert.state,
        incident=alert.incident,
        since=rfc3339(alert.wall_time - alert.duration),
        duration=_number(alert.duration, 3),
        decided_after=_number(alert.decided_after, 3),
        zone=alert.zone,
        label=alert.label,
        score=None if alert.score is None else _number(alert.score, 4),
        track=alert.track,
        boxes=tuple(_rounded(box) for box in alert.boxes),
        reason=alert.reason,
        model=model,
        clock_synchronised=clock_synchronised,
        media_time=None if media_time is None else _number(media_time, 3),
    )
    return AlertEvent(
        id=f"{origin.device}/{epoch}/{sequence}",
        source=f"{origin.site}/{origin.device}/{alert.camera}",
        type=f"{TYPE_PREFIX}.{alert.rule}.v1",
        time=rfc3339(alert.wall_time),
        severity=alert.severity,
        sequence=str(sequence),
        data=data,
    )


def rfc3339(unix_seconds: float) -> str:
    """UTC, to the millisecond, e.g. ``2026-11-23T06:17:29.250Z``."""
    moment = datetime.fromtimestamp(unix_seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _rounded(box: Box) -> Box:
    x1, y1, x2, y2 = box
    return _number(x1, 4), _number(y1, 4), _number(x2, 4), _number(y2, 4)


def _number(value: float, digits: int) -> float:
    """Rounded, and an integer where it is whole: the form over which the hash is made."""
    rounded = round(float(value), digits)
    return int(rounded) if rounded.is_integer() else rounded


def _present(value: Any) -> dict[str, Any]:
    """The fields of a dataclass that are not None. `dataclasses.asdict` takes ten times as long."""
    pairs = ((name, getattr(value, name)) for name in value.__slots__)
    return {
        name: _present(field) if hasattr(field, "__dataclass_fields__") else field
        for name, field in pairs
        if field is not None
    }
