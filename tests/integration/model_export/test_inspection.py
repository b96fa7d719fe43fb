from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_runtime.inference.engine import ModelError
from model_export.inspection import inspect
from model_export.layers import Format


@pytest.mark.parametrize(
    ("name", "parameters", "millions_of_macs"),
    [
        # As their publishers state them: 3.47 M and 300 M, 0.47 M and 14 M, MLPerf Tiny's 7.5 M.
        ("mobilenet_v2_1.0_224_quant", 3_489_097, 300.8),
        ("tf2_mobilenet_v2_1.0_224_ptq", 3_489_097, 300.8),
        ("mobilenet_v1_0.25_128_quant", 467_593, 13.6),
        ("vww_96_int8", 210_850, 7.5),
        ("vww_96_float", 210_850, 7.5),
    ],
)
def test_known_models_have_the_parameters_and_macs_that_are_known_of_them(
    name: str, parameters: int, millions_of_macs: float, data_dir: Path
) -> None:
    found = inspect(data_dir / "models" / f"{name}.tflite")
    assert found.parameters == parameters
    assert found.macs / 1e6 == pytest.approx(millions_of_macs, abs=0.05)
    assert sum(layer.parameters for layer in found.layers) == parameters
    assert sum(found.weight_bytes.values()) < found.bytes


def test_labels_and_normalisation_are_read_from_the_metadata(data_dir: Path) -> None:
    found = inspect(data_dir / "models" / "mobilenet_v1_0.25_128_quant.tflite")
    assert found.metadata.files == {"imagenet_labels.txt": 1001}
    assert found.metadata.input_range == (-1.0, 1.0)
    (given_input,) = found.inputs
    assert (given_input.type, given_input.shape) == ("uint8", (1, 128, 128, 3))
    assert (given_input.scale, given_input.zero_point) == (0.0078125, 128)


def test_each_layer_has_the_format_that_it_works_in(data_dir: Path) -> None:
    models = data_dir / "models"
    int8 = inspect(models / "vww_96_int8.tflite")
    assert {layer.format for layer in int8.layers} == {Format.INT8}
    assert set(int8.weight_bytes) == {"int8", "int32"}
    float32 = inspect(models / "vww_96_float.tflite")
    assert {layer.format for layer in float32.layers} == {Format.FLOAT}
    mixed = inspect(models / "movenet_single_pose_lightning_ptq.tflite")
    assert {layer.format for layer in mixed.layers} == {Format.INT8, Format.OTHER, Format.FLOAT}


def test_sparse_float16_weights_are_counted_as_what_they_stand_for(data_dir: Path) -> None:
    found = inspect(data_dir / "models" / "face_detection_full_range_sparse.tflite")
    assert found.sparse_encoded == 46
    assert found.sparsity is not None
    assert 0.6 < found.sparsity < 0.7
    assert found.weight_bytes["float16"] < 2 * found.parameters
    convolutions = [layer for layer in found.layers if layer.operator == "CONV_2D"]
    assert {layer.format for layer in convolutions} == {Format.FLOAT16_WEIGHTS}


def test_custom_operators_are_named(data_dir: Path) -> None:
    found = inspect(data_dir / "models" / "ssd_mobilenet_v1_coco_quant_300.tflite")
    assert found.custom_operators == ("TFLite_Detection_PostProcess",)


def test_a_file_that_is_no_model_is_told_of(tmp_path: Path, data_dir: Path) -> None:
    with pytest.raises(ModelError, match=r"model .*/none\.tflite does not exist"):
        inspect(tmp_path / "none.tflite")
    with pytest.raises(ModelError, match=r"is a directory: name the \.tflite file in it"):
        inspect(tmp_path)
    picture = data_dir / "images" / "cat.jpg"
    with pytest.raises(ModelError, match="is not a TFLite model: 'TFL3' is missing"):
        inspect(picture)
    cut = tmp_path / "cut.tflite"
    cut.write_bytes((data_dir / "models" / "vww_96_int8.tflite").read_bytes()[:100_000])
    with pytest.raises(
        ModelError, match=r"is damaged or cut short \(100000 bytes\): copy it again"
    ):
        inspect(cut)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=st.lists(st.tuples(st.integers(0, 2**32), st.integers(0, 255)), min_size=1))
def test_a_file_with_changed_bytes_is_read_or_refused_in_one_sentence(
    changes: list[tuple[int, int]], data_dir: Path, tmp_path: Path
) -> None:
    content = bytearray((data_dir / "models" / "bad_invoking_error.tflite").read_bytes())
    for place, value in changes:
        content[8 + place % (len(content) - 8)] = value
    changed = tmp_path / "changed.tflite"
    changed.write_bytes(content)
    try:
        inspect(changed)
    except ModelError as error:
        assert "\n" not in str(error)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=st.lists(st.tuples(st.integers(0, 2**32), st.integers(0, 255)), min_size=1))
def test_a_real_model_whose_structure_is_damaged_is_read_or_refused_too(
    changes: list[tuple[int, int]], data_dir: Path, tmp_path: Path
) -> None:
    # Behind the weights stand operators and tensors, in front of them the offsets to all.
    content = bytearray((data_dir / "models" / "vww_96_int8.tflite").read_bytes())
    tail = 24_000
    for place, value in changes:
        content[-1 - place % tail] = value
    changed = tmp_path / "changed.tflite"
    changed.write_bytes(content)
    try:
        inspect(changed)
    except ModelError as error:
        assert "\n" not in str(error)
