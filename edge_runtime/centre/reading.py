"""An alert as it came over the wire, read strictly: it is wholly right, or it is none."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

from edge_runtime.alerts.alert import (
    TYPE_PREFIX,
    AlertData,
    AlertEvent,
    AlertState,
    ModelIdentity,
    Severity,
)
from edge_runtime.alerts.chain import digest
from edge_runtime.messaging.topics import TopicError, Topics
from edge_runtime.messaging.wire import Epoch, Hash, Name, Sequence, WireError, reason

LARGEST_ALERT = 256 * 1024
"""Bytes in an alert: some 6,000 boxes."""
_MOMENT = TypeAdapter(AwareDatetime)


def _moment(text: object) -> object:
    _MOMENT.validate_json(json.dumps(text), strict=True)
    return text


_Share = Annotated[float, Field(ge=0, le=1)]
_Seconds = Annotated[float, Field(ge=0)]
_Text = Annotated[str, Field(max_length=1000)]
_Moment = Annotated[str, Field(max_length=40), BeforeValidator(_moment)]


class _Read(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore", frozen=True)


class _Model(_Read):
    name: _Text
    version: _Text
    sha256: _Text


class _Data(_Read):
    rule: Name
    name: _Text
    camera: Name
    state: Annotated[AlertState, Field(strict=False)]
    incident: _Text
    since: _Moment
    duration: _Seconds
    decided_after: _Seconds
    zone: _Text | None = None
    label: _Text | None = None
    score: _Share | None = None
    track: int | None = None
    boxes: Annotated[
        tuple[Annotated[tuple[float, float, float, float], Field(strict=False)], ...],
        Field(strict=False),
    ] = ()
    reason: _Text | None = None
    model: _Model | None = None
    clock_synchronised: bool
    media_time: float | None = None


class _Event(_Read):
    specversion: Literal["1.0"]
    id: _Text
    source: _Text
    type: _Text
    time: _Moment
    datacontenttype: Literal["application/json"]
    severity: Annotated[Severity, Field(strict=False)]
    sequence: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,18}$")]
    previoushash: Hash
    hash: Hash
    data: _Data


class _Identity(_Read):
    epoch: Epoch
    sequence: Sequence


def read_alert(payload: bytes | str, topic: str | None = None) -> AlertEvent:
    """The alert in `payload`, JSON in UTF-8, as a device's outbox committed it.

    Members that are not known count for the hash and are left out of what is returned.

    Args:
        payload: what came; it may be anything.
        topic: where it came; None where that is not known, and is not compared.

    Raises:
        WireError: it is not such an alert, says two things of itself, has another content than
            its hash, or came on another's topic.
    """
    document = _document(payload)
    try:
        event = _Event.model_validate(document)
    except ValidationError as error:
        raise WireError(reason(error)) from error
    _consistent(event, topic)
    try:
        made = digest(document)
    except (ValueError, RecursionError) as error:
        raise WireError("its hash cannot be made: it holds what has no canonical JSON") from error
    if made != event.hash:
        raise WireError("hash: it is not that of this content")
    return _typed(event)


def _document(payload: bytes | str) -> dict[str, Any]:
    if len(payload) > LARGEST_ALERT:
        raise WireError(f"it has more than {LARGEST_ALERT} bytes")
    try:
        text = payload if isinstance(payload, str) else payload.decode()
        document = json.loads(text, object_pairs_hook=_members)
    except (ValueError, RecursionError) as error:
        raise WireError("it is not JSON in UTF-8 with each member once") from error
    if not isinstance(document, dict):
        raise WireError("it is not a JSON object")
    return document


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is there twice")
    return members


def _consistent(event: _Event, topic: str | None) -> None:
    """Raises WireError where id, source, type, sequence and topic do not name the same."""
    site, _, rest = event.source.partition("/")
    device, _, camera = rest.partition("/")
    named, _, numbers = event.id.partition("/")
    epoch, _, sequence = numbers.partition("/")
    try:
        expected = Topics(site, device).alert(camera, event.data.rule)
        number = _Identity(epoch=int(epoch), sequence=int(sequence))
    except (TopicError, ValueError) as error:
        raise WireError("id or source: they name no device, epoch, sequence and camera") from error
    if event.id != f"{device}/{number.epoch}/{event.sequence}" or sequence != event.sequence:
        raise WireError(f"id: it contradicts source and sequence, for the device is {named!r}")
    if camera != event.data.camera:
        raise WireError("source: it names another camera than data")
    if event.type != f"{TYPE_PREFIX}.{event.data.rule}.v1":
        raise WireError("type: it is not that of the rule in data")
    if topic is not None and topic != expected:
        raise WireError("it came on a topic that is not that of its source and rule")


def _typed(event: _Event) -> AlertEvent:
    told = event.data
    plain = {name: getattr(told, name) for name in _Data.model_fields if name != "model"}
    seen = told.model
    model = None if seen is None else ModelIdentity(seen.name, seen.version, seen.sha256)
    return AlertEvent(
        id=event.id,
        source=event.source,
        type=event.type,
        time=event.time,
        severity=event.severity,
        sequence=event.sequence,
        previoushash=event.previoushash,
        hash=event.hash,
        data=AlertData(**plain, model=model),
    )
