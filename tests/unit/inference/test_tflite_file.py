"""What .tflite files say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.inference.tflite_file import DetectionOp, ModelFile, read


@pytest.fixture
def file(data_dir: Path):
    def file(name: str) -> ModelFile:
        return read(data_dir / "models" / f"{name}.tflite")

    return file


def test_the_detection_operator_tells_its_outputs_and_its_classes(file) -> None:
    assert file("ssd_mobilenet_v1_coco_quant_300").detection == DetectionOp(0, 1, 2, 3, 90)
    assert file("vww_96_int8").detection is None


def test_files_for_the_edge_tpu_are_told_from_others(file) -> None:
    assert file("mobilenet_v1_0.25_128_quant_edgetpu").for_edgetpu
    assert not file("mobilenet_v1_0.25_128_quant").for_edgetpu


def test_metadata_state_the_range_of_a_pixel(file) -> None:
    assert file("mobilenet_v2_1.0_224_quant").input_range == pytest.approx((-1, 1), abs=0.01)
    assert file("vww_96_float").input_range is None


def test_a_softmax_is_seen_behind_what_only_passes_it_on(file) -> None:
    assert file("vww_96_float").scores == (True,)
    assert file("tf2_mobilenet_v2_1.0_224_ptq").scores == (True,)
    assert file("mobilenet_v1_0.25_128_quant").scores == (True,)
    assert file("yolov5_tiny_person_192_int8").scores == (False,)
