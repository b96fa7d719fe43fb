"""Commands as they come in: read, checked, and refused with a reason.

What arrives may be anything, from anybody whom the broker lets write there: too large, no JSON,
old, sent twice, for another device, unsigned. The order of the checks is the order of the table in
docs/commands.md; nothing is looked into before its size and, where keys are trusted, its signature
are right.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_runtime.alerts.alert import rfc3339
from edge_runtime.dsse import pae
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.messaging.connection import Received
from edge_runtime.messaging.topics import Topics
from edge_runtime.messaging.wire import (
    LARGEST_COMMAND,
    Command,
    Epoch,
    Moment,
    Name,
    Sequence,
    SignedCommand,
    WireError,
    reason,
)

SIGNED_TYPE = "application/vnd.edge-runtime.command+json"
LONGEST_LIFE = 24 * 3600.0
"""Seconds ahead that a command may expire: so long, at most, its id has to be remembered."""
_LONGEST_OFF = 7 * 24 * 3600.0
_LONGEST_CORRELATION = 1024
_LONGEST_TOPIC = 1024


class CommandName(StrEnum):
    """What a device can be asked for."""

    STATUS = "status"
    IDENTIFY = "identify"
    RESEND = "resend"
    RELOAD = "reload"
    RULE = "rule"
    SNAPSHOT = "snapshot"


class RefusedError(EdgeRuntimeError):
    """A command is not done; the text is the reason.

    Attributes:
        command_id: the command's id; None where it could not be read.
    """

    def __init__(self, reason: str, command_id: str | None = None) -> None:
        super().__init__(reason)
        self.command_id = command_id


class _Arguments(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class NoArguments(_Arguments):
    """`status`, `identify` and `reload` take none."""


class ResendArguments(_Arguments):
    """Which alerts are to be sent again.

    Attributes:
        epoch: the outbox's.
        first: the first one's number, ``from`` on the wire.
        last: the last one's number, ``to`` on the wire.
    """

    epoch: Epoch
    first: Sequence = Field(alias="from")
    last: Sequence = Field(alias="to")


class RuleArguments(_Arguments):
    """Which rule is to be switched, and until when.

    Attributes:
        camera: the camera for which; None for all.
        rule: the rule's name in the configuration.
        enabled: false: it rests until `until`; true: it works again.
        until: asked for with false.
    """

    camera: Name | None = None
    rule: Name
    enabled: bool
    until: Moment | None = None


class SnapshotArguments(_Arguments):
    """Of which camera a picture is asked for; the only one's where none is named."""

    camera: Name | None = None


Arguments = NoArguments | ResendArguments | RuleArguments | SnapshotArguments

ARGUMENTS: Mapping[CommandName, type[Arguments]] = {
    CommandName.STATUS: NoArguments,
    CommandName.IDENTIFY: NoArguments,
    CommandName.RELOAD: NoArguments,
    CommandName.RESEND: ResendArguments,
    CommandName.RULE: RuleArguments,
    CommandName.SNAPSHOT: SnapshotArguments,
}


class _Signature(BaseModel):
    model_config = ConfigDict(strict=True)

    keyid: str = ""
    sig: str


class Envelope(BaseModel):
    """A signed command: DSSE's envelope."""

    model_config = ConfigDict(strict=True)

    payload: str
    payload_type: Literal["application/vnd.edge-runtime.command+json"] = Field(alias="payloadType")
    signatures: Annotated[list[_Signature], Field(min_length=1, max_length=10)]


@dataclass(frozen=True, slots=True)
class Request:
    """A command that may be done.

    Attributes:
        name: what is asked for.
        id: names this command, and no other.
        expires: Unix seconds after which it is not to be done.
        arguments: those that `name` takes.
        reply: where the response goes, and with what.
    """

    name: CommandName
    id: str
    expires: float
    arguments: Arguments
    reply: Reply


