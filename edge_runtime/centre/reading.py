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
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

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
_Moment = Annotated[
    str,
    Field(
        max_length=40,
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$",
        json_schema_extra={"format": "date-time"},
    ),
    BeforeValidator(_moment),
]


class _Read(BaseModel):
    model_config = ConfigDict(
        strict=True,
        allow_inf_nan=False,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
    )


class _Model(_Read):
    """Which model saw it."""

    name: _Text
    version: _Text
    sha256: _Text
    """Of the .tflite file that ran."""


class _Data(_Read):
    """What a rule tells."""

    rule: Name
    """The kind of the rule, `presence` for example."""
    name: _Text
    """The rule's name in the configuration."""
    camera: Name
    state: Annotated[AlertState, Field(strict=False)]
    """Where in its life the thing is that is told."""
    incident: _Text
    """The same text in all alerts of one incident, and in no other."""
    since: _Moment
    """When the incident began."""
    duration: _Seconds
    """Seconds that it has lasted, at `time`."""
    decided_after: _Seconds
    """Seconds from `time` until the rule was sure."""
    zone: _Text | None = None
    """Where; left out: the whole picture."""
    label: _Text | None = None
    """The object's class."""
    score: _Share | None = None
    """How sure the detector was, at best, so far."""
    track: int | None = None
    """Which object it is, for the device's tracker."""
    boxes: Annotated[
        tuple[Annotated[tuple[float, float, float, float], Field(strict=False)], ...],
        Field(strict=False),
    ] = ()
    """Where the objects are: x1, y1, x2, y2 in 0..1 of the picture."""
    reason: _Text | None = None
    """Why it ended, where the scene did not end it."""
    model: _Model | None = None
    clock_synchronised: bool
    """Whether the device's clock was synchronised when the alert was committed."""
    media_time: float | None = None
    """In a replay only: seconds from the clip's start."""


class _Event(_Read):
    """A CloudEvents 1.0 event in structured JSON."""

    specversion: Literal["1.0"]
    id: _Text
    """device/epoch/sequence: never used twice."""
    source: _Text
    """site/device/camera."""
    type: _Text
    """`io.github.edge-runtime.alert.` + kind of rule + `.v1`."""
    time: _Moment
    """When it happened."""
    datacontenttype: Literal["application/json"]
    severity: Annotated[Severity, Field(strict=False)]
    sequence: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,18}$")]
    """The number within the epoch, as text; rises by one."""
    previoushash: Hash
    """The `hash` of the alert before this one."""
    hash: Hash
    """SHA-256 over the canonical JSON of all of this alert but this member."""
    data: _Data


def alert_schema(generator: type[GenerateJsonSchema]) -> JsonSchemaValue:
    """The JSON Schema of what `read_alert` accepts, but for what members say of each other."""
    return _Event.model_json_schema(schema_generator=generator)


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
