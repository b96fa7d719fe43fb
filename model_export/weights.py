"""What a network has learned, layer by layer, as numpy arrays: into a Keras model and out of it.

The names are those of `architectures.channels.layers`, so that weights go from Keras 3 to tf_keras
and back, and from a network to one that shares layers with it, whatever order a library keeps.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError

from model_export.architectures.channels import Layer, layers
from model_export.architectures.keras_model import EPSILON, build
from model_export.architectures.spec import Network
from model_export.errors import ExportError
from model_export.writing import write_whole

Floats = NDArray[np.float32]

_NETWORK: TypeAdapter[Network] = TypeAdapter(Annotated[Network, Field(discriminator="task")])
_SPEC = "network.json"
_KERNEL, _BIAS, _NORM = "kernel", "bias", "norm"


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """Batch normalisation: (x - mean) / sqrt(variance + EPSILON) * gamma + beta; each of C."""

    gamma: Floats
    beta: Floats
    mean: Floats
    variance: Floats

    @property
    def gain(self) -> Floats:
        """What it multiplies each channel with."""
        return np.asarray(self.gamma / np.sqrt(self.variance + EPSILON), np.float32)

    @property
    def offset(self) -> Floats:
        """What it then adds."""
        return np.asarray(self.beta - self.mean * self.gain, np.float32)

    @classmethod
    def adding(cls, bias: Floats) -> Norm:
        """One that adds `bias` and does nothing else."""
        ones = np.ones_like(bias)
        return cls(ones, bias, np.zeros_like(bias), ones - np.float32(EPSILON))


@dataclass(frozen=True, slots=True, eq=False)
class LayerWeights:
    """Of one layer: its weights as Keras has them, and a bias or what normalises it."""

    kernel: Floats
    bias: Floats | None = None
    norm: Norm | None = None

    @property
    def folded(self) -> Floats:
        """The weights with the normalisation's gain in them."""
        if self.norm is None:
            return self.kernel
        gain = self.norm.gain
        # A depthwise kernel's channels stand last but one.
        return self.kernel * (gain if self.kernel.shape[-1] == len(gain) else gain[:, np.newaxis])


Weights = Mapping[str, LayerWeights]
"""By the names of the layers."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A network and what it has learned.

    Raises:
        ExportError: the weights are not those of this network.
    """

    network: Network
    weights: Weights

    def __post_init__(self) -> None:
        for layer in layers(self.network):
            _check(layer, self.weights.get(layer.name))

    def model(self, keras: Any = None, dtype: str = "float32") -> Any:
        """As a Keras model; the arguments are those of `build`."""
        model = build(self.network, keras, dtype)
        write(self.weights, model)
        return model


def _check(layer: Layer, found: LayerWeights | None) -> None:
    if found is None:
        raise ExportError(f"the weights are of another network: the layer {layer.name} has none")
    if found.kernel.shape != layer.shape:
        raise ExportError(
            f"the weights are of another network: those of the layer {layer.name} are "
            f"{_by(found.kernel.shape)}, and {_by(layer.shape)} are needed"
        )
    per_channel = (
        (found.norm.gamma, found.norm.beta, found.norm.mean, found.norm.variance)
        if layer.normalised and found.norm is not None
        else (found.bias,)
    )
    if any(values is None or values.shape != (layer.outputs,) for values in per_channel):
        raise ExportError(
            f"the weights are of another network: the layer {layer.name} needs "
            f"{'a normalisation' if layer.normalised else 'a bias'} of {layer.outputs} channels"
        )


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


# Keras models


def read(network: Network, model: Any) -> Trained:
    """What a model that `build` made of the network has learned."""
    return Trained(network, {layer.name: _read(layer, model) for layer in layers(network)})


def write(weights: Weights, model: Any) -> None:
    """Give the layers of a model that `build` made the weights of their names.

    Layers that `weights` does not name keep theirs.
    """
    present = {layer.name for layer in model.layers}
    for name, found in weights.items():
        if name not in present:
            continue
        extra = [] if found.bias is None else [found.bias]
        model.get_layer(name).set_weights([found.kernel, *extra])
        if found.norm is not None:
            norm = found.norm
            values = [norm.gamma, norm.beta, norm.mean, norm.variance]
            model.get_layer(f"{name}_norm").set_weights(values)


def _read(layer: Layer, model: Any) -> LayerWeights:
    kernel, *bias = map(_floats, model.get_layer(layer.name).get_weights())
    if not layer.normalised:
        return LayerWeights(kernel, bias=bias[0])
    norm = Norm(*map(_floats, model.get_layer(f"{layer.name}_norm").get_weights()))
    return LayerWeights(kernel, norm=norm)


def _floats(values: Any) -> Floats:
    # A copy: what JAX shows is gone after its next step.
    return np.array(values, np.float32)


def largest_difference(one: Any, other: Any, pictures: Floats) -> float:
    """Between the outputs of two Keras models for the same pictures."""
    first, second = (_outputs(model(pictures, training=False)) for model in (one, other))
    return max(float(np.abs(a - b).max()) for a, b in zip(first, second, strict=True))


def _outputs(found: Any) -> list[Floats]:
    return [np.asarray(output) for output in (found if isinstance(found, list) else [found])]


# Files


def save(path: Path, trained: Trained) -> None:
    """Write network and weights to a file that numpy and a JSON reader can open.

    Raises:
        ExportError: it cannot be written.
    """
    arrays: dict[str, NDArray[Any]] = {
        _SPEC: np.frombuffer(_NETWORK.dump_json(trained.network), np.uint8)
    }
    for name, found in trained.weights.items():
        arrays[f"{name}/{_KERNEL}"] = found.kernel
        if found.bias is not None:
            arrays[f"{name}/{_BIAS}"] = found.bias
        if found.norm is not None:
            norm = found.norm
            arrays[f"{name}/{_NORM}"] = np.stack([norm.gamma, norm.beta, norm.mean, norm.variance])
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    write_whole(path, content.getvalue())


def load(path: Path) -> Trained:
    """Read what `save` wrote.

    Raises:
        ExportError: it is missing, damaged or something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        network = _NETWORK.validate_json(arrays.pop(_SPEC).tobytes())
        return Trained(network, _unpacked(arrays))
    except FileNotFoundError as error:
        raise ExportError(f"the network {path} does not exist") from error
    except OSError as error:
        raise ExportError(
            f"the network {path} cannot be read: {error.strerror or error}"
        ) from error
    except (AttributeError, EOFError, KeyError, ValidationError, ValueError) as error:
        raise ExportError(f"{path} is no network that edge-export saved") from error
    except zipfile.BadZipFile as error:
        raise ExportError(f"the network {path} is damaged: copy it again") from error


def _unpacked(arrays: Mapping[str, NDArray[Any]]) -> Weights:
    found: dict[str, LayerWeights] = {}
    for name in {key.partition("/")[0] for key in arrays}:
        norm = arrays.get(f"{name}/{_NORM}")
        found[name] = LayerWeights(
            arrays[f"{name}/{_KERNEL}"],
            arrays.get(f"{name}/{_BIAS}"),
            None if norm is None else Norm(*norm),
        )
    return found
