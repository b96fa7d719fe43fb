"""From a bundle's manifest to the settings that load its model."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.bundle.manifest import EDGETPU_MODEL, MODEL, Manifest
from edge_runtime.inference.model import ModelSettings


def model_settings(
    manifest: Manifest, folder: Path, *, device: str = "auto", threads: int = 1
) -> ModelSettings:
    """How the model is loaded whose files lie in `folder`: all else is as the manifest says.

    Raises:
        ModelError: `device` or `threads` will not do.
    """
    has_twin = any(file.name == EDGETPU_MODEL for file in manifest.files)
    return ModelSettings(
        folder / MODEL,
        labels=manifest.labels,
        device=device,
        threads=threads,
        threshold=manifest.threshold,
        thresholds=manifest.thresholds,
        resize=manifest.input.resize,
        colour=manifest.input.colour,
        range=manifest.input.range,
        output=manifest.outputs.kind,
        edgetpu_path=folder / EDGETPU_MODEL if has_twin else None,
        name=manifest.name,
        version=str(manifest.version),
    )
