"""What the centre looks at in a device's status and health; what else is in them does not matter.

Read leniently, so that an older centre understands a newer device: what it does not know is
ignored, and what an older device does not tell has a default.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from edge_runtime.messaging.wire import Epoch, Hash, Name, WireError, reason

_Number = Annotated[int, Field(ge=0, le=2**63 - 1)]
_Sentence = Annotated[str, Field(max_length=1000)]


class _Seen(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False, extra="ignore")

    @classmethod
    def read(cls, payload: bytes) -> Self:
        """The message in `payload`. Raises WireError."""
        try:
            return cls.model_validate_json(payload)
        except ValidationError as error:
            raise WireError(reason(error)) from error


class SeenStatus(_Seen):
    """Of the topic `status`."""

    state: Literal["online", "degraded", "offline"]
    reason: _Sentence | None = None
    reasons: tuple[_Sentence, ...] = Field((), strict=False)


class SeenOutbox(_Seen):
    """How many alerts wait on the device, and the highest number that it gave in its epoch."""

    depth: _Number
    epoch: Epoch
    committed: _Number


class SeenChain(_Seen):
    """How far the device says that its chain goes; see docs/alerts.md."""

    site: Name
    device: Name
    epoch: Epoch
    first: _Number
    sequence: _Number
    hash: Hash
    time: Annotated[str, Field(max_length=40)]
    signature: Annotated[str, Field(max_length=2000)] | None = None
    unsigned: _Sentence | None = None


class SeenCamera(_Seen):
    """A camera, and whether it delivers."""

    name: Name
    state: Annotated[str, Field(max_length=40)]
    last_frame_age: float | None = None


class SeenHealth(_Seen):
    """Of the topic `health`."""

    state: Literal["online", "degraded"]
    time: AwareDatetime
    started: AwareDatetime | None = None
    reasons: tuple[_Sentence, ...] = Field((), strict=False)
    outbox: SeenOutbox
    chain: SeenChain | None = None
    cameras: tuple[SeenCamera, ...] = Field((), strict=False)