@dataclass(frozen=True, slots=True)
class Reply:
    """Where a response goes.

    Attributes:
        topic: below this device's own ``response/``.
        correlation: what it carries back; None for nothing.
        fault: why the topic or the correlation that was asked for is not used; None if it is.
    """

    topic: str
    correlation: bytes | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """Which commands a device does, and from whom.

    Attributes:
        topics: the device's own.
        allowed: what it may be asked for.
        keys: raw Ed25519 public keys by their ids; None: who may publish at the broker may command.
    """

    topics: Topics
    allowed: frozenset[CommandName]
    keys: Mapping[str, bytes] | None = None

    def admit(self, received: Received, now: float) -> Request:
        """The command in `received`, if it may be done at `now`, Unix seconds.

        Whether it was done before is not known here.

        Raises:
            RefusedError: it may not be done.
        """
        if len(received.payload) > LARGEST_COMMAND:
            raise RefusedError(
                f"the command has {len(received.payload)} bytes, and at most {LARGEST_COMMAND} "
                "are read"
            )
        if received.retained:
            raise RefusedError(
                "the broker keeps the command and would give it again: who commands must not set "
                "the retain flag"
            )
        name = self._name(command_in(self.topics, received.topic))
        command = self._command(received.payload, name)
        try:
            return self._checked(received, name, command, now)
        except RefusedError as error:
            raise RefusedError(str(error), command.id) from error

    def _name(self, text: str) -> CommandName:
        try:
            name = CommandName(text)
        except ValueError:
            known = ", ".join(CommandName)
            raise RefusedError(f"there is no command {text[:64]!r}: there are {known}") from None
        if name not in self.allowed:
            raise RefusedError(
                f"this device does not do {name}: its configuration does not allow it"
            )
        return name

    def _command(self, payload: bytes, name: CommandName) -> Command:
        try:
            if self.keys is None:
                return Command.read(payload)
            signed = SignedCommand.read(_verified(payload, self.keys))
        except WireError as error:
            raise RefusedError(f"the command cannot be read: {error}") from error
        meant = signed.site, signed.device, signed.command
        if meant != (self.topics.site, self.topics.device, name):
            raise RefusedError(
                f"the command is signed for {signed.command} on {signed.site}/{signed.device}",
                signed.id,
            )
        return signed

    def _checked(
        self, received: Received, name: CommandName, command: Command, now: float
    ) -> Request:
        expires = command.expires.timestamp()
        clock = f"this device's clock says {rfc3339(now)}"
        if expires <= now:
            raise RefusedError(f"the command expired at {rfc3339(expires)}; {clock}")
        if expires > now + LONGEST_LIFE:
            raise RefusedError(
                f"the command expires at {rfc3339(expires)}, and at most {LONGEST_LIFE / 3600:g} "
                f"hours ahead are taken; {clock}"
            )
        reply = reply_to(self.topics, received, name)
        if reply.fault:
            raise RefusedError(reply.fault)
        try:
            arguments = ARGUMENTS[name].model_validate_json(json.dumps(command.arguments))
        except ValidationError as error:
            raise RefusedError(f"the arguments of {name} are wrong: {reason(error)}") from error
        _check_sense(arguments, now)
        return Request(name, command.id, expires, arguments, reply)


def command_in(topics: Topics, topic: str) -> str:
    """The command's name in `topic`, which is one of ``…/command/+``."""
    return topic.removeprefix(topics.command("+").removesuffix("+"))


def reply_to(topics: Topics, received: Received, name: str) -> Reply:
    """Where the response to `received` goes.

    A response topic elsewhere would have this device write, with its own rights, where somebody
    else chose.
    """
    default = f"{topics.responses}{name if name in set(CommandName) else 'unknown'}"
    if received.correlation is not None and len(received.correlation) > _LONGEST_CORRELATION:
        return Reply(
            default,
            fault=f"the correlation data has {len(received.correlation)} bytes, and at most "
            f"{_LONGEST_CORRELATION} are carried back",
        )
    asked = received.response_topic
    if asked is None:
        return Reply(default, received.correlation)
    within = asked.startswith(topics.responses) and len(asked) > len(topics.responses)
    if not within or "+" in asked or "#" in asked or len(asked.encode()) > _LONGEST_TOPIC:
        return Reply(
            default,
            received.correlation,
            f"the response topic {asked[:100]!r} is not below {topics.responses}",
        )
    return Reply(asked, received.correlation)


def _check_sense(arguments: Arguments, now: float) -> None:
    match arguments:
        case ResendArguments(first=first, last=last) if last < first:
            raise RefusedError(f"the range from {first} to {last} runs backwards")
        case RuleArguments(enabled=False, until=None):
            raise RefusedError("a rule rests until a time: `until` is asked for")
        case RuleArguments(enabled=False, until=until) if until is not None:
            seconds = until.timestamp() - now
            if seconds <= 0:
                raise RefusedError(f"`until` is over: this device's clock says {rfc3339(now)}")
            if seconds > _LONGEST_OFF:
                raise RefusedError(
                    f"a rule rests for at most {_LONGEST_OFF / 86400:g} days at a time; for "
                    "longer, take it out of the configuration"
                )


def _verified(payload: bytes, keys: Mapping[str, bytes]) -> bytes:
    """The content of the envelope `payload`, if one of `keys` signed it. Raises RefusedError."""
    try:
        envelope = Envelope.model_validate_json(payload)
        body = base64.b64decode(envelope.payload, validate=True)
        signatures = [
            (each.keyid, base64.b64decode(each.sig, validate=True)) for each in envelope.signatures
        ]
    except (ValidationError, binascii.Error) as error:
        what = reason(error) if isinstance(error, ValidationError) else "what is in it is no base64"
        raise RefusedError(
            f"only signed commands are done here, and this is no DSSE envelope: {what}"
        ) from error
    if not any(_signed(keys.get(key_id), value, body) for key_id, value in signatures):
        asked = ", ".join(sorted(keys))
        raise RefusedError(f"the command is not signed by one of the trusted keys ({asked})")
    return body


def _signed(key: bytes | None, signature: bytes, body: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if key is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, pae(SIGNED_TYPE, body))
    except InvalidSignature:
        return False
    return True
