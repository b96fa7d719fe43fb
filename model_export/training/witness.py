"""A published SSD detector as a witness: how sure it is that a picture shows an object of a class.

It looks for boxes at other places than the detector that learns, so it can only be asked about a
picture as a whole. It is computed within the training step, out of its .tflite file, in float.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from edge_runtime.inference.preprocess import Range
from model_export import tflite_graph
from model_export.architectures.channels import Kind
from model_export.architectures.from_tflite import layer_step, picture_of
from model_export.architectures.postprocess import OPERATOR
from model_export.architectures.recognition import Step
from model_export.architectures.spec import Activation
from model_export.errors import ExportError
from model_export.tflite_graph import Graph, Operator
from model_export.weights import Floats

_CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})
_SHAPING = frozenset({"RESHAPE", "CONCATENATION", "LOGISTIC", "DEQUANTIZE"})
"""What may stand between the convolutions and the operator that reads their scores."""

_ACTIVATIONS = {
    Activation.LINEAR: lambda x: x,
    Activation.RELU: lambda x: jnp.maximum(x, 0),
    Activation.RELU6: lambda x: jnp.clip(x, 0, 6),
}

Weights = tuple[tuple[Any, Any], ...]
"""Of each layer its kernel, height x width x inputs x outputs, and its bias."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One convolution, padded as TensorFlow's SAME.

    Attributes:
        source, target: the numbers of the tensors that it reads and writes.
        stride: 1 or 2.
        depthwise: whether each channel is on its own.
        activation: what follows.
        tells: whether it writes logits of the class, and not features.
    """

    source: int
    target: int
    stride: int
    depthwise: bool
    activation: Activation
    tells: bool


@dataclass(frozen=True, slots=True, eq=False)
class Witness:
    """The convolutions of a detector that lead to the scores of one class.

    Attributes:
        picture: the number of the tensor that a picture goes into.
        pixel_range: what black and white are for it.
        layers: in the order in which they run.
        weights: theirs.
    """

    picture: int
    pixel_range: Range
    layers: tuple[Layer, ...]
    weights: Weights


def read_witness(path: Path, label: int = 0) -> Witness:
    """The witness in a .tflite file that ends in TFLite_Detection_PostProcess.

    Args:
        label: the class, from 0 without the background.

    Raises:
        ModelError: the file is missing, damaged or not TFLite.
        ExportError: it is no such detector of colour pictures, or of more than convolutions, or has
            no such class.
    """
    graph, name = tflite_graph.read(path).graph, str(path)
    end = next((found for found in graph.operators if found.name == OPERATOR), None)
    if end is None:
        raise ExportError(f"{path} is no SSD detector: it does not end in {OPERATOR}")
    scores = graph.tensors[end.inputs[1]].shape[-1]
    if not 0 <= label < scores - 1:
        raise ExportError(f"{path} has {scores - 1} classes: {label} is not in 0..{scores - 2}")
    picture = picture_of(graph, name)
    if picture.channels != 3:
        raise ExportError(f"{path} sees grey, and a witness has to see colours")
    operators = _leading_to(graph, end.inputs[1], name)
    read = {found.inputs[0] for found in operators}
    layers, weights = [], []
    for operator in operators:
        step = layer_step(graph, operator, name)
        layer = _layer(operator, step, tells=operator.outputs[0] not in read)
        kernel, bias = _arrays(step)
        # Each anchor has all its scores in a row, and that of the background is the first.
        of_class = slice(label + 1, None, scores) if layer.tells else slice(None)
        layers.append(layer)
        weights.append((kernel[..., of_class], bias[of_class]))
    return Witness(graph.inputs[0], picture.pixel_range, tuple(layers), tuple(weights))


def best_logits(witness: Witness, weights: Weights, pictures: Any) -> Any:
    """The logit of the best score in each picture; pure, to be compiled.

    Args:
        weights: those of `witness`, in the number format to compute in.
        pictures: B x height x width x 3, 0..1; of any size, best near the one in its file.

    Returns:
        B float32.
    """
    low, high = witness.pixel_range
    dtype = weights[0][0].dtype
    tensors = {witness.picture: (pictures * (high - low) + low).astype(dtype)}
    best = []
    for layer, (kernel, bias) in zip(witness.layers, weights, strict=True):
        x = tensors[layer.source]
        y = jax.lax.conv_general_dilated(
            x,
            kernel,
            (layer.stride, layer.stride),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=x.shape[-1] if layer.depthwise else 1,
        )
        y = _ACTIVATIONS[layer.activation](y + bias)
        tensors[layer.target] = y
        if layer.tells:
            best.append(jnp.max(y.astype(jnp.float32), axis=(1, 2, 3)))
    return jnp.max(jnp.stack(best), axis=0)


def _leading_to(graph: Graph, tensor: int, name: str) -> list[Operator]:
    """The convolutions that a tensor is computed by, in the order in which they run."""
    wanted, found = {tensor}, []
    for operator in reversed(graph.operators):
        if not wanted.intersection(operator.outputs):
            continue
        wanted.update(operator.inputs)
        if operator.name in _CONVOLUTIONS:
            found.append(operator)
        elif operator.name not in _SHAPING:
            raise ExportError(
                f"{name} cannot be a witness: it has the operator {operator.name}, and only plain "
                "convolutions are computed in training"
            )
    return found[::-1]


def _layer(operator: Operator, step: Step, *, tells: bool) -> Layer:
    (target,) = operator.outputs
    depthwise = step.kind is Kind.DEPTHWISE
    return Layer(operator.inputs[0], target, step.stride, depthwise, step.activation, tells)


def _arrays(step: Step) -> tuple[Floats, Floats]:
    assert step.kernel is not None  # those of convolutions have one
    kernel = step.kernel.transpose(0, 1, 3, 2) if step.kind is Kind.DEPTHWISE else step.kernel
    return kernel, np.zeros(kernel.shape[-1], np.float32) if step.bias is None else step.bias
