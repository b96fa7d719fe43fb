"""Costs counted by hand."""

from __future__ import annotations

import numpy as np

from model_export.layers import Format, Layer, layer
from tests.unit.model_export.graphs import Builder


def only_layer(b: Builder) -> Layer:
    graph = b.model().graph
    return layer(graph, graph.operators[-1])


def test_a_convolution_multiplies_each_output_with_its_filter() -> None:
    b = Builder()
    inputs = [b.value(1, 8, 8, 3), b.constant(np.ones((16, 3, 3, 3))), b.bias(16)]
    b.operator("CONV_2D", inputs, b.value(1, 4, 4, 16))
    found = only_layer(b)
    assert found.macs == 4 * 4 * 16 * 3 * 3 * 3
    assert found.parameters == 16 * 27 + 16
    assert found.weight_bytes == 16 * 27 + 16 * 4
    assert found.format is Format.INT8
    assert found.sparsity == 0


def test_a_depthwise_convolution_looks_at_one_channel_only() -> None:
    b = Builder()
    inputs = [b.value(1, 8, 8, 6), b.constant(np.ones((1, 3, 3, 6))), b.bias(6)]
    b.operator("DEPTHWISE_CONV_2D", inputs, b.value(1, 8, 8, 6))
    assert only_layer(b).macs == 8 * 8 * 6 * 9


def test_a_dense_layer_multiplies_all_with_all() -> None:
    b = Builder()
    b.operator("FULLY_CONNECTED", [b.value(1, 30), b.constant(np.ones((7, 30)))], b.value(1, 7))
    assert only_layer(b).macs == 7 * 30


def test_a_transposed_convolution_multiplies_each_input_with_its_filter() -> None:
    b = Builder()
    shape = b.constant([1, 8, 8, 5], "int32")
    inputs = [shape, b.constant(np.ones((5, 2, 2, 3))), b.value(1, 4, 4, 3)]
    b.operator("TRANSPOSE_CONV", inputs, b.value(1, 8, 8, 5))
    found = only_layer(b)
    assert found.macs == 4 * 4 * 3 * 2 * 2 * 5
    assert found.parameters == 5 * 2 * 2 * 3  # the shape is none


def test_zeros_are_counted_by_the_zero_point_and_without_the_biases() -> None:
    b = Builder()
    weights = b.constant([[3, 3, 3, 0]], "uint8", zero=3)
    b.operator("FULLY_CONNECTED", [b.value(1, 4), weights, b.bias(1)], b.value(1, 1))
    assert only_layer(b).sparsity == 0.75


def test_an_operator_without_weights_costs_nothing() -> None:
    b = Builder()
    b.operator("ADD", [b.value(1, 4), b.value(1, 4)], b.value(1, 4))
    found = only_layer(b)
    assert (found.macs, found.parameters, found.sparsity) == (0, 0, None)


def floats(b: Builder, type: str) -> Layer:
    source = b.value(1, 4, type="float32")
    weights = b.constant(np.ones((2, 4)), type)
    if type == "float16":
        weights = b.operator("DEQUANTIZE", [weights], b.value(2, 4, type="float32"))
    b.operator("FULLY_CONNECTED", [source, weights], b.value(1, 2, type="float32"))
    return only_layer(b)


def test_the_format_tells_float_from_what_is_only_stored_smaller() -> None:
    assert floats(Builder(), "float32").format is Format.FLOAT
    assert floats(Builder(), "float16").format is Format.FLOAT16_WEIGHTS
    assert floats(Builder(), "int8").format is Format.DYNAMIC


def test_float16_weights_belong_to_the_layer_that_works_with_them() -> None:
    b = Builder()
    found = floats(b, "float16")
    graph = b.model().graph
    assert (found.parameters, found.weight_bytes) == (8, 16)
    assert layer(graph, graph.operators[0]).parameters == 0


def test_16_bit_values_and_the_steps_between_formats_have_their_own_format() -> None:
    b = Builder()
    source = b.value(1, 4, type="int16", quantized=True)
    target = b.value(1, 2, type="int16", quantized=True)
    b.operator("FULLY_CONNECTED", [source, b.constant(np.ones((2, 4)))], target)
    assert only_layer(b).format is Format.INT16
    b.operator("DEQUANTIZE", [target], b.value(1, 2, type="float32"))
    assert only_layer(b).format is Format.OTHER
