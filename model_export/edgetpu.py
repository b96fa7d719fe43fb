"""Which operators of a model the Edge TPU would run, which fall to the CPU, and why.

Each operator is held against the table in `edgetpu_rules`, and what is left is parted as TensorFlow
Lite's delegates part a graph (tensorflow/lite/graph_info.cc), of which the compiler takes the first
part. Coral's published pairs of models, before and after compilation, are what the tests hold all
this against.

The check sees operators, types, shapes and versions. It cannot see what the compiler decides by
the size of the chip's memory: very large activations can still be left to the CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from model_export.edgetpu_rules import RULES, settings, unsupported
from model_export.tflite_graph import Graph, Operator, TfliteModel

ON_CHIP_BYTES = 8 * 2**20
"""Of the TPU's memory; what Coral calls roughly 8 MB holds the weights and some of its own."""


class Status(StrEnum):
    """What becomes of an operator."""

    MAPPED = "Edge TPU"
    """The Edge TPU runs it."""
    UNSUPPORTED = "CPU: not supported"
    """The Edge TPU cannot run it."""
    BEHIND = "CPU: behind another"
    """The Edge TPU could, but an operator before it falls to the CPU."""


@dataclass(frozen=True, slots=True)
class OperatorVerdict:
    """What becomes of one operator.

    Attributes:
        index: its place in the order of execution.
        name, version: of the operator.
        output: the name of its first output.
        status: where it would run.
        reason: one sentence; empty for what the Edge TPU runs.
    """

    index: int
    name: str
    version: int
    output: str
    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the compiler would make of a model.

    Attributes:
        operators: all of the main graph, in their order.
        refusals: why the compiler would refuse the whole file, a sentence each; empty: it would
            not.
        weight_bytes: of the operators that the Edge TPU would run.
        compiled: the file has been through the compiler: its Edge TPU operator stands for all
            that is mapped.
    """

    operators: tuple[OperatorVerdict, ...]
    refusals: tuple[str, ...]
    weight_bytes: int
    compiled: bool

    @property
    def mapped(self) -> int:
        """How many operators the Edge TPU would run."""
        if self.refusals:
            return 0
        return sum(operator.status is Status.MAPPED for operator in self.operators)

    @property
    def on_cpu(self) -> tuple[OperatorVerdict, ...]:
        """What would be left to the CPU."""
        return tuple(op for op in self.operators if op.status is not Status.MAPPED)

    @property
    def fits_on_chip(self) -> bool:
        """Whether the weights stay in the TPU's memory; others are sent with each inference."""
        return self.weight_bytes <= ON_CHIP_BYTES

    def as_dict(self) -> dict[str, Any]:
        """All of it for a machine."""
        return asdict(self) | {
            "summary": str(self),
            "mapped": self.mapped,
            "fits_on_chip": self.fits_on_chip,
        }

    def __str__(self) -> str:
        if self.compiled:
            return (
                f"compiled for the Edge TPU already; {len(self.on_cpu)} operators are left to the "
                "CPU"
            )
        if self.refusals:
            return f"Coral's compiler would refuse this model: {self.refusals[0]}"
        total = len(self.operators)
        if not self.mapped:
            return f"the Edge TPU would run none of the {total} operators"
        if self.mapped == total:
            return f"the Edge TPU would run all {total} operators"
        return f"the Edge TPU would run {self.mapped} of the {total} operators, the CPU the others"


def check(model: TfliteModel) -> Verdict:
    """Check every operator of the model's main graph."""
    graph = model.graph
    reasons = tuple(unsupported(graph, operator) for operator in graph.operators)
    epochs = _epochs(graph, tuple(reason is None for reason in reasons))
    supported = [epoch for epoch, reason in zip(epochs, reasons, strict=True) if reason is None]
    first = min(supported, default=-1)
    operators = tuple(
        _verdict(graph, operator, reasons, epochs, first) for operator in graph.operators
    )
    mapped = {op.index for op in operators if op.status is Status.MAPPED}
    return Verdict(
        operators=operators,
        refusals=_refusals(model),
        weight_bytes=_weight_bytes(graph, mapped),
        compiled=model.file.for_edgetpu,
    )


