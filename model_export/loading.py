"""Models as they were saved: Keras .h5 and .keras, SavedModel folders, .tflite files, our own .npz.

TensorFlow is imported here and in `conversion` only, and only for the first three.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from enum import StrEnum
from pathlib import Path
from typing import Any

from model_export.errors import ExportError
from model_export.quiet import load_quietly

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_NETWORK = b"network.json.npy"


class Format(StrEnum):
    """How a model was saved."""

    TFLITE = "TFLite file"
    H5 = "Keras .h5 file"
    KERAS = "Keras .keras file"
    SAVED_MODEL = "SavedModel folder"
    NETWORK = "network of edge-export"
    """What `weights.save` wrote."""


def format_of(path: Path) -> Format:
    """How the model in `path` was saved, as its content says.

    Raises:
        ExportError: there is nothing, or it is nothing that can be read.
    """
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return Format.SAVED_MODEL
        raise ExportError(f"the folder {path} is no SavedModel: it has no saved_model.pb")
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except FileNotFoundError as error:
        raise ExportError(f"the model {path} does not exist") from error
    except OSError as error:
        raise ExportError(f"the model {path} cannot be read: {error.strerror}") from error
    if head[4:8] == b"TFL3":
        return Format.TFLITE
    if head[:8] == _HDF5:
        return Format.H5
    if head[:4] == _ZIP:
        # In a zip, the name of its first file stands behind 30 bytes.
        ours = head[30:].startswith(_NETWORK) or path.suffix == ".npz"
        return Format.NETWORK if ours else Format.KERAS
    raise ExportError(
        f"{path} is {'empty' if not head else 'no model that can be read'}: a Keras .h5 or .keras "
        "file, a SavedModel folder or a .tflite or .npz file is needed"
    )


def tensorflow() -> Any:
    """TensorFlow, with its log silenced.

    Raises:
        ExportError: it is not installed.
    """
    # It reads it when it is loaded.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    try:
        tf = load_quietly("tensorflow")
    except ModuleNotFoundError as error:
        raise ExportError(
            "TensorFlow is not installed, and Keras models and SavedModels need it: "
            "pip install 'edge-runtime[export]'"
        ) from error
    tf.get_logger().setLevel("ERROR")
    return tf


def load_keras(path: Path) -> Any:
    """The Keras model in a .h5 or .keras file, loaded by the Keras that made it (2 or 3).

    Raises:
        ExportError: it is no Keras model, is damaged, holds only weights, needs code that is not
            in it, or holds code.
    """
    config, version = _config(path)
    if '"class_name": "Lambda"' in config or '"class_name": "TFOpLambda"' in config:
        raise ExportError(
            f"{path} has a Lambda layer, which is code that would be run on loading: "
            "save the model without it"
        )
    tensorflow()
    # TensorFlow's own keras is Keras 3 by now, which cannot read all that Keras 2 wrote.
    loader = _module("keras" if version.startswith("3") else "tf_keras")
    try:
        return loader.models.load_model(path, compile=False)
    # What the two raise on a file that another Keras or no Keras made; it names the layer.
    except (ValueError, TypeError, KeyError, OSError, AttributeError, IndexError) as error:
        raise ExportError(
            f"{path} cannot be loaded by Keras {loader.__version__}: {_first_line(error)}"
        ) from error


def _module(name: str) -> Any:
    try:
        return load_quietly(name)
    except ModuleNotFoundError as error:
        raise ExportError(f"{name} is not installed: pip install 'edge-runtime[export]'") from error


def _config(path: Path) -> tuple[str, str]:
    """The text that describes the model's layers, and the version of the Keras that wrote it."""
    return _config_of_zip(path) if format_of(path) is Format.KERAS else _config_of_h5(path)


def _config_of_zip(path: Path) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            version = json.loads(archive.read("metadata.json"))["keras_version"]
            return archive.read("config.json").decode(), str(version)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise ExportError(
            f"{path} is a zip file and no Keras model, or it is damaged: copy it again"
        ) from error


def _config_of_h5(path: Path) -> tuple[str, str]:
    tensorflow()
    import h5py

    try:
        with h5py.File(path) as file:
            config, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "2")
    except OSError as error:
        raise ExportError(f"{path} is damaged or cut short: copy it again") from error
    if config is None:
        raise ExportError(
            f"{path} holds no model, only weights at best: save all of it with model.save()"
        )
    return _text(config), _text(version)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _first_line(error: BaseException) -> str:
    text = re.sub(r"\s+", " ", str(error)).strip("' \"")
    return (text if len(text) <= 200 else text[:197] + "...").rstrip(". ")
