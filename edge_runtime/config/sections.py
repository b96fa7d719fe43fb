"""The sections of the configuration and their keys.

What they mean for a person is in docs/configuration.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema

from edge_runtime.alerts.alert import Severity
from edge_runtime.config.commands import CommandsConfig
from edge_runtime.config.models import COVERED_FACE
from edge_runtime.config.outbox import OutboxConfig
from edge_runtime.config.rules import RuleConfig, ScheduleConfig
from edge_runtime.config.snapshots import SnapshotsConfig
from edge_runtime.config.values import (
    MODEL_KINDS,
    Host,
    Listed,
    MaskPolygon,
    ModelDevice,
    Name,
    Pair,
    Points,
    Polygon,
    Range,
    ReadableFile,
    ResolvedPath,
    Seconds,
    Section,
    Source,
    Text,
    TopicPrefix,
    context,
)
from edge_runtime.json_schema import WithoutNull

Score = Annotated[float, Field(gt=0, lt=1)]
Pixels = Annotated[int, Field(ge=1, le=16384)]

PLAIN_PORT, TLS_PORT = 1883, 8883


class DeviceConfig(Section):
    """Who this device is."""

    site: Name = Field(
        description="The branch or place; a level of every MQTT topic.", examples=["paris-12"]
    )
    name: Name = Field(
        description="This device, unique within the site; a level of every MQTT topic.",
        examples=["atm-1"],
    )
    state_dir: ResolvedPath | None = Field(
        default=None,
        description="The folder in which alerts wait; by default $STATE_DIRECTORY (systemd sets "
        "it), or else ~/.local/state/edge-runtime.",
        examples=["/var/lib/edge-runtime"],
    )
    production: bool = Field(
        default=False,
        description="true: only bundles that one of `trusted_keys` signed are taken as models, and "
        "none that is meant for demonstrations.",
    )


class ModelConfig(Section):
    """The detector, what it runs on and how its inputs and outputs are read.

    It is a file (`path`), a signed bundle (`bundle`), or a bundle that comes with the package
    (`name`).
    """

    path: ReadableFile | None = Field(
        default=None,
        description="The .tflite file for the CPU.",
        examples=["models/detector.tflite"],
    )
    bundle: ReadableFile | None = Field(
        default=None,
        description="A signed bundle, in place of `path`: it brings its labels and settings.",
        examples=["models/person-12.edgebundle"],
    )
    name: Text | None = Field(
        default=None,
        description="The name of a bundle that comes with the package, in place of `path`.",
        examples=["person"],
    )
    trusted_keys: ResolvedPath | None = Field(
        default=None,
        description="Whose bundles are taken: a file of public keys in PEM form, or a folder of "
        "*.pem; without it, only what is signed with the demonstration key.",
        examples=["keys"],
    )
    labels: ReadableFile | None = Field(
        default=None,
        description="The class names, one a line; a model of a kind that knows its own "
        "(`blazeface`) needs none.",
        examples=["models/labels.txt"],
    )
    edgetpu_path: ReadableFile | None = Field(
        default=None,
        description="The model compiled for the Edge TPU; by default the file beside `path` "
        "whose name ends in _edgetpu.tflite.",
        examples=["models/detector_edgetpu.tflite"],
    )
    device: ModelDevice = Field(
        default="auto",
        description="What runs the model: `cpu`, `tpu`, `tpu:N` for one of several (from 0), or "
        "`auto`, which takes a TPU where there is one.",
        examples=["auto"],
    )
    threads: int = Field(
        default=1, ge=1, le=16, description="Threads of the interpreter on the CPU.", examples=[2]
    )
    threshold: Score | None = Field(
        default=None,
        description="The score from which a detection counts; by default what the bundle says, or "
        "else 0.5.",
        examples=[0.6],
    )
    thresholds: dict[str, Score] = Field(
        default_factory=dict,
        description="Thresholds for single classes, in place of `threshold`.",
    )
    output: Literal["auto", "ssd", "classifier", "yolo", "blazeface"] = Field(
        default="auto", description="How the outputs are laid out; `auto` decides by their shapes."
    )
    resize: Literal["stretch", "letterbox"] | None = Field(
        default=None,
        description="How a picture is fitted into the model's input: `letterbox` keeps its "
        "proportions; by default as models of that kind expect it.",
    )
    colour: Literal["rgb", "bgr", "grey"] = Field(
        default="rgb", description="The order of colours that the model was trained on."
    )
    range: Range | None = Field(
        default=None,
        description="The numbers that stand for black and white in the model's input; by default "
        "what the model itself says, or what its kind expects.",
        examples=[[-1, 1]],
    )
    max_detections: int = Field(
        default=100,
        ge=1,
        le=1000,
        description="The most objects taken from one picture.",
        examples=[100],
    )

    @field_validator("labels")
    @classmethod
    def _holds_labels(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path is not None and context(info).check_files:
            from edge_runtime.inference.engine import ModelError
            from edge_runtime.inference.labels import read_labels

            try:
                read_labels(path)
            except ModelError as error:
                raise ValueError(str(error)) from None
        return path


class HeadsConfig(Section):
    """The second look at the heads of people, which rules of the kind covered-face ask for."""

    rate: float = Field(
        default=2.0,
        gt=0,
        le=30,
        description="The most heads to look at a second, for each camera.",
    )
    classifier: ModelConfig = Field(
        default_factory=lambda: ModelConfig(name=COVERED_FACE),
        description="Says how sure it is that a face is covered; keys as in [model].",
        json_schema_extra={"default": {"name": COVERED_FACE}},
    )
    detector: ModelConfig | None = Field(
        default=None,
        description="Finds faces; without it, nobody looks for one. Keys as in [model].",
    )


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


class MotionConfig(Section):
    """The motion gate, which spares the detector while nothing moves."""

    enabled: bool = Field(default=True, description="false: every picture goes to the detector.")
    area: float = Field(
        default=0.002,
        gt=0,
        le=1,
        description="The fraction of the picture that has to change.",
        examples=[0.002],
    )
    level: int = Field(
        default=12,
        ge=1,
        le=255,
        description="By how many grey levels a pixel has to change.",
        examples=[12],
    )
    hold: float = Field(
        default=0.3,
        ge=0,
        description="Seconds for which the gate stays open after the last motion.",
        examples=[0.3],
    )
    longest_rest: float = Field(
        default=5.0,
        gt=0,
        description="Seconds after which the detector looks in any case.",
        examples=[5.0],
    )


class HealthConfig(Section):
    """What is told of the camera itself: that it is covered, turned, frozen and the like."""

    enabled: bool = Field(default=True, description="false: nothing is told of the camera itself.")
    severity: Severity | None = Field(
        default=None,
        strict=False,
        description="How urgent its alerts are; by default as urgent as each condition is.",
        examples=["high"],
    )
    cooldown: Seconds = Field(
        default=10.0,
        description="Seconds after a condition's end during which the same one does not start "
        "again.",
        examples=[10.0],
    )
    lit: ScheduleConfig | None = Field(
        default=None,
        description="The hours in which there is light: `dark` is told only then.",
        examples=[{"from": "07:00", "to": "20:00", "time_zone": "Europe/Paris"}],
    )


class ZoneConfig(Section):
    """A part of a camera's picture."""

    name: Name = Field(
        description="The zone's name, unique within the camera.", examples=["counter"]
    )
    polygon: Polygon = Field(
        description="Its corners, one after another around it: three or more [x, y], as fractions "
        "of the picture's width and height, from the upper left corner.",
        examples=[[[0.1, 0.2], [0.9, 0.2], [0.9, 1.0], [0.1, 1.0]]],
    )


