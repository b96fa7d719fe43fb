"""What a network costs in time, measured on this machine as boards would run it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from model_export.architectures.channels import Layer, layers
from model_export.architectures.spec import Network
from model_export.benchmark import benchmark
from model_export.networks import float_model
from model_export.quantization import Calibration, Io, Precision, Quantization, quantize
from model_export.weights import LayerWeights, Norm, Trained

_PICTURES = 4
_RUNS = 60


def latency(network: Network) -> float:
    """Milliseconds of one int8 inference on one thread, the median of 60.

    The time of dense kernels does not depend on weights: it is measured with random ones.

    Raises:
        ExportError: what converts or quantizes networks is not installed.
    """
    rng = np.random.default_rng(0)
    weights = {layer.name: _random(layer, rng) for layer in layers(network)}
    picture = network.backbone.input
    shape = (_PICTURES, picture.height, picture.width, picture.channels)
    low, high = picture.pixel_range
    seen = Calibration(rng.uniform(low, high, shape).astype(np.float32), picture.pixel_range)
    how = Quantization(Precision.INT8, Io.UINT8)
    content = quantize(float_model(Trained(network, weights)), how, seen)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "candidate.tflite"
        path.write_bytes(content)
        return benchmark([path], runs=_RUNS).models[0].invokes[0].p50


def _random(layer: Layer, rng: np.random.Generator) -> LayerWeights:
    kernel = rng.normal(0, 0.1, layer.shape).astype(np.float32)
    zeros = np.zeros(layer.outputs, np.float32)
    return (
        LayerWeights(kernel, norm=Norm.adding(zeros))
        if layer.normalised
        else LayerWeights(kernel, bias=zeros)
    )
