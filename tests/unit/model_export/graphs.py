"""Small graphs, built in memory as they would be read from a file."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from edge_runtime.inference.tflite_file import ModelFile
from model_export.tflite_graph import Graph, Operator, Tensor, TfliteModel


class Builder:
    """Collects tensors and operators; every method gives the index of the tensor that it makes."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.operators: list[Operator] = []

    def value(self, *shape: int, type: str = "int8", quantized: bool | None = None) -> int:
        """A computed value."""
        return self._add(shape, type, None, quantized)

    def constant(
        self, values: ArrayLike, type: str = "int8", *, quantized: bool | None = None, zero: int = 0
    ) -> int:
        """A constant; 8-bit ones are quantized unless told otherwise."""
        array = np.asarray(values, type)
        return self._add(array.shape, type, array.reshape(-1).view(np.uint8), quantized, zero)

    def bias(self, count: int) -> int:
        """A bias of zeros."""
        return self.constant(np.zeros(count), "int32", quantized=True)

    def operator(
        self,
        name: str,
        inputs: list[int],
        outputs: list[int] | int,
        version: int = 1,
        **options: int,
    ) -> int:
        """An operator; gives its first output."""
        outputs = [outputs] if isinstance(outputs, int) else outputs
        custom = not name.isupper()
        self.operators.append(
            Operator(
                len(self.operators), name, version, custom, tuple(inputs), tuple(outputs), options
            )
        )
        return outputs[0]

    def conv(self, source: int, *shape: int, version: int = 1, **options: int) -> int:
        """A 1 x 1 convolution to a value of that shape."""
        channels = self.tensors[source].shape[-1]
        weights = self.constant(np.ones((shape[-1], 1, 1, channels)))
        target = self.value(*shape)
        return self.operator(
            "CONV_2D",
            [source, weights, self.bias(shape[-1])],
            target,
            version,
            dilationWFactor=1,
            dilationHFactor=1,
            **options,
        )

    def model(self) -> TfliteModel:
        """What was built, as a model whose inputs and outputs nobody asks for."""
        file = ModelFile("model.tflite", "", frozenset(), None, (), "", None)  # type: ignore[arg-type]
        graph = Graph(tuple(self.tensors), tuple(self.operators), (), ())
        return TfliteModel(file, 0, "", (graph,))

    def _add(
        self,
        shape: tuple[int, ...],
        type: str,
        data: np.ndarray | None,
        quantized: bool | None,
        zero: int = 0,
    ) -> int:
        if quantized is None:
            quantized = type in ("int8", "uint8")
        index = len(self.tensors)
        self.tensors.append(
            Tensor(
                name=f"tensor {index}",
                shape=tuple(shape),
                type=type,
                scales=(0.5,) if quantized else (),
                zero_points=(zero,) if quantized else (),
                signature=tuple(shape),
                data=data,
                buffer=index + 1,
                sparse=False,
            )
        )
        return index
