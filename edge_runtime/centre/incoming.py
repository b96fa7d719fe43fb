"""What comes in at the centre, read: pure, and total over whatever a broker hands on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from edge_runtime.alerts.alert import AlertEvent
from edge_runtime.alerts.chain import ChainName
from edge_runtime.centre.health import SeenHealth, SeenStatus
from edge_runtime.centre.reading import read_alert
from edge_runtime.messaging.commands import CommandName
from edge_runtime.messaging.connection import Received
from edge_runtime.messaging.topics import TopicError, Topics
from edge_runtime.messaging.wire import (
    MOST_RANGES,
    Dropped,
    DroppedData,
    Outcome,
    Response,
    Sequence,
    WireError,
    reason,
)

LARGEST_MESSAGE = 256 * 1024
"""Bytes in what a device says of itself."""


@dataclass(frozen=True, slots=True)
class Device:
    """Who speaks."""

    site: str
    device: str

    def __str__(self) -> str:
        return f"{self.site}/{self.device}"


@dataclass(frozen=True, slots=True)
class Arrival:
    """An alert, and the bytes as which it came."""

    chain: ChainName
    sequence: int
    event: AlertEvent
    payload: bytes


@dataclass(frozen=True, slots=True)
class Told:
    """What a device says of itself: the bytes, and whether the broker had kept them."""

    payload: bytes
    kept: bool


@dataclass(frozen=True, slots=True)
class MissingAnswer:
    """A device's answer to a `resend`: what it has no more, each first and last."""

    device: Device
    command: str
    missing: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Batch:
    """Messages that are stored in one transaction.

    Attributes:
        alerts: in the order of their arrival.
        dropped: what devices gave up.
        answers: what devices have no more.
        statuses, healths: the latest of each device.
        refused: how many of each kind were none, and the reason for the latest.
    """

    alerts: list[Arrival] = field(default_factory=list)
    dropped: list[tuple[Device, DroppedData]] = field(default_factory=list)
    answers: list[MissingAnswer] = field(default_factory=list)
    statuses: dict[Device, Told] = field(default_factory=dict)
    healths: dict[Device, Told] = field(default_factory=dict)
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)


HIGHEST = 2**53
"""Of an alert's number: a million a second for 285 years. One that reaches the largest integer of a
database would leave no room to count on."""
_Pair = Annotated[tuple[Sequence, Sequence], Field(strict=False)]


class _Missing(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    missing: Annotated[list[_Pair], Field(max_length=MOST_RANGES)]


_RESULT = TypeAdapter(_Missing)


def read_batch(messages: Iterable[Received]) -> Batch:
    """Read `messages`; what is wrong is counted in the batch and is otherwise nowhere in it."""
    batch = Batch()
    for message in messages:
        kind = "message"
        try:
            device, kind, rest = _addressed(message.topic)
            _read(batch, device, kind, rest, message)
        except WireError as error:
            count, _ = batch.refused.get(kind, (0, ""))
            batch.refused[kind] = count + 1, str(error)
    return batch


def _addressed(topic: str) -> tuple[Device, str, str]:
    """Who speaks, about what, and what follows in the topic."""
    levels = topic.split("/", 5)
    if len(levels) < 5 or levels[:2] != ["edge", "v1"]:
        raise WireError("its topic is none of a device")
    _, _, site, device, kind, *rest = levels
    try:
        Topics(site, device)
    except TopicError as error:
        raise WireError(f"its topic is none of a device: {error}") from error
    if kind not in ("alert", "dropped", "status", "health", "response"):
        raise WireError("its topic is none of those that a device speaks on")
    return Device(site, device), kind, rest[0] if rest else ""


def _read(batch: Batch, device: Device, kind: str, rest: str, message: Received) -> None:
    if kind != "alert" and len(message.payload) > LARGEST_MESSAGE:
        raise WireError(f"it has more than {LARGEST_MESSAGE} bytes")
    match kind:
        case "alert":
            batch.alerts.append(read_arrival(message))
        case "dropped":
            batch.dropped.append((device, read_dropped(device, message.payload)))
        case "status":
            SeenStatus.read(message.payload)
            batch.statuses[device] = Told(message.payload, message.retained)
        case "health":
            SeenHealth.read(message.payload)
            batch.healths[device] = Told(message.payload, message.retained)
        case "response" if rest == CommandName.RESEND:
            if (answer := _answer(device, message.payload)) is not None:
                batch.answers.append(answer)


def read_arrival(message: Received) -> Arrival:
    """The alert in `message`, on its own topic. Raises WireError."""
    event = read_alert(message.payload, message.topic)
    device, epoch, sequence = event.id.rsplit("/", 2)
    site = event.source.partition("/")[0]
    chain, number = ChainName(site, device, int(epoch)), int(sequence)
    if number > HIGHEST:
        raise WireError(f"sequence: no device gives a number above {HIGHEST}")
    return Arrival(chain, number, event, message.payload)


def read_dropped(device: Device, payload: bytes) -> DroppedData:
    """What `device` gave up. Raises WireError: also where another's name stands in it."""
    dropped = Dropped.read(payload)
    if dropped.source != str(device):
        raise WireError("source: it is not the device on whose topic it came")
    if any(each.last > HIGHEST for each in dropped.data.ranges):
        raise WireError(f"data.ranges: no device gives a number above {HIGHEST}")
    return dropped.data


def _answer(device: Device, payload: bytes) -> MissingAnswer | None:
    response = Response.read(payload)
    if response.id is None or response.outcome is not Outcome.DONE:
        return None
    try:
        result = _RESULT.validate_python(response.result)
    except ValidationError as error:
        raise WireError(f"result: {reason(error)}") from error
    return MissingAnswer(device, response.id, tuple(result.missing))
