"""The centre's configuration, centre.toml: docs/centre.md says what each key means."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from edge_runtime.config.errors import ConfigError
from edge_runtime.config.findings import findings
from edge_runtime.config.loading import located, parse, read_text
from edge_runtime.config.mqtt import PLAIN_PORT, TLS_PORT, TlsConfig
from edge_runtime.config.values import (
    Context,
    Host,
    Name,
    ReadableFile,
    ResolvedPath,
    Section,
    Text,
    context,
)
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.json_schema import schema_of
from edge_runtime.messaging.settings import MqttSettings


class CentreSettingsError(EdgeRuntimeError):
    """The configuration lacks what a command needs."""


class BrokerConfig(Section):
    """The broker that the devices speak with."""

    host: Host = Field(
        description="Its name or address.", examples=["mqtt.bank.example"], min_length=1
    )
    port: int = Field(default=PLAIN_PORT, ge=1, le=65535, description="Its port.", examples=[8883])
    client_id: Text | None = Field(
        default=None,
        description="Unique at the broker, and the same after a restart.",
        examples=["edge-centre-2"],
    )
    username: Text | None = Field(default=None, description="The user name.", examples=["centre"])
    password_file: ReadableFile | None = Field(
        default=None, description="A file that holds the password.", examples=["mqtt-password"]
    )
    keepalive: int = Field(default=15, ge=1, le=65535, description="Seconds.", examples=[15])
    group: Name = Field(
        default="centre",
        description="Centres of one group and one database share the work.",
        examples=["centre"],
    )
    session_expiry: int = Field(
        default=20,
        ge=0,
        le=7 * 86400,
        description="Seconds for which the broker keeps what comes while this centre is away.",
        examples=[20],
    )
    tls: TlsConfig | None = Field(default=None, description="TLS; even an empty table turns it on.")

    @model_validator(mode="before")
    @classmethod
    def _default_port(cls, table: object) -> object:
        return {"port": TLS_PORT, **table} if isinstance(table, dict) and "tls" in table else table

    def settings(self) -> MqttSettings:
        """The same for a connection.

        Raises:
            CentreSettingsError: the password cannot be read.
            MqttSettingsError: the settings contradict each other.
        """
        tls = self.tls
        return MqttSettings(
            host=self.host,
            port=self.port,
            client_id=self.client_id or f"edge-centre-{socket.gethostname()}",
            username=self.username,
            password=None if self.password_file is None else _password(self.password_file),
            tls=tls is not None,
            ca=tls.ca if tls else None,
            certificate=tls.certificate if tls else None,
            key=tls.key if tls else None,
            keepalive=self.keepalive,
        )


class CentreConfig(Section):
    """All of centre.toml."""

    database: Text = Field(
        description="Where the alerts are kept: sqlite:///FILE or postgresql://USER@HOST/NAME.",
        examples=["sqlite:////var/lib/edge-centre/centre.sqlite"],
    )
    mqtt: BrokerConfig | None = Field(default=None, description="Only `run` needs it.")
    silent_after: float = Field(
        default=90.0,
        gt=0,
        description="Seconds without health after which a device counts as silent.",
        examples=[90.0],
    )
    certificates: ResolvedPath | None = Field(
        default=None,
        description="A folder with the devices' certificates, SITE/DEVICE.pem: what a device says "
        "of its chain is then checked against its signature.",
        examples=["certificates"],
    )
    command_key: ReadableFile | None = Field(
        default=None,
        description="An Ed25519 private key in PEM form that signs commands, for devices that "
        "take signed ones only.",
        examples=["centre.key"],
    )

    @field_validator("database")
    @classmethod
    def _relative_to_the_file(cls, url: str, info: ValidationInfo) -> str:
        path = url.removeprefix("sqlite:///")
        if path == url or not path or path.startswith("/"):
            return url
        return f"sqlite:///{context(info).folder / path}"

    def broker(self) -> BrokerConfig:
        """The broker's table; raises CentreSettingsError where there is none."""
        if self.mqtt is None:
            raise CentreSettingsError(
                "the configuration has no table [mqtt]: run needs the broker's host in it"
            )
        return self.mqtt


def load(path: Path) -> CentreConfig:
    """Read and validate the configuration at `path`.

    Raises:
        ConfigError: with everything that is wrong.
    """
    text = read_text(path)
    document = parse(text, path)
    try:
        return CentreConfig.model_validate(
            document, context=Context(path.absolute().parent, check_files=True, check_dates=False)
        )
    except ValidationError as error:
        found = findings(error.errors(include_url=False), document, schema())
        raise ConfigError(located(list(found), text, path)) from None


def schema() -> dict[str, Any]:
    """What centre.toml may hold, as a JSON Schema."""
    return schema_of(CentreConfig)


def _password(path: Path) -> str:
    try:
        password = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CentreSettingsError(f"the password file {path} cannot be read: {error}") from error
    if not password:
        raise CentreSettingsError(f"the password file {path} is empty: the password stands in it")
    return password
