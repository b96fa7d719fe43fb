"""What a module of this folder has to offer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_runtime.detections import Boxes
from edge_runtime.inference.engine import ModelError, Tensor, TensorSpec
from edge_runtime.inference.preprocess import Range, Resize
from edge_runtime.inference.tflite_file import ModelFile

Labels = tuple[str, ...]

VALUE_TYPES = frozenset(map(np.dtype, ("float32", "uint8", "int8")))
"""What scores and boxes come in."""


class Candidates(NamedTuple):
    """What the outputs say, after thresholds and suppression, best score first.

    boxes: N x 4 float32, (x1, y1, x2, y2) in 0..1 of the input tensor; they may reach out of it.
    scores: N float32, 0..1. class_ids: N int32. All own their memory.
    """

    boxes: Boxes
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int32]


Decoder = Callable[[Sequence[Tensor]], Candidates]
"""From the output tensors, in the model's order, to what they say."""


@dataclass(frozen=True, slots=True, eq=False)
class ModelOutputs:
    """What is known of a model's outputs when it is loaded.

    Attributes:
        file: what the .tflite file says of itself.
        specs: the output tensors.
        sample: their values for a grey picture.
        input_size: width and height of the input tensor.
    """

    file: ModelFile
    specs: tuple[TensorSpec, ...]
    sample: tuple[Tensor, ...]
    input_size: tuple[int, int]

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of the output tensors."""
        return tuple(spec.shape for spec in self.specs)


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """Which candidates are wanted.

    Attributes:
        thresholds: C float32: the least score for each class.
        most: the largest number of detections in a frame.
    """

    thresholds: NDArray[np.float32]
    most: int


class OutputKind(Protocol):
    """A module that knows one kind of outputs."""

    NAME: str
    """As the configuration calls it."""
    RESIZE: Resize
    """How such models expect a picture, where the settings say nothing."""
    RANGE: Range | None
    """The real values of pixels 0 and 255 that such models expect, where that is one for all."""

    LOCATES: bool
    """Whether such models say where things are, not only what is in the picture."""

    def matches(self, outputs: ModelOutputs) -> bool:
        """Whether a model with such outputs is of this kind."""
        ...

    def labels(self, outputs: ModelOutputs, given: Labels | None) -> Labels:
        """The labels of the classes 0, 1, 2 ...; raises ModelError where `given` will not do."""
        ...

    def decoder(self, outputs: ModelOutputs, labels: Labels, selection: Selection) -> Decoder:
        """What reads the outputs of each frame."""
        ...


def enough(file: ModelFile, given: Labels | None, classes: int) -> Labels:
    """`given`, where it names at least `classes` classes."""
    if given is None:
        raise ModelError(
            f"model {file.path} has no labels: name the file with its {classes} classes, one a line"
        )
    if len(given) < classes:
        raise ModelError(
            f"model {file.path} tells {classes} classes apart and there are {len(given)} labels: "
            "its own labels file is needed"
        )
    return given
