"""What runs a model: one protocol for the CPU and the Edge TPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import EdgeRuntimeError

Tensor = NDArray[Any]
"""A tensor's values in the tensor's own type."""


class ModelError(EdgeRuntimeError):
    """A model that cannot be used: missing, damaged, of an unknown kind, without labels ..."""


class InvokeError(EdgeRuntimeError):
    """An inference that failed. It says nothing about what is in the picture."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What a tensor is.

    Attributes:
        name: as the model calls it.
        shape: all dimensions, the batch (1) included.
        dtype: the type of its values.
        scale, zero_point: real value = scale * (value - zero_point); a scale of 0 means that the
            values are not quantized.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float = 0.0
    zero_point: int = 0

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"

    def real(self, values: Tensor) -> NDArray[np.float32]:
        """The real values behind `values`, which come from this tensor."""
        real = values.astype(np.float32)
        if self.scale:
            real -= self.zero_point
            real *= self.scale
        return real

    def alike(self, other: TensorSpec) -> bool:
        """Whether the values of one mean the same in the other; names may differ."""
        return (self.shape, self.dtype, self.zero_point) == (
            other.shape,
            other.dtype,
            other.zero_point,
        ) and bool(np.isclose(self.scale, other.scale))


class Engine(Protocol):
    """A loaded model with one picture input. Not thread-safe: one engine a thread."""

    @property
    def backend(self) -> str:
        """What runs it: ``litert-cpu``, ``tflite-cpu``, ``edgetpu:0`` ..."""
        ...

    @property
    def input(self) -> TensorSpec:
        """The input tensor: 1 x H x W x C."""
        ...

    @property
    def output_specs(self) -> tuple[TensorSpec, ...]:
        """The output tensors, in the order of `outputs`."""
        ...

    def input_view(self) -> Tensor:
        """The input tensor's own memory as H x W x C, to be written into.

        Take it anew for each frame and let go of it before `invoke`, which is refused otherwise.
        """
        ...

    def invoke(self) -> None:
        """Run the model on what stands in the input tensor; raises InvokeError."""
        ...

    def outputs(self) -> tuple[Tensor, ...]:
        """Views of the output tensors; they must be let go of before the next `invoke`."""
        ...
