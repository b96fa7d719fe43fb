"""Keras 3 and, for TensorFlow's model optimization, its predecessor tf_keras."""

from __future__ import annotations

from typing import Any

from model_export.errors import ExportError
from model_export.quiet import load_quietly


def keras3() -> Any:
    """Keras 3, on the backend that KERAS_BACKEND names (TensorFlow where it names none).

    Raises:
        ExportError: it, or its backend, is not installed.
    """
    return _load("keras")


def tf_keras() -> Any:
    """Keras 2 as TensorFlow carries it on.

    Raises:
        ExportError: it is not installed.
    """
    return _load("tf_keras")


def optimization() -> Any:
    """TensorFlow's model optimization toolkit.

    Raises:
        ExportError: it is not installed.
    """
    return _load("tensorflow_model_optimization")


def _load(name: str) -> Any:
    try:
        return load_quietly(name)
    except ModuleNotFoundError as error:
        raise ExportError(
            f"{error.name} is not installed, and models cannot be built or trained without it: "
            "pip install 'edge-runtime[export]'"
        ) from error
