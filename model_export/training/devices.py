"""What networks are trained on."""

from __future__ import annotations

from model_export.architectures.frameworks import keras3


def has_accelerator() -> bool:
    """Whether Keras' backend has a GPU or another accelerator.

    Raises:
        ExportError: Keras, or its backend, is not installed.
    """
    distribution = keras3().distribution
    return bool(distribution.list_devices("gpu") or distribution.list_devices("tpu"))
