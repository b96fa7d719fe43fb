"""From the configuration to the parts that it describes: the only place that knows both."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from edge_runtime.alerts.limits import Limits as OutboxLimits
from edge_runtime.alerts.outbox import Outbox
from edge_runtime.analysis.closer import CloserLooks
from edge_runtime.analysis.motion import MotionGate, MotionSettings
from edge_runtime.analysis.still_objects import StillObjects
from edge_runtime.analysis.tracking import CONTINUE_FRACTION, Tracker, TrackerSettings
from edge_runtime.bundle.trust import TrustedKeys
from edge_runtime.capture.source import SourceSettings
from edge_runtime.config import PERSON, CameraConfig, Config, RuleConfig
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference.model import ModelSettings, load_detector
from edge_runtime.messaging import home_assistant
from edge_runtime.messaging.commands import Admission, CommandName
from edge_runtime.messaging.connection import Message
from edge_runtime.messaging.publisher import Publisher
from edge_runtime.messaging.receipts import AcknowledgedBy
from edge_runtime.messaging.settings import MqttSettings, default_client_id
from edge_runtime.messaging.topics import Topics
from edge_runtime.rules.camera_health import SEVERITIES, CameraHealth, HealthSettings
from edge_runtime.rules.rule import Rule
from edge_runtime.rules.switch import Rests, Switched
from edge_runtime.service.album import FOLDER_NAME, Album, Limits
from edge_runtime.service.models import HeadModels
from edge_runtime.service.pipeline import KnowsFaces, Looks, Pipeline
from edge_runtime.service.ruling import asking_for_faces, hours, looks_for_things, rule_of
from edge_runtime.service.second_look import Examiner, SecondLook
from edge_runtime.service.snapshots import SURE_ENOUGH
from edge_runtime.timing import Lap, no_lap


class StateDirectoryError(EdgeRuntimeError):
    """There is no place for the outbox."""


def state_directory(config: Config) -> Path:
    """Where the outbox lives: as configured, else as systemd says, else the user's own."""
    if config.device.state_dir is not None:
        return config.device.state_dir
    if systemd := os.environ.get("STATE_DIRECTORY"):
        return Path(systemd.split(":")[0])
    return default_state_directory()


def made_state_directory(config: Config) -> Path:
    """The same, made if it is not there; raises StateDirectoryError."""
    path = state_directory(config)
    try:
        path.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise StateDirectoryError(
            f"the state directory {path} cannot be made ({error.strerror}): set device.state_dir "
            "to a folder that this user may write to"
        ) from error
    return path


def default_state_directory() -> Path:
    """The user's own place; see the XDG Base Directory Specification.

    Raises:
        StateDirectoryError: the user has none.
    """
    if base := os.environ.get("XDG_STATE_HOME"):
        return Path(base) / "edge-runtime"
    try:
        return Path.home() / ".local" / "state" / "edge-runtime"
    except RuntimeError as error:
        raise StateDirectoryError(
            "this user has no home folder to keep the state in: set device.state_dir"
        ) from error


def pipeline(
    camera: CameraConfig,
    rules: tuple[RuleConfig, ...],
    model: ModelSettings,
    detector: Looks,
    lap: Lap = no_lap,
    *,
    rests: Rests | None = None,
    faces: KnowsFaces | None = None,
) -> Pipeline:
    """The way of `camera`'s frames through `detector` and `rules`, but for those in `rests`."""
    tracker = TrackerSettings(threshold=model.threshold, thresholds=dict(model.thresholds))
    motion = camera.motion
    gate = MotionSettings(
        enabled=motion.enabled,
        area=motion.area,
        level=motion.level,
        hold=motion.hold,
        longest_rest=motion.longest_rest,
    )
    switched = [_switched(rule, camera, rests or Rests()) for rule in rules]
    things = StillObjects() if looks_for_things(rules) else None
    return Pipeline(
        detector,
        MotionGate(gate),
        Tracker(tracker),
        switched,
        lap,
        things=things,
        faces=faces,
        health=_health(camera),
        closer=(
            CloserLooks(camera.closer_looks, tracker.begins)
            if camera.closer_looks and detector.locates
            else None
        ),
    )


def _health(camera: CameraConfig) -> CameraHealth | None:
    health = camera.health
    if not health.enabled:
        return None
    return CameraHealth(
        HealthSettings(
            camera.name,
            severities=dict.fromkeys(SEVERITIES, health.severity) if health.severity else {},
            # Told by the time at which the camera counts as lost, not after it.
            silent_after=max(0.8 * camera.stale_after, 2 / camera.fps if camera.fps else 0.0),
            cooldown=health.cooldown,
            lit=hours(health.lit) if health.lit else None,
        )
    )


