"""Makes a replay out of command-line arguments: with a configuration, or with none at all.

The arguments become a configuration document, so that they mean the same, are checked in the same
way and are complained about in the same words as the keys of a file.
"""

from __future__ import annotations

import argparse
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from edge_runtime.alerts.alert import Origin
from edge_runtime.bundle.shipped import PERSON, SUFFIX, shipped
from edge_runtime.config import (
    FIXED_BY_BUNDLE,
    MODEL_KINDS,
    ModelConfig,
    load,
    of_document,
    read_document,
)
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.service.replay import Replay

_MODEL_KEYS = ("device", "threads", "threshold", "output", "resize", "colour", "range")
_CALLED = "arguments"


class ArgumentError(EdgeRuntimeError):
    """Arguments that do not fit together, or have no meaning."""


def replay_of(arguments: argparse.Namespace) -> Replay:
    """The replay that the arguments describe; raises EdgeRuntimeError."""
    document, folder = _base(arguments)
    document["cameras"] = [_camera(arguments, document["cameras"])]
    document["rules"] = _rules(arguments, document)
    config = of_document(document, folder, _CALLED)
    return Replay(
        camera=config.cameras[0],
        rules=config.rules,
        model=config.model,
        heads=config.heads,
        origin=Origin(config.device.site, config.device.name),
        start=_start(arguments),
    )


def model_of(arguments: argparse.Namespace) -> ModelConfig:
    """The model that the arguments describe; raises EdgeRuntimeError."""
    document, folder = _base(arguments)
    return of_document(document, folder, _CALLED).model


def _base(arguments: argparse.Namespace) -> tuple[dict[str, Any], Path]:
    """The configuration's document, or an empty one, with the model that the arguments name."""
    own = {key: value for key in _MODEL_KEYS if (value := getattr(arguments, key)) is not None}
    for key in ("labels", "trusted_keys"):
        if path := getattr(arguments, key):
            own[key] = str(path.absolute())
    own |= _named_model(arguments.model)
    if arguments.config:
        load(arguments.config)  # tells what is wrong with the file itself, with its lines
        document = read_document(arguments.config)
        return document | {"model": _model(document, own)}, arguments.config.absolute().parent
    if not arguments.model:
        if PERSON not in shipped() or not own.keys().isdisjoint(FIXED_BY_BUNDLE):
            raise ArgumentError(
                "no model: give --model FILE.tflite and --labels FILE, or --model BUNDLE, or "
                "--config FILE"
            )
        own["name"] = PERSON
    device = {"site": "local", "name": "replay"}
    cameras = [{"name": "clip", "source": "synthetic:"}]
    return {"device": device, "model": own, "cameras": cameras}, Path.cwd()


def _named_model(text: str | None) -> dict[str, str]:
    """What --model names: a file, a bundle, or the name of one that comes with the package."""
    if text is None:
        return {}
    path = Path(text)
    if path.suffix == SUFFIX:
        return {"bundle": str(path.absolute())}
    if text in shipped() or not (path.exists() or path.suffix or len(path.parts) > 1):
        return {"name": text}
    return {"path": str(path.absolute())}


def _model(document: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """The configuration's model, unless the arguments name another, and what they say of it."""
    if not own.keys().isdisjoint(MODEL_KINDS):
        return own
    configured = document["model"]
    return ({"name": configured} if isinstance(configured, str) else configured) | own


def _camera(arguments: argparse.Namespace, cameras: list[dict[str, Any]]) -> dict[str, Any]:
    """The clip in the place of the camera that is meant."""
    names = [camera["name"] for camera in cameras]
    if arguments.camera is None and len(names) > 1:
        raise ArgumentError(
            f"{arguments.config} has the cameras {', '.join(names)}: name one with --camera"
        )
    name = arguments.camera or names[0]
    if name not in names:
        raise ArgumentError(f"there is no camera {name!r} in --config, only {', '.join(names)}")
    own: dict[str, Any] = {"source": _source(arguments.clip)}
    if arguments.fps is not None:
        own["fps"] = arguments.fps
    if arguments.no_motion_gate:
        own["motion"] = {"enabled": False}
    return {**cameras[names.index(name)], **own}


def _source(clip: str) -> str:
    """A path counts from where the command is given, not from the configuration's folder."""
    path = Path(clip).expanduser()
    return str(path.absolute()) if path.exists() or ":" not in clip else clip


def _rules(arguments: argparse.Namespace, document: dict[str, Any]) -> list[dict[str, Any]]:
    """The camera's rules, and those of the arguments."""
    camera = document["cameras"][0]["name"]
    rules = [
        {key: value for key, value in rule.items() if key != "cameras"}
        for rule in document.get("rules", ())
        if camera in rule.get("cameras", [camera])
    ]
    for number, text in enumerate(arguments.presence, 1):
        label, _, seconds = text.rpartition("=")
        name = "presence" if len(arguments.presence) == 1 else f"presence-{number}"
        try:
            rule = {"kind": "presence", "classes": [label], "seconds": float(seconds)}
        except ValueError:
            label = ""
        if not label:
            raise ArgumentError(f"--presence {text!r} is not CLASS=SECONDS, as person=1.0 is")
        rules.append({"name": name, **rule})
    return rules


def _start(arguments: argparse.Namespace) -> float:
    text = getattr(arguments, "start", None)
    if text is None:
        return time.time()
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise ArgumentError(
            f"--start {text!r} is not a time, as 2026-11-23T22:00:00+01:00 is"
        ) from error
