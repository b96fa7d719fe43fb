"""Each line of Coral's table, on the smallest graph that meets or misses it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from model_export.edgetpu import Status, Verdict, check
from tests.unit.model_export.graphs import Builder


def verdict_of(build: Callable[[Builder], object]) -> Verdict:
    builder = Builder()
    build(builder)
    return check(builder.model())


def conv(b: Builder, **options: int) -> None:
    b.conv(b.value(1, 8, 8, 4), 1, 8, 8, 8, **options)


def pool(b: Builder, activation: int) -> None:
    source, target = b.value(1, 8, 8, 4), b.value(1, 4, 4, 4)
    b.operator("AVERAGE_POOL_2D", [source], target, fusedActivationFunction=activation)


def dilated(b: Builder, x: int, y: int) -> None:
    source, target = b.value(1, 8, 8, 4), b.value(1, 8, 8, 4)
    inputs = [source, b.constant(np.ones((1, 3, 3, 4))), b.bias(4)]
    b.operator("DEPTHWISE_CONV_2D", inputs, target, dilationWFactor=x, dilationHFactor=y)


def join(b: Builder, constant: object, others: int = 1, activation: int = 0) -> None:
    inputs = [b.value(1, 4, 4, 2) for _ in range(others)] + [b.constant(constant, zero=3)]
    b.operator("CONCATENATION", inputs, b.value(1, 4, 4, 4), fusedActivationFunction=activation)


def fully_connected(b: Builder, rows: int, weights_format: int = 0) -> None:
    inputs = [b.value(rows, 4), b.constant(np.ones((2, 4))), b.bias(2)]
    b.operator("FULLY_CONNECTED", inputs, b.value(rows, 2), weightsFormat=weights_format)


def reduce(b: Builder, name: str, channels: int, *axes: int) -> None:
    source = b.value(1, 4, 4, channels)
    b.operator(name, [source, b.constant(list(axes), "int32")], b.value(1, 1, 1, channels))


def pad(b: Builder, *padding: int) -> None:
    paddings = b.constant(np.reshape(padding, (-1, 2)), "int32")
    b.operator("PAD", [b.value(1, 4, 4, 2), paddings], b.value(1, 6, 6, 2))


def pack(b: Builder, axis: int) -> None:
    b.operator("PACK", [b.value(4, 4, 2), b.value(4, 4, 2)], b.value(1, 4, 4, 4), axis=axis)


def prelu(b: Builder, *shape: int) -> None:
    b.operator("PRELU", [b.value(1, 4, 4, 2), b.constant(np.ones(shape))], b.value(1, 4, 4, 2))


def resize(b: Builder, size: int, target: int) -> None:
    inputs = [b.value(1, size, size, 8), b.constant([target, target], "int32")]
    b.operator("RESIZE_BILINEAR", inputs, b.value(1, target, target, 8))


def softmax(b: Builder, *shape: int) -> None:
    b.operator("SOFTMAX", [b.value(*shape)], b.value(*shape))


def split(b: Builder, axis: int) -> None:
    inputs = [b.constant(axis, "int32"), b.value(1, 4, 4, 2)]
    b.operator("SPLIT", inputs, [b.value(1, 4, 2, 2), b.value(1, 4, 2, 2)])


def strided_slice(b: Builder, stride: int, **masks: int) -> None:
    settings = [b.constant(values, "int32") for values in ([0], [4], [stride])]
    b.operator("STRIDED_SLICE", [b.value(8), *settings], b.value(4), **masks)


SUPPORTED: dict[str, Callable[[Builder], object]] = {
    "a convolution": conv,
    "a pool": lambda b: pool(b, 0),
    "equal dilation": lambda b: dilated(b, 2, 2),
    "joining one constant of zeros": lambda b: join(b, np.full((1, 4, 4, 2), 3)),
    "one row from a dense layer": lambda b: fully_connected(b, 1),
    "the mean over the picture": lambda b: reduce(b, "MEAN", 3, 1, 2),
    "the mean over 8 channels": lambda b: reduce(b, "MEAN", 8, -1),
    "the largest over the picture": lambda b: reduce(b, "REDUCE_MAX", 3, 1, 2),
    "padding the picture": lambda b: pad(b, 0, 0, 1, 1, 1, 1, 0, 0),
    "packing channels": lambda b: pack(b, 3),
    "one alpha a channel": lambda b: prelu(b, 1, 1, 2),
    "doubling": lambda b: resize(b, 24, 48),
    "softmax over 16,000": lambda b: softmax(b, 1, 16_000),
    "splitting the width": lambda b: split(b, 2),
    "a slice": lambda b: strided_slice(b, 1),
}


@pytest.mark.parametrize("case", SUPPORTED)
def test_what_the_table_supports_is_mapped(case: str) -> None:
    found = verdict_of(SUPPORTED[case])
    assert [op.status for op in found.operators] == [Status.MAPPED]
    assert [op.reason for op in found.operators] == [""]
    assert str(found) == "the Edge TPU would run all 1 operators"


def float_conv(b: Builder) -> None:
    b.operator("RELU", [b.value(1, 4, 4, 2, type="float32")], b.value(1, 4, 4, 2, type="float32"))


def unquantized(b: Builder) -> None:
    source = b.value(1, 4, 4, 2, type="uint8", quantized=False)
    b.operator("RELU", [source], b.value(1, 4, 4, 2))


def float_bias(b: Builder) -> None:
    inputs = [b.value(1, 4), b.constant(np.ones((2, 4))), b.constant(np.ones(2), "float32")]
    b.operator("FULLY_CONNECTED", inputs, b.value(1, 2))


def computed_weights(b: Builder) -> None:
    b.operator("FULLY_CONNECTED", [b.value(1, 4), b.value(2, 4)], b.value(1, 2))


def whole_batch(b: Builder) -> None:
    b.operator("RELU", [b.value(2, 4, 4, 2)], b.value(2, 4, 4, 2))


UNSUPPORTED: dict[str, tuple[Callable[[Builder], object], str]] = {
    "an unknown operator": (
        lambda b: b.operator("HARD_SWISH", [b.value(4)], b.value(4)),
        "HARD_SWISH is not among the operations that the Edge TPU supports.",
    ),
    "a custom operator": (
        lambda b: b.operator("my-op", [b.value(4)], b.value(4)),
        "my-op is a custom operator, and the Edge TPU knows none.",
    ),
    "float": (
        float_conv,
        "It works on float32[1,4,4,2], and the Edge TPU only on values quantized to int8 or uint8.",
    ),
    "bytes that stand for nothing": (unquantized, "It works on uint8[1,4,4,2], and the Edge TPU"),
    "a float bias": (float_bias, "Its bias is float32[2], and the Edge TPU takes only int32."),
    "computed weights": (
        computed_weights,
        "Its weights or bias tensor 1 are computed, and have to be constants.",
    ),
    "a batch": (
        whole_batch,
        "It works on int8[2,4,4,2], of which more than the three innermost dimensions are larger "
        "than 1.",
    ),
    "a pool with ReLU": (lambda b: pool(b, 1), "It has a fused activation function"),
    "unequal dilation": (
        lambda b: dilated(b, 1, 2),
        "It is dilated by 2 down and 1 across; both have to be the same.",
    ),
    "a constant that is not zeros": (
        lambda b: join(b, np.zeros((1, 4, 4, 2))),  # their zero point is 3
        "It joins a constant that is not all zeros, which alone is supported.",
    ),
    "a constant with two others": (
        lambda b: join(b, np.full((1, 4, 4, 2), 3), others=2),
        "It joins a constant with more than one other input; only one is supported.",
    ),
    "joining with ReLU": (
        lambda b: join(b, np.full((1, 4, 4, 2), 3), activation=1),
        "It has a fused activation function",
    ),
    "shuffled weights": (lambda b: fully_connected(b, 1, 1), "Its weights are shuffled"),
    "many rows": (
        lambda b: fully_connected(b, 3),
        "Its output int8[3,2] is not one row of values, which alone is supported.",
    ),
    "the mean over 3 channels": (
        lambda b: reduce(b, "MEAN", 3, 3),
        "It takes the mean over 3 channels; their number has to be a multiple of 4.",
    ),
    "the mean over the batch": (
        lambda b: reduce(b, "MEAN", 4, 0),
        "It works over the batch dimension, which the Edge TPU does not support.",
    ),
    "the sum over the batch": (
        lambda b: reduce(b, "SUM", 4, -4),
        "It works over the batch dimension, which the Edge TPU does not support.",
    ),
    "padding the batch": (
        lambda b: pad(b, 0, 1, 1, 1, 1, 1, 0, 0),
        "It pads the batch dimension, which the Edge TPU does not support.",
    ),
    "packing a batch": (lambda b: pack(b, 0), "It packs over the batch dimension"),
    "an alpha for each pixel": (
        lambda b: prelu(b, 4, 4, 2),
        "Its alpha int8[4,4,2] has more than one value a channel: build it with "
        "shared_axes=[1, 2].",
    ),
    "a large factor": (
        lambda b: resize(b, 1, 33),
        "It resizes 1 x 1 to 33 x 33, more than 2 times",
    ),
    "a large target": (
        lambda b: resize(b, 256, 512),
        "It resizes 256 x 256 to 512 x 512, beyond 128 x 128: large ones are left to the CPU, "
        "which keeps their precision.",
    ),
    "softmax over a map": (lambda b: softmax(b, 1, 8, 8, 2), "Its input int8[1,8,8,2] is not one"),
    "softmax over 16,001": (
        lambda b: softmax(b, 1, 16_001),
        "It has 16,001 values; at most 16,000 are supported.",
    ),
    "splitting the batch": (lambda b: split(b, 0), "It splits the batch dimension"),
    "a stride of 2": (
        lambda b: strided_slice(b, 2),
        "Its strides are [2]; only strides of 1 are supported.",
    ),
    "an ellipsis": (
        lambda b: strided_slice(b, 1, ellipsisMask=1),
        "It has an ellipsis in its mask",
    ),
    "a new axis": (lambda b: strided_slice(b, 1, newAxisMask=1), "It has a new axis in its mask"),
}


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_what_the_table_does_not_support_falls_to_the_cpu_with_its_reason(case: str) -> None:
    build, reason = UNSUPPORTED[case]
    found = verdict_of(build)
    assert [op.status for op in found.operators] == [Status.UNSUPPORTED]
    assert found.operators[0].reason.startswith(reason)
    assert found.operators[0].reason.endswith(".")
    assert str(found) == "the Edge TPU would run none of the 1 operators"


# The partition


def test_everything_behind_the_first_unsupported_operator_stays_on_the_cpu() -> None:
    b = Builder()
    first = b.conv(b.value(1, 8, 8, 4), 1, 8, 8, 4)
    swish = b.operator("HARD_SWISH", [first], b.value(1, 8, 8, 4))
    second = b.conv(swish, 1, 8, 8, 4)
    b.operator("LOGISTIC", [second], b.value(1, 8, 8, 4))
    found = check(b.model())
    assert [op.status for op in found.operators] == [
        Status.MAPPED,
        Status.UNSUPPORTED,
        Status.BEHIND,
        Status.BEHIND,
    ]
    assert found.operators[3].reason == (
        "It waits for HARD_SWISH (operator 1), which the CPU runs, and the compiler hands one part "
        "only to the Edge TPU."
    )
    assert str(found) == "the Edge TPU would run 1 of the 4 operators, the CPU the others"


def test_a_branch_beside_an_unsupported_operator_is_mapped() -> None:
    b = Builder()
    stem = b.conv(b.value(1, 8, 8, 4), 1, 8, 8, 4)
    swish = b.operator("HARD_SWISH", [stem], b.value(1, 8, 8, 4))
    beside = b.conv(stem, 1, 8, 8, 4)
    b.operator("ADD", [swish, beside], b.value(1, 8, 8, 4))
    statuses = [op.status for op in check(b.model()).operators]
    assert statuses == [Status.MAPPED, Status.UNSUPPORTED, Status.MAPPED, Status.BEHIND]


def test_what_stands_before_the_first_supported_operator_does_not_hold_it_back() -> None:
    b = Builder()
    given = b.value(1, 8, 8, 4, type="float32", quantized=False)
    quantized = b.operator("QUANTIZE", [given], b.value(1, 8, 8, 4))
    b.conv(quantized, 1, 8, 8, 4)
    statuses = [op.status for op in check(b.model()).operators]
    assert statuses == [Status.UNSUPPORTED, Status.MAPPED]


def test_only_the_weights_of_the_mapped_part_are_counted() -> None:
    b = Builder()
    first = b.conv(b.value(1, 8, 8, 4), 1, 8, 8, 8)  # 32 weights of 1 byte, 8 biases of 4
    swish = b.operator("HARD_SWISH", [first], b.value(1, 8, 8, 8))
    b.conv(swish, 1, 8, 8, 64)
    found = check(b.model())
    assert found.weight_bytes == 32 + 8 * 4
    assert found.fits_on_chip


# What the compiler refuses


@pytest.mark.parametrize(
    ("name", "version", "known"), [("CONV_2D", 6, 5), ("QUANTIZE", 3, 2), ("TRANSPOSE_CONV", 4, 3)]
)
def test_an_operator_newer_than_the_compiler_makes_it_refuse_the_model(
    name: str, version: int, known: int
) -> None:
    b = Builder()
    source = b.value(1, 8, 8, 4)
    inputs = [source, b.constant(np.ones((4, 1, 1, 4))), b.bias(4)]
    if name == "TRANSPOSE_CONV":
        inputs = [b.constant([1, 8, 8, 4], "int32"), inputs[1], source]
    b.operator(name, inputs[: 1 if name == "QUANTIZE" else 3], b.value(1, 8, 8, 4), version)
    found = check(b.model())
    assert found.refusals == (
        f"{name} has version {version} and compiler 16 knows it up to {known}: convert the model "
        "with an older converter (Coral advises TensorFlow 2.8)",
    )
    assert found.mapped == 0
    assert str(found).startswith(f"Coral's compiler would refuse this model: {name} has version")


def test_a_shape_that_is_computed_makes_the_compiler_refuse_the_model() -> None:
    b = Builder()
    shape = b.operator("SHAPE", [b.value(1, 8, 8, 4)], b.value(4, type="int32"))
    b.operator("RESHAPE", [b.value(1, 8, 8, 4), shape], b.value(1, 256))
    assert check(b.model()).refusals == (
        "RESHAPE (operator 1) computes the shape of its output while it runs, and all shapes have "
        "to be constant: build the model with a fixed batch of 1",
    )