def second_look(
    camera: CameraConfig, rules: Iterable[RuleConfig], heads: HeadModels | None, *, apart: bool
) -> SecondLook | None:
    """The second look at `camera`'s people; None where no rule asks for it.

    Args:
        camera: the camera.
        rules: its rules.
        heads: the models; None: there are none.
        apart: whether a thread of its own looks, beside the stream.

    Raises:
        ModelError: a model cannot be used.
    """
    watches = asking_for_faces(rules, camera)
    if heads is None or not watches:
        return None
    detector = load_detector(heads.detector) if heads.detector else None
    examiner = Examiner(load_detector(heads.classifier), detector)
    return SecondLook(watches, heads.rate, examiner, apart=apart)


def _switched(rule: RuleConfig, camera: CameraConfig, rests: Rests) -> Rule:
    return Switched(lambda: rule_of(rule, camera), lambda: rests.until(camera.name, rule.name))


def source_settings(camera: CameraConfig) -> SourceSettings:
    """How the camera's pictures are got."""
    width, height = camera.resolution or (None, None)
    return SourceSettings(
        camera.source.get_secret_value(),
        width=width,
        height=height,
        fps=camera.fps,
        stale_after=camera.stale_after,
        masks=tuple(mask.polygon for mask in camera.masks),
    )


def sought(
    model: ModelSettings, rules: Iterable[RuleConfig] = (), *, blurring: bool = False
) -> ModelSettings:
    """How `model` is loaded for the classes that `rules` ask for, or for all if there are none.

    The detector is asked for less sure detections than those that begin a track: the tracker
    goes on with what it knows on their word. For `blurring`, people are asked for in any case, and
    all that resemble one.
    """
    classes = frozenset(label for rule in rules for label in rule.classes)
    threshold = model.threshold * CONTINUE_FRACTION
    thresholds = {name: least * CONTINUE_FRACTION for name, least in model.thresholds.items()}
    if blurring:
        classes = classes and classes | {PERSON}
        thresholds[PERSON] = min(thresholds.get(PERSON, threshold), SURE_ENOUGH)
    return replace(model, classes=classes or None, threshold=threshold, thresholds=thresholds)


def outbox_limits(config: Config) -> OutboxLimits:
    """How large the outbox may become."""
    asked = config.outbox
    return OutboxLimits(asked.max_bytes, asked.max_alerts, asked.min_free_disk)


def mqtt_settings(config: Config) -> MqttSettings | None:
    """Where the broker is; None where there is none."""
    mqtt, device = config.mqtt, config.device
    if mqtt is None:
        return None
    tls = mqtt.tls
    # A broker that knows its clients by their certificates asks for the name in it.
    certified = device.name if tls and tls.certificate else None
    return MqttSettings(
        host=mqtt.host,
        port=mqtt.port,
        client_id=mqtt.client_id or certified or default_client_id(device.site, device.name),
        username=mqtt.username,
        password=mqtt.password.get_secret_value() if mqtt.password else None,
        tls=tls is not None,
        ca=tls.ca if tls else None,
        certificate=tls.certificate if tls else None,
        key=tls.key if tls else None,
        keepalive=mqtt.keepalive,
    )


def discovery(config: Config) -> Message | None:
    """What Home Assistant is told of the device; None where it is told nothing."""
    if config.mqtt is None or config.mqtt.home_assistant is None:
        return None
    cameras = [camera.name for camera in config.cameras]
    watched = [
        home_assistant.Watched(camera, rule.kind, rule.name)
        for camera in cameras
        for rule in config.rules_for(camera)
    ]
    topics = Topics(config.device.site, config.device.name)
    return home_assistant.discovery(topics, config.mqtt.home_assistant, cameras, watched)


def publisher(config: Config, outbox: Outbox) -> Publisher | None:
    """Who brings the alerts of `outbox` to the broker; None where there is none."""
    mqtt, settings = config.mqtt, mqtt_settings(config)
    if mqtt is None or settings is None:
        return None
    return Publisher(
        settings,
        outbox,
        Topics(config.device.site, config.device.name),
        acknowledged_by=AcknowledgedBy(mqtt.acknowledgement),
        resend_after=mqtt.resend_after,
    )


def admission(config: Config) -> Admission:
    """Which commands the device does, and from whom. Raises TrustError."""
    keys = config.commands.trusted_keys
    return Admission(
        Topics(config.device.site, config.device.name),
        frozenset(CommandName(name) for name in config.commands.allow),
        None if keys is None else TrustedKeys.read(keys).keys,
    )


def album(config: Config) -> Album | None:
    """Where snapshots are kept; None where there are none."""
    snapshots = config.snapshots
    if snapshots is None:
        return None
    limits = Limits(snapshots.keep_days * 24 * 3600, snapshots.keep_megabytes * 1_000_000)
    return Album(state_directory(config) / FOLDER_NAME, limits)


def device_key(config: Config) -> Path | None:
    """The device's own private key: that of its TLS certificate; None where it has none."""
    tls = config.mqtt.tls if config.mqtt else None
    return tls.key if tls else None