def _verdict(
    graph: Graph,
    operator: Operator,
    reasons: tuple[str | None, ...],
    epochs: tuple[int, ...],
    first: int,
) -> OperatorVerdict:
    reason = reasons[operator.index]
    if reason is not None:
        status = Status.UNSUPPORTED
    elif epochs[operator.index] == first:
        status, reason = Status.MAPPED, ""
    else:
        before = _blocker(graph, operator, reasons, epochs, first)
        status = Status.BEHIND
        reason = (
            f"It waits for {before.name} (operator {before.index}), which the CPU runs, and the "
            "compiler hands one part only to the Edge TPU."
        )
    output = graph.output(operator)
    return OperatorVerdict(
        index=operator.index,
        name=operator.name,
        version=operator.version,
        output=output.name if output else "",
        status=status,
        reason=reason,
    )


# The partition


def _epochs(graph: Graph, supported: tuple[bool, ...]) -> tuple[int, ...]:
    """In which alternating part of supported or other operators each operator stands, from 0.

    As TensorFlow Lite's PartitionGraphIntoIndependentNodeSubsets does it: a part takes the kind
    of the first operator that is ready and then all of that kind that are or become ready.
    """
    made_by = {tensor: op.index for op in graph.operators for tensor in op.outputs}
    needs = [{made_by[i] for i in op.inputs if i in made_by} for op in graph.operators]
    epochs = [-1] * len(graph.operators)
    waiting = [op.index for op in graph.operators]
    epoch = 0
    while waiting:
        kind: bool | None = None
        left = []
        # The order of execution is one in which what an operator needs stands before it.
        for index in waiting:
            ready = all(epochs[need] >= 0 for need in needs[index])
            if ready and kind in (None, supported[index]):
                kind = supported[index]
                epochs[index] = epoch
            else:
                left.append(index)
        if len(left) == len(waiting):  # a damaged file, in which operators wait in a ring
            break
        waiting = left
        epoch += 1
    return tuple(epochs)


def _blocker(
    graph: Graph,
    operator: Operator,
    reasons: tuple[str | None, ...],
    epochs: tuple[int, ...],
    first: int,
) -> Operator:
    """The first unsupported operator behind the Edge TPU's part that `operator` depends on."""
    made_by = {tensor: op for op in graph.operators for tensor in op.outputs}
    found = operator
    to_see, seen = [operator], {operator.index}
    while to_see:
        for tensor in to_see.pop().inputs:
            maker = made_by.get(tensor)
            if maker is None or maker.index in seen:
                continue
            seen.add(maker.index)
            to_see.append(maker)
            unsupported = reasons[maker.index] is not None
            if unsupported and epochs[maker.index] > first and maker.index < found.index:
                found = maker
    return found


def _weight_bytes(graph: Graph, mapped: set[int]) -> int:
    inputs = {i for op in graph.operators if op.index in mapped for i in op.inputs if i >= 0}
    weights = {
        tensor.buffer: len(tensor.data)
        for tensor in (graph.tensors[i] for i in inputs)
        if tensor.data is not None and tensor.is_parameter
    }
    return sum(weights.values())


# What the compiler refuses as a whole

_NEWEST: Mapping[str, int] = {
    **{name: rule.version for name, rule in RULES.items()},
    "ARG_MAX": 3,
    "BATCH_MATMUL": 4,
    "CAST": 4,
    "DEPTH_TO_SPACE": 2,
    "DEQUANTIZE": 5,
    "DIV": 2,
    "GATHER": 5,
    "HARD_SWISH": 1,
    "LEAKY_RELU": 2,
    "PADV2": 4,
    "SPLIT_V": 2,
    "UNPACK": 4,
}


def _refusals(model: TfliteModel) -> tuple[str, ...]:
    """Why the compiler would not even begin; all of it, a sentence each."""
    if model.file.for_edgetpu:
        return ()
    graph = model.graph
    newer = {
        op.name: op.version
        for op in graph.operators
        if not op.custom and op.version > _NEWEST.get(op.name, op.version)
    }
    refusals = [
        f"{name} has version {version} and compiler 16 knows it up to {_NEWEST[name]}: convert "
        "the model with an older converter (Coral advises TensorFlow 2.8)"
        for name, version in newer.items()
    ]
    for op in graph.operators:
        rule = RULES.get(op.name)
        if rule and not op.custom and not all(t.constant for t in settings(graph, op, rule)):
            refusals.append(
                f"{op.name} (operator {op.index}) computes the shape of its output while it runs, "
                "and all shapes have to be constant: build the model with a fixed batch of 1"
            )
            break
    return tuple(refusals)