class MaskConfig(Section):
    """A part of a camera's picture that nobody is to see."""

    polygon: MaskPolygon = Field(
        description="Its corners, as those of a zone.",
        examples=[[[0.0, 0.0], [0.2, 0.0], [0.2, 0.3], [0.0, 0.3]]],
    )


class LineConfig(Section):
    """A line across a camera's picture, that is crossed in one direction or in the other."""

    name: Name = Field(description="The line's name, unique within the camera.", examples=["door"])
    points: Points = Field(
        description="Its two ends, [x, y] as fractions of the picture's width and height, from "
        "the upper left corner. Who crosses it from the left to the right of the way from the "
        "first to the second comes in.",
        examples=[[[0.2, 0.6], [0.8, 0.6]]],
    )


class CameraConfig(Section):
    """A camera, or a clip in place of one."""

    name: Name = Field(
        description="The camera's name, unique on the device; a level of its alerts' topics.",
        examples=["atm"],
    )
    source: Source = Field(
        description="Where its pictures come from.", examples=["rtsp://user:password@10.0.0.7/1"]
    )
    resolution: Pair[Pixels] | None = Field(
        default=None,
        description="Width and height in pixels to ask the camera for; by default its own choice.",
        examples=[[1280, 720]],
    )
    fps: float | None = Field(
        default=None,
        gt=0,
        description="The most pictures a second to look at; by default all.",
        examples=[5],
    )
    closer_looks: float = Field(
        default=10.0,
        ge=0,
        description="The most looks a second at a part of the picture, larger, for people who are "
        "small in it; 0: none.",
        examples=[5],
    )
    stale_after: float = Field(
        default=5.0,
        gt=0,
        description="Seconds without a picture after which the camera counts as lost.",
        examples=[5.0],
    )
    motion: MotionConfig = Field(default=MotionConfig(), description="When the detector may rest.")
    health: HealthConfig = Field(
        default_factory=HealthConfig, description="What is told of the camera itself."
    )
    zones: Listed[ZoneConfig] = Field(
        default=(), description="Parts of the picture that rules name."
    )
    lines: Listed[LineConfig] = Field(
        default=(), description="Lines across the picture that rules name."
    )
    masks: Listed[MaskConfig] = Field(
        default=(), description="Parts of the picture that are made black before anything sees it."
    )


