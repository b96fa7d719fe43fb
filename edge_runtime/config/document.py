"""The configuration as a whole.

What its keys mean for a person is in docs/configuration.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr

from edge_runtime.config.cameras import CameraConfig
from edge_runtime.config.commands import CommandsConfig
from edge_runtime.config.inference import HeadsConfig, ModelConfig
from edge_runtime.config.mqtt import MqttConfig
from edge_runtime.config.outbox import OutboxConfig
from edge_runtime.config.rules import RuleConfig
from edge_runtime.config.snapshots import SnapshotsConfig
from edge_runtime.config.values import MODEL_KINDS, Listed, Name, ResolvedPath, Section
from edge_runtime.json_schema import schema_of


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
