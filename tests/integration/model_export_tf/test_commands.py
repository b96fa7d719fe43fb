"""edge-export quantize and evaluate as a person runs them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import pytest

from model_export.cli import main
from model_export.datasets.samples import LabelledPictures


@pytest.fixture(scope="module")
def folders(parts: dict[str, LabelledPictures], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/CLASS/ and test/CLASS/ with crops."""
    root = tmp_path_factory.mktemp("crops")
    for part, every in (("train", 20), ("test", 5)):
        data = parts[part]
        for number, sample in enumerate(data.samples[::every]):
            folder = root / part / data.classes[sample.label]
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f"{number}.png"), sample.read())
    return root


def run(arguments: Sequence[str | Path]) -> int:
    return main([str(argument) for argument in arguments])


def answer(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Any:
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_float_model_is_quantized_and_evaluated(
    models: Path, folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, made = models / "vww_96_float.tflite", tmp_path / "int8.tflite"
    calibrate = ("--calibrate", folders / "train", "--range", "0", "1", "--count", "60")
    said = answer(capsys, "quantize", source, "--to", "int8", "--out", made, *calibrate)
    assert (said["path"], said["io"], said["pictures"]) == (str(made), "int8", 60)
    assert said["bytes"] == made.stat().st_size < 0.4 * said["float_bytes"]
    measured = [
        answer(capsys, "evaluate", model, "--data", folders / "test", "--range", "0", "1")
        for model in (source, made)
    ]
    accuracies = [each["accuracy"]["value"] for each in measured]
    assert accuracies[0] > 0.65
    assert abs(accuracies[0] - accuracies[1]) < 0.03
    assert [item["label"] for item in measured[0]["classes"]] == ["background", "person"]
    assert run(["evaluate", made, "--data", folders / "test", "--range", "0", "1"]) == 0
    assert "accuracy" in capsys.readouterr().out


def test_the_error_of_each_layer_is_shown(
    models: Path, folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, made = models / "vww_96_float.tflite", tmp_path / "int8.tflite"
    arguments = ["quantize", source, "--to", "int8", "--out", made, "--io", "uint8", "--layers"]
    pictures = ["--calibrate", folders / "train", "--range", "0", "1", "--count", "10"]
    assert run([*arguments, *pictures]) == 0
    shown = capsys.readouterr().out
    assert "int8, uint8 in and out, calibrated with 10 pictures" in shown
    assert "DEPTHWISE_CONV_2D" in shown


def test_a_detector_is_evaluated_with_its_boxes(
    models: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = data_dir / "images" / "coco128_person"
    arguments = [
        "evaluate",
        models / "ssd_mobilenet_v1_coco_quant_300.tflite",
        "--labels",
        data_dir / "labels" / "coco_labels.txt",
        "--data",
        data / "images",
        "--annotations",
        data / "annotations.json",
    ]
    said = answer(capsys, *arguments)
    assert (said["pictures"], said["boxes"]) == (128, 254)
    assert 0.3 < said["overall"]["ap50"] < 0.6


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["--to", "int7"], 2, "'int7' is not one of float32, float16, dynamic, int8, int16x8"),
        (["--to", "int8"], 1, "int8 needs calibration pictures, and none were given"),
        (["--to", "float16", "--layers"], 1, "the error of each layer needs calibration pictures"),
        (
            ["--to", "int8", "--calibrate", "{train}"],
            1,
            "the model does not say what black and white are for it: give its range, as -1 1",
        ),
        (["--to", "float16", "--range", "0", "1"], 2, "--calibrate is missing"),
        (["--to", "float16", "--io", "int8"], 1, "a float16 model takes and gives float32"),
        (
            ["--to", "int8", "--calibrate", "{train}", "--range", "1", "0"],
            1,
            "range = 1 0 is not a lower and an upper value",
        ),
        (
            ["--to", "int8", "--calibrate", "none", "--range", "0", "1"],
            1,
            "the folder none does not exist",
        ),
    ],
)
def test_what_cannot_be_quantized_leaves_nothing_behind(
    arguments: list[str],
    status: int,
    sentence: str,
    *,
    models: Path,
    folders: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [argument.format(train=folders / "train") for argument in arguments]
    source = models / "vww_96_float.tflite"
    assert run(["quantize", source, "--out", tmp_path / "out.tflite", *given]) == status
    shown = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert sentence in shown
    assert "Traceback" not in shown
    assert not list(tmp_path.iterdir())


def test_broken_data_are_all_named(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("background", "person"):
        (tmp_path / name).mkdir()
    (tmp_path / "person" / "a.jpg").write_bytes(b"no picture")
    model = models / "vww_96_int8.tflite"
    assert run(["evaluate", model, "--data", tmp_path, "--range", "0", "1"]) == 1
    shown = capsys.readouterr().err
    assert "edge-export: the data has 2 problems:" in shown
    assert "the class background has no pictures" in shown
    assert "a.jpg is not a picture that can be read" in shown
