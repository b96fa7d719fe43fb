"""The section ``[mqtt]``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from edge_runtime.config.values import Host, ReadableFile, Section, Text, TopicPrefix, context

PLAIN_PORT, TLS_PORT = 1883, 8883


class TlsConfig(Section):
    """TLS to the broker. The table alone, even if empty, turns it on."""

    ca: ReadableFile | None = Field(
        default=None,
        description="The certificate of the authority that signed the broker's, in PEM form; by "
        "default those that the system trusts.",
        examples=["tls/ca.pem"],
    )
    certificate: ReadableFile | None = Field(
        default=None,
        description="This device's certificate, in PEM form; needs `key`.",
        examples=["tls/atm-1.pem"],
    )
    key: ReadableFile | None = Field(
        default=None,
        validate_default=True,
        description="The certificate's private key, in PEM form and not encrypted.",
        examples=["tls/atm-1.key"],
    )

    @field_validator("ca", "certificate")
    @classmethod
    def _valid_now(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path is None or not context(info).check_files:
            return path
        from edge_runtime.certificates import read_certificates

        try:
            faults = [each.fault(context(info).now) for each in read_certificates(path)]
        except ValueError as error:
            raise ValueError(f"{path} {error}") from None
        # Of a bundle of authorities one is enough; of a certificate's chain all are needed.
        told = next(filter(None, faults), None) if context(info).check_dates else None
        if told is not None and (info.field_name == "certificate" or None not in faults):
            raise ValueError(f"the certificate {path} {told}")
        return path

    @field_validator("key")
    @classmethod
    def _fits_certificate(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if "certificate" not in info.data:
            return key  # told already
        certificate: Path | None = info.data["certificate"]
        if (certificate is None) != (key is None):
            given, lacking = ("key", "certificate") if key else ("certificate", "key")
            raise ValueError(f"there is a {given} without a {lacking}; both or neither are needed")
        if certificate and key and context(info).check_files:
            from edge_runtime.certificates import check_key

            try:
                check_key(certificate, key)
            except ValueError as error:
                raise ValueError(f"{key} {error}") from None
        return key


class MqttConfig(Section):
    """The broker. Without this table alerts stay on the device."""

    host: Host = Field(
        description="The broker's name or address.", examples=["mqtt.example.com"], min_length=1
    )
    port: int = Field(
        default=PLAIN_PORT,
        ge=1,
        le=65535,
        description=f"The broker's port; by default {TLS_PORT} with TLS.",
        examples=[TLS_PORT],
    )
    client_id: Text | None = Field(
        default=None,
        description="The MQTT client identifier; by default the device's name where it has a "
        "certificate, or else made from site and device.",
        examples=["paris-12-atm-1"],
    )
    username: Text | None = Field(
        default=None, description="The user name at the broker.", examples=["atm-1"]
    )
    password_file: ReadableFile | None = Field(
        default=None,
        description="A file that holds the password, and nothing else.",
        examples=["mqtt-password"],
    )
    password: SecretStr | None = Field(
        default=None,
        min_length=1,
        validate_default=True,
        description="The password itself, where no file can be had for it.",
    )
    keepalive: int = Field(
        default=10,
        ge=1,
        le=65535,
        description="Seconds without traffic after which the device asks whether the broker is "
        "there; it waits as long again for the answer.",
        examples=[10],
    )
    home_assistant: TopicPrefix | None = Field(
        default=None,
        description="What the discovery topics of a Home Assistant begin with, which is to know "
        "this device.",
        examples=["homeassistant"],
    )
    acknowledgement: Literal["centre", "broker"] = Field(
        default="centre",
        description="Whose word lets the device forget an alert: the monitoring centre's or, where "
        "there is none, the broker's, which may lose what it took.",
    )
    resend_after: float = Field(
        default=30.0,
        ge=1,
        le=3600,
        description="Seconds without an acknowledgement of the centre's after which what waits for "
        "it is sent again; they double each time that none comes, up to ten minutes.",
        examples=[30.0],
    )
    tls: TlsConfig | None = Field(default=None, description="TLS; even an empty table turns it on.")

    @model_validator(mode="before")
    @classmethod
    def _default_port(cls, table: object) -> object:
        return {"port": TLS_PORT, **table} if isinstance(table, dict) and "tls" in table else table

    @field_validator("password_file")
    @classmethod
    def _holds_password(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path is not None and context(info).check_files:
            _read_password(path)
        return path

    @field_validator("password")
    @classmethod
    def _one_password(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        """The password itself, wherever it stood."""
        path = info.data.get("password_file")
        if (path or password) and info.data.get("username", "") is None:
            raise ValueError("there is a password without a user name; username is asked for, too")
        if path is None:
            return password
        if password is not None:
            raise ValueError("there is a password_file, too; only one of the two is asked for")
        return SecretStr(_read_password(path)) if context(info).check_files else None


def _read_password(path: Path) -> str:
    try:
        password = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise ValueError(
            f"{path} is not UTF-8 text; one line with the password is asked for"
        ) from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror})") from None
    if not password:
        raise ValueError(f"{path} is empty; one line with the password is asked for")
    return password
