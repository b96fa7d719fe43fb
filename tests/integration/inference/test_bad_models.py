"""What a person reads when a model cannot be used: one sentence that says what would be right."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.inference.engine import InvokeError, ModelError
from edge_runtime.inference.litert import LiteRtEngine
from edge_runtime.inference.model import ModelSettings, load_detector
from edge_runtime.inference.preprocess import Colour
from edge_runtime.inference.tflite_file import read
from edge_runtime.inference.trial import trial

SSD = "ssd_mobilenet_v1_coco_quant_300.tflite"
VWW = "vww_96_int8.tflite"
TWO = ("nobody", "person")


def sentence(path: Path, labels=None, **more) -> str:
    with pytest.raises(ModelError) as caught:
        load_detector(ModelSettings(path, labels, device="cpu", **more))
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 400
    return text


def test_a_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "no.tflite"
    assert sentence(path) == f"model {path} does not exist"


def test_a_directory(tmp_path: Path) -> None:
    assert sentence(tmp_path) == f"model {tmp_path} is a directory: name the .tflite file in it"


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.tflite").touch()
    assert sentence(tmp_path / "empty.tflite").endswith("is empty")


def test_a_file_of_another_kind(models: Path) -> None:
    assert "vww_96.h5 is not a TFLite model: 'TFL3' is missing" in sentence(models / "vww_96.h5")


@pytest.mark.parametrize("part", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file(models: Path, tmp_path: Path, part: float) -> None:
    whole = (models / SSD).read_bytes()
    short = tmp_path / "short.tflite"
    short.write_bytes(whole[: int(len(whole) * part)])
    assert "damaged or cut short" in sentence(short, ("person",))


def test_no_damage_takes_the_process_down(models: Path, tmp_path: Path) -> None:
    """Flipped bytes in the part that holds the structure; each is accepted or refused."""
    whole = (models / VWW).read_bytes()
    draw = random.Random(7)
    refused = 0
    for number in range(12):
        damaged = bytearray(whole)
        for _ in range(20):
            damaged[draw.randrange(8, len(damaged))] ^= 1 << draw.randrange(8)
        path = tmp_path / f"{number}.tflite"
        path.write_bytes(damaged)
        try:
            load_detector(ModelSettings(path, TWO, device="cpu"))
        except (ModelError, InvokeError):
            refused += 1
    assert refused


def test_a_file_that_the_interpreter_rejects(models: Path) -> None:
    text = sentence(models / "bad_quantized_dimension.tflite", TWO)
    assert "is rejected by the interpreter: " in text


def test_a_file_that_fails_at_invoke(models: Path) -> None:
    text = sentence(models / "bad_invoking_error.tflite", TWO)
    assert "needs the operator fake-op-double, which this runtime does not have" in text


def test_a_file_for_the_edge_tpu(models: Path) -> None:
    text = sentence(models / "mobilenet_v1_0.25_128_quant_edgetpu.tflite", TWO)
    assert "is compiled for the Edge TPU (edgetpu-custom-op), which no CPU can run" in text


def test_outputs_of_no_known_kind_are_told_beside_the_known_ones(models: Path) -> None:
    text = sentence(models / "deeplabv3_mnv2_dm05_pascal_quant.tflite", TWO)
    assert "of no known kind: found int64[1,513,513]; known are ssd, blazeface, yolo" in text


def test_outputs_of_another_kind_than_asked_for(models: Path) -> None:
    text = sentence(models / VWW, TWO, output="yolo")
    assert "are not those of yolo: found int8[1,2]; known are ssd" in text


def test_an_output_kind_that_does_not_exist(models: Path) -> None:
    text = sentence(models / VWW, TWO, output="yolov99")
    expected = 'no output kind "yolov99": known are ssd, blazeface, yolo, classifier, and auto'
    assert expected in text


def test_no_labels(models: Path) -> None:
    assert "has no labels: name the file with its 90 classes" in sentence(models / SSD)


def test_fewer_labels_than_classes(models: Path) -> None:
    text = sentence(models / SSD, ("person", "bicycle"))
    assert "tells 90 classes apart and there are 2 labels" in text


def test_labels_that_fit_no_yolo(models: Path) -> None:
    text = sentence(models / "yolov5_tiny_person_192_int8.tflite", ("a", "b", "c"))
    assert "which is 1 classes with objectness or 2 without, and there are 3 labels" in text


def test_a_labels_file_that_is_missing(models: Path, tmp_path: Path) -> None:
    assert "labels.txt does not exist" in sentence(models / VWW, tmp_path / "labels.txt")


def test_a_float_model_whose_range_nobody_states(models: Path) -> None:
    text = sentence(models / "vww_96_float.tflite", TWO)
    assert "set range = [-1, 1] or range = [0, 1]" in text


def test_a_colour_that_the_model_has_not(models: Path) -> None:
    text = sentence(models / VWW, TWO, colour=Colour.GREY)
    assert 'has 3 channels, which colour = "grey" does not have' in text


def test_a_threshold_for_a_label_that_the_model_has_not(models: Path) -> None:
    text = sentence(models / VWW, TWO, thresholds={"persn": 0.5})
    assert '"persn" is no label of the model vww_96_int8.tflite, which has' in text


def test_a_class_that_is_looked_for_and_that_the_model_has_not(models: Path) -> None:
    text = sentence(models / VWW, TWO, classes=frozenset({"cat"}))
    assert '"cat" is no label of the model vww_96_int8.tflite, which has' in text


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"device": "gpu"}, 'device = "gpu" is not one of "auto", "cpu", "tpu" and "tpu:N"'),
        ({"threshold": 1.5}, "the threshold threshold = 1.5 is not between 0 and 1"),
        ({"thresholds": {"person": 0}}, "the threshold person = 0 is not between 0 and 1"),
        ({"threads": 0}, "threads and max_detections are 1 or more"),
        ({"range": (1, 1)}, "range = [1, 1] is not a lower and an upper value, as [-1, 1] is"),
    ],
)
def test_settings_out_of_their_range(settings: dict, text: str) -> None:
    with pytest.raises(ModelError) as caught:
        ModelSettings(Path("x.tflite"), **settings)
    assert str(caught.value) == text


def test_a_model_that_takes_no_picture_is_refused_by_the_engine(models: Path) -> None:
    with pytest.raises(ModelError, match="fake-op-double"):
        LiteRtEngine(models / "bad_invoking_error.tflite")


def test_the_trial_accepts_a_good_model_and_one_for_the_edge_tpu(models: Path) -> None:
    trial(models / VWW)
    trial(models / "mobilenet_v1_0.25_128_quant_edgetpu.tflite")


@pytest.mark.parametrize("part", [0.2, 0.6, 0.95])
def test_the_trial_of_a_truncated_file_ends_in_a_sentence(
    models: Path, tmp_path: Path, part: float
) -> None:
    """tflite-runtime crashes on such files, LiteRT refuses them; neither is felt here."""
    whole = (models / SSD).read_bytes()
    short = tmp_path / "short.tflite"
    short.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(ModelError, match=r"crashed the interpreter|is rejected by"):
        trial(short)


def test_a_trial_that_crashes_is_one_sentence(models: Path, monkeypatch) -> None:
    crash = f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})"
    _child(monkeypatch, crash)
    with pytest.raises(ModelError, match=r"it crashed the interpreter \(SIGSEGV\)"):
        trial(models / VWW)


def test_a_trial_that_hangs_is_one_sentence(models: Path, monkeypatch) -> None:
    _child(monkeypatch, "import time; time.sleep(60)")
    with pytest.raises(ModelError, match=r"not loaded and tried within 0\.5 s"):
        trial(models / VWW, timeout=0.5)


def test_a_trial_that_breaks_otherwise_tells_its_last_line(models: Path, monkeypatch) -> None:
    _child(monkeypatch, "raise MemoryError('no room')")
    with pytest.raises(ModelError, match=r"ended with 1: MemoryError: no room"):
        trial(models / VWW)


def test_one_content_is_tried_once_in_a_process(models: Path, monkeypatch) -> None:
    load_detector(ModelSettings(models / VWW, TWO, device="cpu"))
    _child(monkeypatch, "raise AssertionError('tried again')")
    load_detector(ModelSettings(models / VWW, TWO, device="cpu"))


def test_reading_a_file_checks_all_its_lengths(models: Path, tmp_path: Path) -> None:
    """Cut anywhere, it is an error and never anything worse than one."""
    whole = (models / VWW).read_bytes()
    short = tmp_path / "short.tflite"
    for length in (*range(8, 400, 7), *range(400, len(whole), 9973)):
        short.write_bytes(whole[:length])
        with pytest.raises(ModelError):
            read(short)


def _child(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let the trial's child run `code` in place of the trial."""
    run = subprocess.run

    def instead(_: list[str], **more):
        return run([sys.executable, "-c", code], **more)

    monkeypatch.setattr(subprocess, "run", instead)
