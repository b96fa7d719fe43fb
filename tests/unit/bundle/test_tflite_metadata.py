"""Metadata are added to a model, and nothing else of it changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from edge_runtime.inference import tflite_file
from model_export.tflite_metadata import (
    LABELS_FILE,
    Description,
    MetadataError,
    associated_files,
    with_uint8_interface,
    write,
)

VWW = Description(
    name="vww",
    version="7",
    text="Is there a person?",
    labels=("none", "person"),
    kind="classifier",
    licence="Apache-2.0",
)


def answers(content: bytes, pixels: np.ndarray) -> list[np.ndarray]:
    """The outputs for pixels in the input's own type."""
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def noise(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize(
    ("name", "description", "size"),
    [
        ("mobilenet_v1_0.25_128_quant", VWW, 128),
        ("ssd_mobilenet_v1_coco_quant_300", replace(VWW, kind="ssd"), 300),
    ],
)
def test_a_model_answers_the_same_with_metadata(
    name: str, description: Description, size: int, data_dir: Path, tmp_path: Path
) -> None:
    before = (data_dir / "models" / f"{name}.tflite").read_bytes()
    after = write(before, description)
    pixels = noise((1, size, size, 3))
    for one, other in zip(answers(before, pixels), answers(after, pixels), strict=True):
        np.testing.assert_array_equal(one, other)
    assert associated_files(after) == {LABELS_FILE: b"none\nperson\n"}
    (tmp_path / "m.tflite").write_bytes(after)
    assert tflite_file.read(tmp_path / "m.tflite").version == "7"


def test_writing_twice_is_writing_once(data_dir: Path) -> None:
    content = (data_dir / "models" / "mobilenet_v1_0.25_128_quant.tflite").read_bytes()
    once = write(content, VWW)
    assert write(once, VWW) == once
    assert write(write(content, replace(VWW, version="6", labels=("cat",))), VWW) == once


@pytest.mark.parametrize(
    ("name", "stated", "expected"),
    [
        ("vww_96_float", (-1.0, 1.0), (-1.0, 1.0)),
        ("vww_96_float", (0.0, 1.0), (0.0, 1.0)),
        ("vww_96_int8", None, (0.0, 1.0)),  # scale 1/255, zero point -128
        ("mobilenet_v1_0.25_128_quant", None, (-1.0, 0.9921875)),  # scale 1/128, zero point 128
    ],
)
def test_the_normalisation_is_what_was_stated_or_what_the_quantization_says(
    name: str,
    stated: tuple[float, float] | None,
    expected: tuple[float, float],
    data_dir: Path,
    tmp_path: Path,
) -> None:
    content = (data_dir / "models" / f"{name}.tflite").read_bytes()
    (tmp_path / "m.tflite").write_bytes(write(content, replace(VWW, pixel_range=stated)))
    assert tflite_file.read(tmp_path / "m.tflite").input_range == pytest.approx(expected)


def test_weights_stay_aligned_as_the_schema_asks(data_dir: Path) -> None:
    content = write((data_dir / "models" / "vww_96_int8.tflite").read_bytes(), VWW)
    model = schema.Model.GetRootAsModel(content, 0)
    buffers = map(model.Buffers, range(model.BuffersLength()))
    places = [b._tab.Vector(b._tab.Offset(4)) for b in buffers if b.DataLength()]
    assert len(places) > 20
    assert all(place % 16 == 0 for place in places)


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        ("vww_96_int8", {"kind": "ssd"}, "an SSD detector has four outputs, and this model has 1"),
        (
            "ssd_mobilenet_v1_coco_quant_300",
            {},
            "a classifier has one output, and this model has 4",
        ),
        ("vww_96_float", {}, "takes float32, and nothing says which values it expects"),
    ],
)
def test_what_does_not_fit_the_model_is_told(
    name: str, changes: dict[str, str], sentence: str, data_dir: Path
) -> None:
    content = (data_dir / "models" / f"{name}.tflite").read_bytes()
    with pytest.raises(MetadataError, match=sentence):
        write(content, replace(VWW, **changes))


def test_uint8_ends_change_no_answer(data_dir: Path) -> None:
    before = (data_dir / "models" / "vww_96_int8.tflite").read_bytes()
    after = with_uint8_interface(before)
    pixels = noise((1, 96, 96, 3))
    (expected,) = answers(before, (pixels ^ 0x80).view(np.int8))
    (found,) = answers(after, pixels)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected.view(np.uint8) ^ 0x80)


def test_a_model_without_int8_ends_stays_what_it_is(data_dir: Path) -> None:
    before = (data_dir / "models" / "mobilenet_v1_0.25_128_quant.tflite").read_bytes()
    pixels = noise((1, 128, 128, 3))
    (expected,), (found,) = answers(before, pixels), answers(with_uint8_interface(before), pixels)
    np.testing.assert_array_equal(found, expected)
