"""Which network somebody else's model is: read from its layers in the order in which they run.

All MobileNets are one sentence: a convolution; blocks of an expansion (or none), a depthwise
convolution, squeeze-and-excite (or none) and a projection, with an addition (or none); a last
convolution (or none); a mean over the picture; one or two fully connected layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from model_export.architectures.channels import Kind, block_name
from model_export.architectures.keras_model import EPSILON
from model_export.architectures.spec import (
    Activation,
    Backbone,
    Block,
    Classifier,
    Conv,
    Hidden,
    Input,
)
from model_export.errors import ExportError
from model_export.weights import Floats, LayerWeights, Norm, Trained, Weights


class Mark(StrEnum):
    """A step without weights that tells how the others are joined."""

    ADD = "addition"
    POOL = "mean over the picture"


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One layer of the foreign model.

    Attributes:
        kind: what it does.
        name: what it is called there.
        kernel: as Keras has it: height x width x in x out, height x width x channels x 1, or
            in x out.
        bias: one value a channel.
        norm: what normalises its output, for `EPSILON`.
        stride: 1 or 2.
        activation: what follows.
    """

    kind: Kind | Mark
    name: str
    kernel: Floats | None = None
    bias: Floats | None = None
    norm: Norm | None = None
    stride: int = 1
    activation: Activation = Activation.LINEAR


def norm_for(epsilon: float, gamma: Floats, beta: Floats, mean: Floats, variance: Floats) -> Norm:
    """The same normalisation, made for our `EPSILON` where it was for another."""
    return Norm(gamma * np.sqrt((variance + EPSILON) / (variance + epsilon)), beta, mean, variance)


def recognise(model: str, steps: Sequence[Step], picture: Input) -> Trained:
    """The network and its weights; `model` is for what is said of it.

    Raises:
        ExportError: it is no MobileNet classifier.
    """
    return _Reader(model, tuple(steps)).classifier(picture)


def recognise_features(
    model: str, steps: Sequence[Step], picture: Input
) -> tuple[Backbone, Weights]:
    """The stem and the blocks that the steps begin with, and their weights; what follows is left.

    Raises:
        ExportError: they do not begin as a MobileNet does.
    """
    reader = _Reader(model, tuple(steps))
    return Backbone(picture, *reader.features()), reader.weights


class _Reader:
    """Reads the steps one after the other, and keeps the weights under our names."""

    def __init__(self, model: str, steps: tuple[Step, ...]) -> None:
        self._model = model
        self._steps = steps
        self._at = 0
        self.weights: dict[str, LayerWeights] = {}

    def features(self) -> tuple[Conv, tuple[Block, ...]]:
        stem = self._conv("stem")
        blocks: list[Block] = []
        while self._begins_block():
            blocks.append(self._block(block_name(len(blocks))))
        return stem, tuple(blocks)

    def classifier(self, picture: Input) -> Trained:
        stem, blocks = self.features()
        last = self._conv("last") if self._is(Kind.CONV) else None
        backbone = Backbone(picture, stem, blocks, last)
        self._take(Mark.POOL)
        hidden = None
        if self._at + 1 < len(self._steps):
            step = self._dense("hidden")
            hidden = Hidden(_outputs(step), step.activation)
        classes = _outputs(self._dense("classes"))
        if self._at < len(self._steps):
            raise self._unexpected("nothing")
        return Trained(Classifier(backbone, classes, hidden), self.weights)

    def _begins_block(self) -> bool:
        return self._is(Kind.DEPTHWISE) or (self._is(Kind.CONV) and self._is(Kind.DEPTHWISE, 1))

    def _block(self, name: str) -> Block:
        expanded = 0
        if self._is(Kind.CONV):
            expanded = self._conv(f"{name}_expand").channels
        depthwise = self._take(Kind.DEPTHWISE)
        kernel = self._keep(f"{name}_depthwise", depthwise)
        squeezed = 0
        if self._is(Mark.POOL):
            self._take(Mark.POOL)
            squeezed = _outputs(self._dense(f"{name}_squeeze", flat=False))
            self._dense(f"{name}_excite", flat=False)
        project = self._conv(f"{name}_project")
        residual = self._is(Mark.ADD)
        if residual:
            self._take(Mark.ADD)
        return Block(
            project.channels,
            expanded,
            kernel.shape[0],
            depthwise.stride,
            depthwise.activation,
            squeezed,
            project.activation,
            residual,
        )

    def _conv(self, name: str) -> Conv:
        step = self._take(Kind.CONV)
        kernel = self._keep(name, step)
        return Conv(kernel.shape[-1], kernel.shape[0], step.stride, step.activation)

    def _dense(self, name: str, *, flat: bool = True) -> Step:
        """A fully connected layer, which others write as a 1x1 convolution."""
        step = self._take(Kind.CONV if self._is(Kind.CONV) else Kind.DENSE)
        kernel, bias = _plain(step)
        shape = kernel.shape[-2:] if flat else (1, 1, *kernel.shape[-2:])
        self.weights[name] = LayerWeights(kernel.reshape(shape), bias=bias)
        return step

    def _keep(self, name: str, step: Step) -> Floats:
        kernel = _kernel(step)
        bias = np.zeros(_outputs(step), np.float32) if step.bias is None else step.bias
        norm = step.norm
        norm = Norm.adding(bias) if norm is None else replace(norm, mean=norm.mean - bias)
        self.weights[name] = LayerWeights(kernel, norm=norm)
        return kernel

    def _is(self, kind: Kind | Mark, ahead: int = 0) -> bool:
        at = self._at + ahead
        return at < len(self._steps) and self._steps[at].kind is kind

    def _take(self, kind: Kind | Mark) -> Step:
        if not self._is(kind):
            raise self._unexpected(f"a {kind}")
        self._at += 1
        return self._steps[self._at - 1]

    def _unexpected(self, wanted: str) -> ExportError:
        found = "its end"
        if self._at < len(self._steps):
            step = self._steps[self._at]
            found = f"a {step.kind} ({step.name})"
        return ExportError(
            f"{self._model} is no MobileNet classifier: where {wanted} has to come, it has {found}"
        )


def _kernel(step: Step) -> Floats:
    assert step.kernel is not None  # only marks have none, and those are asked for by kind
    return step.kernel


def _outputs(step: Step) -> int:
    shape = _kernel(step).shape
    return int(shape[-2 if step.kind is Kind.DEPTHWISE else -1])


def _plain(step: Step) -> tuple[Floats, Floats]:
    """Weights and bias without a normalisation."""
    kernel = _kernel(step)
    bias = np.zeros(_outputs(step), np.float32) if step.bias is None else step.bias
    if step.norm is None:
        return kernel, bias
    return kernel * step.norm.gain, bias * step.norm.gain + step.norm.offset
