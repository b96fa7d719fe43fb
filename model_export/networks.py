"""A network and files of others: from any model that one can start from, to what boards run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.inference.preprocess import Range
from model_export import tflite_graph
from model_export.architectures.anchors import anchors_of
from model_export.architectures.frameworks import keras3
from model_export.architectures.from_keras import from_keras, same_answers
from model_export.architectures.from_tflite import from_graph, from_tflite
from model_export.architectures.postprocess import Selection, with_postprocess
from model_export.architectures.spec import Detector, Network
from model_export.conversion import float_tflite, one_shape
from model_export.conversion import from_keras as converted
from model_export.errors import ExportError
from model_export.flatbuffer import EditableModel
from model_export.loading import Format, format_of, load_keras
from model_export.weights import Floats, Trained, load, save

_CONVERT = """
import sys
from pathlib import Path
from model_export.conversion import float_tflite
Path(sys.argv[2]).write_bytes(float_tflite(Path(sys.argv[1])))
"""


def float_model(trained: Trained) -> bytes:
    """The network as a float .tflite file of one picture.

    What goes in is in the network's range of pixels, also where its Keras model scales them itself:
    quantized, such an input takes pixels as they are. A detector gives raw boxes and scores.

    Raises:
        ExportError: Keras or TensorFlow is not installed, or cannot convert it.
    """
    keras = keras3()
    if keras.backend.backend() != "tensorflow":
        return _converted_elsewhere(trained)
    return converted(outside(trained).model(keras), "the network")


def finished(content: bytes, network: Network, selection: Selection | None = None) -> bytes:
    """What `float_model` made of the network, in whatever precision, as readers expect it.

    A detector gets its end, which decodes and selects boxes; a classifier has one.

    Args:
        selection: what a detector lets through; None: as `Selection` is made.

    Raises:
        ExportError: the file is of another network.
    """
    if isinstance(network, Detector):
        return with_postprocess(content, anchors_of(network), selection or Selection())
    return content


def outside(trained: Trained) -> Trained:
    """The network that leaves it to its caller to bring pixels into its range."""
    picture = replace(trained.network.backbone.input, scales=False)
    backbone = replace(trained.network.backbone, input=picture)
    return Trained(replace(trained.network, backbone=backbone), trained.weights)


def _converted_elsewhere(trained: Trained) -> bytes:
    """By a process whose Keras runs on TensorFlow: a process keeps the backend it began with."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "network.npz", Path(folder) / "model.tflite"
        save(source, trained)
        # Conversion needs no GPU, and the memory of the one there is may be taken.
        settings = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(
            [sys.executable, "-c", _CONVERT, source, target],
            env=os.environ | settings,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
            raise ExportError(f"the network cannot be converted by Keras on TensorFlow: {said}")
        return target.read_bytes()


# What one can start from


def open_network(path: Path, pixel_range: Range | None = None) -> Trained:
    """The network in a model of any kind, checked to give the same answers where that can be.

    That is: our own .npz, Keras .h5 and .keras, a SavedModel folder, a float or quantized .tflite.
    Out of the last two, normalisation comes folded into the weights: before such a network is
    trained, `training.statistics.unfolded` brings it back.

    Args:
        pixel_range: what black and white are for the model; None: what the model says of it.

    Raises:
        ExportError, ModelError: it is no model, no network that can be described here, damaged,
            or does not say what black and white are.
    """
    match format_of(path):
        case Format.NETWORK:
            return _of_ours(path, pixel_range)
        case Format.TFLITE:
            content = float_tflite(path)
            return _same(from_tflite(path, pixel_range), content, str(path))
        case Format.SAVED_MODEL:
            content = float_tflite(path)
            return _same(_from_content(content, str(path), pixel_range), content, str(path))
        case _:
            return _from_keras(path, pixel_range)


def _of_ours(path: Path, pixel_range: Range | None) -> Trained:
    trained = load(path)
    own = trained.network.backbone.input.pixel_range
    if pixel_range not in (None, own):
        raise ExportError(
            f"black and white are {own[0]:g} and {own[1]:g} for the network {path}, and not "
            f"{pixel_range[0]:g} and {pixel_range[1]:g}: leave the range out"
        )
    return trained


def _from_content(content: bytes, name: str, pixel_range: Range | None) -> Trained:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "converted.tflite"
        file.write_bytes(content)
        return from_graph(tflite_graph.read(file).graph, name, pixel_range)


def _from_keras(path: Path, pixel_range: Range | None) -> Trained:
    model = load_keras(path)
    one_shape(str(path), model.inputs)
    scales = any(type(layer).__name__ == "Rescaling" for layer in model.layers)
    if pixel_range is None and not scales:
        raise ExportError(f"{path} takes floats: say what black and white are for it, as in -1 1")
    # Where the model scales pixels itself, that says what its range is.
    return from_keras(model, str(path), pixel_range or (0.0, 255.0))


def _same(trained: Trained, content: bytes, name: str) -> Trained:
    """The network, where it answers as the float file does; a quantized one rounds its answers."""
    if not EditableModel(content).quantized():
        same_answers(trained, lambda pictures: _answers(content, pictures), name)
    return trained


def _answers(content: bytes, pictures: Floats) -> Floats:
    """What a float .tflite file of one picture says of N."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter: Any = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    (given,), (answer, *_) = interpreter.get_input_details(), interpreter.get_output_details()
    said = []
    for picture in pictures:
        interpreter.set_tensor(given["index"], picture[np.newaxis])
        interpreter.invoke()
        said.append(np.array(interpreter.get_tensor(answer["index"])[0], np.float32))
    return np.stack(said)
