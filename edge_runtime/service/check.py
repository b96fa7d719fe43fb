"""Says what is wrong with a configuration and, if asked, with the things that it names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_runtime.config import CameraConfig, Config, load
from edge_runtime.config.errors import ConfigError
from edge_runtime.errors import EdgeRuntimeError


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one thing."""

    good: bool
    about: str
    text: str

    def __str__(self) -> str:
        return f"{'ok   ' if self.good else 'WRONG'} {self.about}: {self.text}"

    def as_dict(self) -> dict[str, Any]:
        """The same for a machine."""
        return asdict(self)


def check(path: Path, *, live: bool) -> Iterator[Finding]:
    """All that is found, one after another; `live` also opens what the configuration names."""
    try:
        config = load(path)
    except ConfigError as error:
        for problem in error.problems:
            yield Finding(False, "configuration", str(problem))
        return
    yield Finding(True, "configuration", _summary(config))
    yield from _certificate(config)
    if live:
        yield _model(config)
        for camera in config.cameras:
            yield _camera(camera)
        yield _broker(config)


def _summary(config: Config) -> str:
    cameras = ", ".join(camera.name for camera in config.cameras)
    rules = ", ".join(rule.name for rule in config.rules) or "none, so nothing will be told"
    broker = f"{config.mqtt.host}:{config.mqtt.port}" if config.mqtt else "none"
    return (
        f"{config.path} is valid; site {config.device.site}, device {config.device.name}, "
        f"cameras {cameras}; rules {rules}; broker {broker}"
    )


def _certificate(config: Config) -> Iterator[Finding]:
    """Whose certificate the device has; for how long it is valid."""
    from edge_runtime.service import identity

    wrong = identity.mismatch(config)
    if wrong:
        yield Finding(False, "certificate", wrong)
    for text in identity.warnings(config):
        if text != wrong:
            yield Finding(True, "certificate", text)


def _model(config: Config) -> Finding:
    from edge_runtime.inference.model import load_detector
    from edge_runtime.service import models, wiring

    try:
        with models.borrowed(config.model, on_duty=config.device.production) as model:
            detector = load_detector(wiring.sought(model.settings, config.rules))
        with models.borrowed_heads(
            config.heads, config.rules, on_duty=config.device.production
        ) as heads:
            for settings in (heads.classifier, heads.detector) if heads else ():
                if settings:
                    load_detector(settings)
    except EdgeRuntimeError as error:
        return Finding(False, "model", str(error))
    status = detector.status()
    text = f"{model.title} with {len(detector.labels)} classes on {status.backend}: {status.reason}"
    return Finding(True, "model", f"{text}; {model.warning}" if model.warning else text)


def _camera(camera: CameraConfig) -> Finding:
    """Open the camera and take one picture."""
    from edge_runtime.capture.source import SourceError
    from edge_runtime.capture.sources import probe
    from edge_runtime.service import wiring

    about = f"camera {camera.name}"
    try:
        info, picture = probe(wiring.source_settings(camera))
    except SourceError as error:
        return Finding(False, about, str(error))
    height, width = picture.image.shape[:2]
    rate = f" at {info.fps:g} pictures a second" if info.fps else ""
    return Finding(True, about, f"{info.description} gives {width} x {height} pixels{rate}")


def _broker(config: Config) -> Finding:
    from edge_runtime.messaging.failures import MqttError
    from edge_runtime.messaging.probe import probe, shake_hands
    from edge_runtime.service import wiring

    settings = wiring.mqtt_settings(config)
    if settings is None:
        return Finding(True, "broker", "none is configured: alerts stay on the device")
    try:
        # A broker that takes the client id from the certificate would throw the daemon out.
        if settings.certificate and (link := _link_of_daemon(config)):
            text = f"{shake_hands(settings)}; the daemon that runs says that it is {link}"
            return Finding(True, "broker", text)
        return Finding(True, "broker", probe(settings))
    except MqttError as error:
        return Finding(False, "broker", str(error))


def _link_of_daemon(config: Config) -> str | None:
    """How the link of the daemon that runs this configuration is; None where none runs."""
    from edge_runtime.service.control import NotRunningError
    from edge_runtime.service.status import ask_daemon

    try:
        link = ask_daemon(config.path)["mqtt"]
    except NotRunningError:
        return None
    return str(link["link"]) if link else None
