"""The device's configuration: one TOML file, validated as a whole.

`load` either gives settings that can be used, or tells everything that is wrong at once, each
with its line. What the keys mean for a person is in docs/configuration.md.
"""

from edge_runtime.config.cameras import CameraConfig, MotionConfig
from edge_runtime.config.document import Config, schema
from edge_runtime.config.errors import ConfigError
from edge_runtime.config.inference import HeadsConfig, ModelConfig
from edge_runtime.config.loading import load, of_document, read_document
from edge_runtime.config.mqtt import TlsConfig
from edge_runtime.config.rules import DAYS, PresenceConfig, RuleConfig, ScheduleConfig
from edge_runtime.config.snapshots import PERSON, SnapshotsConfig
from edge_runtime.config.values import FIXED_BY_BUNDLE, MODEL_KINDS

__all__ = [
    "DAYS",
    "FIXED_BY_BUNDLE",
    "MODEL_KINDS",
    "PERSON",
    "CameraConfig",
    "Config",
    "ConfigError",
    "HeadsConfig",
    "ModelConfig",
    "MotionConfig",
    "PresenceConfig",
    "RuleConfig",
    "ScheduleConfig",
    "SnapshotsConfig",
    "TlsConfig",
    "load",
    "of_document",
    "read_document",
    "schema",
]