class Config(Section):
    """The configuration of an edge-runtime device."""

    device: DeviceConfig = Field(description="Who this device is.")
    model: ModelConfig = Field(description="The detector.")
    heads: HeadsConfig = Field(
        default_factory=HeadsConfig,
        description="The second look at heads, where a rule asks for it.",
    )
    mqtt: MqttConfig | None = Field(
        default=None, description="The broker; without it alerts stay on the device."
    )
    commands: CommandsConfig = Field(
        default_factory=CommandsConfig,
        description="What the centre may ask this device for.",
    )
    outbox: OutboxConfig = Field(
        default_factory=OutboxConfig, description="How large the outbox may become."
    )
    snapshots: SnapshotsConfig | None = Field(
        default=None, description="Pictures with blurred heads; without this table there are none."
    )
    cameras: Annotated[Listed[CameraConfig], Field(min_length=1)] = Field(
        description="The cameras, one table each."
    )
    rules: Listed[RuleConfig] = Field(
        default=(), description="What is to be told, one table a rule."
    )
    _path: Path = PrivateAttr(default_factory=Path)

    @property
    def path(self) -> Path:
        """The file that this configuration was loaded from."""
        return self._path

    def rules_for(self, camera: str) -> tuple[RuleConfig, ...]:
        """The rules that look at the camera of that name, in the order of the file."""
        return tuple(rule for rule in self.rules if rule.cameras is None or camera in rule.cameras)


def schema() -> dict[str, Any]:
    """The configuration as a JSON Schema (draft 2020-12), for editors."""
    made = plain_schema()
    model = made["properties"]["model"]
    made["properties"]["model"] = {
        "description": model.pop("description"),
        "anyOf": [{"type": "string", "examples": ["person"]}, model],
    }
    made["$defs"]["ModelConfig"]["oneOf"] = [{"required": [kind]} for kind in MODEL_KINDS]
    return made


def plain_schema() -> dict[str, Any]:
    """The same without what stands for something else, or forbids keys beside others."""
    return schema_of(Config)


def schema_of(document: type[BaseModel]) -> dict[str, Any]:
    """What a TOML document of that model may hold, as a JSON Schema (draft 2020-12)."""
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        **document.model_json_schema(schema_generator=WithoutNull),
    }


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
