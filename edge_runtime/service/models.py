"""The model of a configuration, made ready to be loaded.

A file is taken as it is. A bundle is verified, laid out in a store and tried there, in this order;
what is loaded are the files in the store.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from edge_runtime.bundle import golden, store
from edge_runtime.bundle.manifest import MODEL
from edge_runtime.bundle.settings import model_settings
from edge_runtime.bundle.trust import DEMONSTRATION_KEY, key_id
from edge_runtime.config import Config, HeadsConfig, ModelConfig, RuleConfig
from edge_runtime.config.models import COVERED, shipped_path, verified
from edge_runtime.config.rules import CoveredFaceConfig
from edge_runtime.inference.model import ModelSettings, count_as_tried
from edge_runtime.inference.preprocess import Colour, Resize

logger = logging.getLogger(__name__)

STORE_NAME = "models"
"""The folder of the installed bundles, in the state directory."""
_DEFAULT_THRESHOLD = 0.5
_ANY_SCORE = 1e-6


@dataclass(frozen=True, slots=True)
class ReadyModel:
    """A model whose files lie on the disk, verified and tried where they come from a bundle.

    Attributes:
        settings: how it is loaded.
        title: what it is called, e.g. ``person 12`` or ``detector.tflite``.
        demonstration: whether anyone could have signed it.
    """

    settings: ModelSettings
    title: str
    demonstration: bool = False

    @property
    def warning(self) -> str | None:
        """What who relies on it has to know; None: nothing."""
        if not self.demonstration:
            return None
        return (
            f"model {self.title} is for demonstrations: its key is public, and it was not trained "
            "on these cameras"
        )


def ready(config: Config, state: Path) -> ReadyModel:
    """Make the daemon's model ready; a bundle is installed in the state directory.

    Raises:
        EdgeRuntimeError: it will not do. Then the bundle that was installed before still is.
    """
    model = _ready(config.model, state / STORE_NAME, on_duty=config.device.production)
    if model.warning:
        logger.warning("%s", model.warning)
    return model


@dataclass(frozen=True, slots=True)
class HeadModels:
    """The models of the second look, ready to be loaded.

    Attributes:
        rate: the most heads to look at a second, for each camera.
        classifier: says how sure it is that a face is covered.
        detector: finds faces; None: nobody looks for one.
    """

    rate: float
    classifier: ModelSettings
    detector: ModelSettings | None = None


def ready_heads(config: Config, state: Path) -> HeadModels | None:
    """Make the daemon's models of the second look ready; None where no rule asks for one.

    Raises:
        EdgeRuntimeError: one of them will not do.
    """
    return _heads(config.heads, config.rules, state / STORE_NAME, on_duty=config.device.production)


@contextmanager
def borrowed_heads(
    config: HeadsConfig, rules: Iterable[RuleConfig], *, on_duty: bool = False
) -> Iterator[HeadModels | None]:
    """The same for as long as the context lasts; nothing is left behind."""
    with tempfile.TemporaryDirectory(prefix="edge-runtime-") as folder:
        yield _heads(config, rules, Path(folder), on_duty=on_duty)


def _heads(
    config: HeadsConfig, rules: Iterable[RuleConfig], folder: Path, *, on_duty: bool
) -> HeadModels | None:
    if not any(isinstance(rule, CoveredFaceConfig) for rule in rules):
        return None
    detector = None
    if config.detector:
        detector = _ready(config.detector, folder, on_duty=on_duty).settings
    classifier = _ready(config.classifier, folder, on_duty=on_duty).settings
    # How sure it is, is asked for in any case: what counts is up to the rule.
    always = replace(classifier, threshold=_ANY_SCORE, thresholds={}, classes=frozenset({COVERED}))
    return HeadModels(config.rate, always, detector)


@contextmanager
def borrowed(model: ModelConfig, *, on_duty: bool = False) -> Iterator[ReadyModel]:
    """Make a model ready for as long as the context lasts, and leave nothing behind.

    Raises:
        EdgeRuntimeError: it will not do.
    """
    with tempfile.TemporaryDirectory(prefix="edge-runtime-") as folder:
        yield _ready(model, Path(folder), on_duty=on_duty)


def _ready(model: ModelConfig, folder: Path, *, on_duty: bool) -> ReadyModel:
    if model.path is not None:
        return ReadyModel(_of_file(model, model.path), model.path.name)
    path = model.bundle or shipped_path(model.name or "")
    bundle = verified(path, model.trusted_keys, on_duty=on_duty)
    installed = store.install(bundle, folder, prove=_prove)
    manifest = installed.manifest
    settings = model_settings(
        manifest, installed.folder, device=model.device, threads=model.threads
    )
    return ReadyModel(
        replace(
            settings,
            threshold=manifest.threshold if model.threshold is None else model.threshold,
            thresholds={**manifest.thresholds, **model.thresholds},
            max_detections=model.max_detections,
        ),
        manifest.title,
        demonstration=manifest.key_id == key_id(DEMONSTRATION_KEY),
    )


def _prove(folder: Path) -> None:
    """Try the bundle in a child process; loading it here afterwards needs no other one."""
    golden.prove(folder)
    count_as_tried(hashlib.sha256((folder / MODEL).read_bytes()).hexdigest())


def _of_file(model: ModelConfig, path: Path) -> ModelSettings:
    return ModelSettings(
        path,
        labels=model.labels,
        device=model.device,
        threads=model.threads,
        threshold=_DEFAULT_THRESHOLD if model.threshold is None else model.threshold,
        thresholds=dict(model.thresholds),
        resize=Resize(model.resize) if model.resize else None,
        colour=Colour(model.colour),
        range=model.range,
        output=model.output,
        edgetpu_path=model.edgetpu_path,
        max_detections=model.max_detections,
    )
