"""A network with int8's rounding in it, by TensorFlow's model optimization toolkit on tf_keras.

The toolkit begins all ranges at -6..6 and moves them by a thousandth a step; it updates the
statistics of normalisation, which at low learning rates is a loss; it lets biases of dead channels
overflow. Here ranges begin with what the network holds, statistics stay, and biases get room.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_export.architectures.channels import CLASSES, layers
from model_export.architectures.frameworks import keras3, optimization, tf_keras
from model_export.architectures.keras_model import LOGITS
from model_export.architectures.spec import Detector
from model_export.conversion import from_keras
from model_export.errors import ExportError
from model_export.flatbuffer import EditableModel
from model_export.quantization import Io
from model_export.training.even_ranges import evened, extremes, with_room
from model_export.weights import Floats, LayerWeights, Norm, Trained, largest_difference

_CLOSE = 1e-3
"""By how much an answer may differ after weights were carried over."""

_QUANTIZED = "quant_"
"""How the toolkit begins the name of a layer that it wraps."""

_SATURATED = float(np.log(2 * 256))
"""Beyond this, int8 scores that a sigmoid makes are all the same; see `saturation`."""


@dataclass(frozen=True, slots=True, eq=False)
class Rounded:
    """A network and its models.

    Attributes:
        trained: as training begins, its channels even.
        plain: the tf_keras model of that.
        model: the same with rounding.
        inputs: pictures that show which ranges there are.
    """

    trained: Trained
    plain: Any
    model: Any
    inputs: Floats

    @classmethod
    def of(cls, start: Trained, inputs: Floats) -> Rounded:
        """Made of a network; the models' answers are compared."""
        keras = tf_keras()
        given = start.model(keras)
        _compare(start.model(keras3()), given, inputs, "tf_keras")
        trained = evened(start, given, inputs)
        plain = trained.model(keras)
        _compare(given, plain, inputs, "even channels")
        try:
            model = optimization().quantization.keras.quantize_model(plain)
        # What the toolkit raises for a layer that is not on its list.
        except (RuntimeError, ValueError, NotImplementedError) as error:
            raise ExportError(
                "TensorFlow's model optimization toolkit cannot put rounding into this network: "
                f"{' '.join(str(error).split())[:200]}"
            ) from error
        found = cls(trained, plain, model, inputs)
        found._set_ranges()
        found._keep_statistics()
        return found

    def _set_ranges(self) -> None:
        """Begin with what the network holds: by themselves, ranges crawl there from -6..6."""
        quantizers = dict(_quantizers(self.model))
        tensors = {name: self.plain.get_layer(name).output for name in quantizers}
        for name, seen in extremes(self.plain, tensors, self.inputs).items():
            least, greatest = quantizers[name]
            least.assign(seen.least.min())
            greatest.assign(seen.greatest.max())
        self._saturate()
        (given,) = (layer for layer in self.model.layers if type(layer).__name__ == "QuantizeLayer")
        variables = _variables(given)
        # Pixels are quantized exactly, whatever the pictures lack.
        low, high = self.trained.network.backbone.input.pixel_range
        for name, variable in variables.items():
            if name.endswith(("_min", "_max")):
                variable.assign(low if name.endswith("_min") else high)
        self._round_weights(self.trained)

    def _saturate(self) -> None:
        """Cut off a detector's logits where their scores are rounded to one value."""
        network = self.trained.network
        if not isinstance(network, Detector):
            return
        logits = {LOGITS, *(layer.name for layer in layers(network) if layer.target == CLASSES)}
        for name, (least, greatest) in _quantizers(self.model):
            if name in logits:
                least.assign(max(float(least), -_SATURATED))
                greatest.assign(min(float(greatest), _SATURATED))

    def _keep_statistics(self) -> None:
        """Normalise by the statistics that there are; gain and offset learn all the same."""
        for layer in layers(self.trained.network):
            if layer.normalised:
                self.model.get_layer(f"{_QUANTIZED}{layer.name}_norm").trainable = False

    def _round_weights(self, trained: Trained) -> None:
        """Give the layers these weights, and their roundings the weights' ranges."""
        for layer in layers(trained.network):
            variables = _variables(self.model.get_layer(f"{_QUANTIZED}{layer.name}"))
            name = "depthwise_kernel" if "depthwise_kernel" in variables else "kernel"
            kernel = trained.weights[layer.name].kernel
            variables[name].assign(kernel)
            if f"{name}_min" not in variables:
                # Of a fully connected layer before ReLU, the toolkit leaves it to the converter.
                continue
            least, greatest = variables[f"{name}_min"], variables[f"{name}_max"]
            # One range for all, or one for each of what is last.
            shape = tuple(least.shape)
            axes = tuple(range(kernel.ndim - len(shape)))
            size = np.abs(kernel).max(axis=axes).reshape(shape)
            least.assign(-size)
            greatest.assign(size)

    def learned(self) -> Trained:
        """The weights that the model now has, without rounding."""
        return Trained(self.trained.network, dict(self._weights()))

    def _weights(self) -> Iterator[tuple[str, LayerWeights]]:
        for layer in layers(self.trained.network):
            found = _values(self.model.get_layer(f"{_QUANTIZED}{layer.name}"))
            kernel = found["depthwise_kernel" if "depthwise_kernel" in found else "kernel"]
            if layer.normalised:
                norm = _values(self.model.get_layer(f"{_QUANTIZED}{layer.name}_norm"))
                names = ("gamma", "beta", "moving_mean", "moving_variance")
                yield layer.name, LayerWeights(kernel, norm=Norm(*(norm[name] for name in names)))
            else:
                yield layer.name, LayerWeights(kernel, bias=found["bias"])

    def converted(self, io: Io) -> bytes:
        """As an int8 .tflite file."""
        names = [layer.name for layer in layers(self.trained.network)]
        tensors = {name: self.plain.get_layer(name).input for name in names}
        seen = extremes(self.plain, tensors, self.inputs)
        self._saturate()
        # The last step moved the weights, and their ranges are from before it.
        self._round_weights(
            with_room(self.learned(), {name: found.extent for name, found in seen.items()})
        )
        content = from_keras(self.model, "the network", quantization_aware=True, io=io)
        # The same, and an eighth smaller: the converter writes each vector of zeros anew.
        return EditableModel(content).pack()


def _compare(one: Any, other: Any, inputs: Floats, what: str) -> None:
    difference = largest_difference(one, other, inputs[:8])
    if not difference <= _CLOSE:
        raise ExportError(
            f"with {what} the network answers otherwise, by up to {difference:.2g}: it cannot be "
            "trained with rounding"
        )


def _quantizers(model: Any) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """For the names of layers the ends of the range that their output is rounded to."""
    for layer in model.layers:
        variables = _variables(layer)
        for kind in ("output", "post_activation"):
            if f"{kind}_min" in variables:
                name = layer.name.removeprefix(_QUANTIZED)
                yield name, (variables[f"{kind}_min"], variables[f"{kind}_max"])


def _variables(layer: Any) -> dict[str, Any]:
    """By the last part of their names: ``quant_stem/kernel_min:0`` is ``kernel_min``."""
    return {value.name.rpartition("/")[2].partition(":")[0]: value for value in layer.weights}


def _values(layer: Any) -> dict[str, Floats]:
    return {name: np.array(value.numpy(), np.float32) for name, value in _variables(layer).items()}
