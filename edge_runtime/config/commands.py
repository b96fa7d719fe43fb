"""The section ``[commands]``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from edge_runtime.config.values import Listed, ResolvedPath, Section, context

CommandWord = Literal["status", "identify", "resend", "reload", "rule", "snapshot"]
DEFAULT_COMMANDS: tuple[CommandWord, ...] = ("status", "identify", "resend", "reload", "rule")


class CommandsConfig(Section):
    """What the centre may ask this device for, over MQTT."""

    allow: Listed[CommandWord] = Field(
        default=DEFAULT_COMMANDS,
        description="The commands that are done; an empty list: none. `snapshot` is not among them "
        "unless it is named: it lets a picture leave the device.",
        examples=[["status", "resend"]],
    )
    trusted_keys: ResolvedPath | None = Field(
        default=None,
        description="Whose commands are done: a file of Ed25519 public keys in PEM form, or a "
        "folder of *.pem. Without it, whoever the broker lets publish may command.",
        examples=["keys/centre.pem"],
    )

    @field_validator("trusted_keys")
    @classmethod
    def _holds_keys(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path is not None and context(info).check_files:
            from edge_runtime.bundle.errors import TrustError
            from edge_runtime.bundle.trust import TrustedKeys

            try:
                TrustedKeys.read(path)
            except TrustError as error:
                raise ValueError(str(error)) from None
        return path
