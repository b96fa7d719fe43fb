"""What goes over MQTT besides alerts: the types, and how what comes in is read.

Whatever arrives may be anything: it is read by pydantic, strictly, and is either one of these
objects or a `WireError` with one sentence. Times are RFC 3339 with an offset. A member that is not
known is ignored, so that an older device or centre understands a newer one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from edge_runtime.alerts.alert import TYPE_PREFIX, Severity
from edge_runtime.errors import EdgeRuntimeError

DROPPED_TYPE = TYPE_PREFIX.removesuffix(".alert") + ".dropped.v1"
"""The CloudEvents type of the message in which a device says what it dropped."""
JSON_TYPE = "application/json"
MOST_RANGES = 100
"""Ranges in one `Dropped`: a message stays small for every broker."""
LARGEST_COMMAND = 16 * 1024
"""Bytes in a command's payload."""

_LARGEST_INTEGER = 2**63 - 1
Sequence = Annotated[int, Field(ge=1, le=_LARGEST_INTEGER)]
Epoch = Annotated[int, Field(ge=0, le=_LARGEST_INTEGER)]
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
CommandId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Moment = AwareDatetime
"""In JSON: RFC 3339, with an offset."""


class WireError(EdgeRuntimeError):
    """A message that is not what its topic asks for; the text is the reason, without the topic."""


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False, extra="ignore")

    @classmethod
    def read(cls, payload: bytes | str) -> Self:
        """The message in `payload`, JSON in UTF-8.

        Raises:
            WireError: it is not one.
        """
        try:
            return cls.model_validate_json(payload)
        except ValidationError as error:
            raise WireError(reason(error)) from error

    def to_json(self) -> str:
        """The message as JSON on one line, without what is None."""
        return self.model_dump_json(exclude_none=True, by_alias=True)


class Acknowledgement(_Wire):
    """The centre holds every alert of `epoch` up to `sequence`, but for what was dropped.

    Attributes:
        epoch: the outbox's.
        sequence: the last of the alerts that it holds without a gap.
        hash: that alert's; None where the sender does not know it.
    """

    epoch: Epoch
    sequence: Sequence
    hash: Hash | None = None


class Range(_Wire):
    """Adjacent alerts that were dropped, to make room or with a damaged file.

    Attributes:
        first: the first one's number, ``from`` on the wire.
        last: the last one's number, ``to`` on the wire.
        severity: the highest of theirs.
        count: how many of each severity.
        previoushash: that of the first: it leads back to the alert before the range.
        hash: that of the last: the alert after the range leads back to it.
    """

    model_config = ConfigDict(populate_by_name=True)

    first: Sequence = Field(alias="from")
    last: Sequence = Field(alias="to")
    severity: Severity = Field(strict=False)
    count: dict[Annotated[Severity, Field(strict=False)], Sequence]
    previoushash: Hash | None = None
    hash: Hash | None = None

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"the range from {self.first} to {self.last} runs backwards")
        if sum(self.count.values()) != self.last - self.first + 1:
            raise ValueError(
                f"the range from {self.first} to {self.last} does not hold as many alerts as it "
                "counts"
            )
        return self


class DroppedData(_Wire):
    """The ``data`` of a `Dropped`."""

    epoch: Epoch
    ranges: tuple[Range, ...] = Field(min_length=1, max_length=MOST_RANGES, strict=False)


class Dropped(_Wire):
    """A CloudEvents 1.0 event: the alerts that a device gave up, so that no gap is silent."""

    specversion: Annotated[str, StringConstraints(pattern=r"^1\.0$")] = "1.0"
    id: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    source: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    type: Annotated[str, StringConstraints(pattern=r"^" + DROPPED_TYPE.replace(".", r"\.") + r"$")]
    time: str
    datacontenttype: Annotated[str, StringConstraints(pattern=r"^application/json$")] = JSON_TYPE
    data: DroppedData


class Command(_Wire):
    """What the centre asks of a device; the name of it is in the topic.

    Attributes:
        id: never used twice by whoever commands: a second one is refused.
        expires: the moment after which it is not to be done any more.
        arguments: as the command asks for them.
    """

    id: CommandId
    expires: Moment
    arguments: dict[str, Any] = Field(default_factory=dict)


class SignedCommand(Command):
    """The content of a signed command: it names whom and what it is for.

    A signature over a command alone would hold for another device, or as another command.
    """

    site: Name
    device: Name
    command: Name


class Outcome(StrEnum):
    """What became of a command."""

    DONE = "done"
    REFUSED = "refused"
    """It was not begun; `reason` says why."""
    FAILED = "failed"
    """It was begun; `reason` says what went wrong."""


class Response(_Wire):
    """A device's answer to a command.

    Attributes:
        id: the command's; None where it could not be read.
        command: its name.
        outcome: what became of it.
        reason: one sentence, where it was not done.
        result: what was asked for.
    """

    id: str | None = None
    command: str
    outcome: Outcome = Field(strict=False)
    reason: str | None = None
    result: dict[str, Any] | None = None


def reason(error: ValidationError) -> str:
    """The first thing that is wrong in a message, with its place."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    return f"{place}: {what}" if place else what
