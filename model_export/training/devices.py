"""What networks are trained on."""

from __future__ import annotations

from model_export.architectures.frameworks import keras3


def has_accelerator() -> bool:
    """Whether Keras' backend has a GPU or another accelerator.

    Raises:
        ExportError: Keras, or its backend, is not installed.
    """
    # JAX raises an error where it is asked for a kind that is not there.
    devices = keras3().distribution.list_devices()
    return any(not str(device).startswith("cpu") for device in devices)
