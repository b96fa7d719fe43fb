"""SSDLite as a Keras model and as the file that boards read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.inference import tflite_file
from model_export.architectures.anchors import anchors_of
from model_export.architectures.box_coding import decode
from model_export.architectures.channels import layers, macs
from model_export.architectures.mobilenet import Family
from model_export.architectures.postprocess import Selection, with_postprocess
from model_export.architectures.spec import Input
from model_export.architectures.ssdlite import detector
from model_export.errors import ExportError
from model_export.pruning.structured import Importance, channel_scores, keep, prune
from model_export.training.starting import untrained, with_layers_of
from model_export.weights import Trained, largest_difference, load, save
from tests.integration.model_export_training.networks import kill, random_model, random_weights

SIZE = 64


def random_detector(family: Family, classes: int = 2) -> Trained:
    return random_weights(detector(family, 0.35, Input(SIZE, SIZE), classes))


def noise(count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (count, SIZE, SIZE, 3)).astype(np.float32)


@pytest.mark.parametrize("family", [Family.V1, Family.V2, Family.V3_SMALL])
def test_each_anchor_has_a_box_and_scores_and_a_file_keeps_them(
    family: Family, keras: Any, tmp_path: Path
) -> None:
    trained = random_detector(family)
    boxes, scores = trained.model()(noise())
    count = len(anchors_of(trained.network))  # type: ignore[arg-type]
    assert boxes.shape == (2, count, 4)
    assert scores.shape == (2, count, 3)
    assert 0 <= np.min(scores) < np.max(scores) <= 1
    save(tmp_path / "detector.npz", trained)
    again = load(tmp_path / "detector.npz")
    assert again.network == trained.network
    assert largest_difference(trained.model(), again.model(), noise()) == 0


@pytest.mark.parametrize("family", [Family.V2, Family.V3_SMALL])
def test_a_detectors_channels_that_are_zero_can_go_without_a_change(
    family: Family, keras: Any
) -> None:
    trained = random_detector(family)
    sizes = {group: len(s) for group, s in channel_scores(trained, Importance.L1).items()}
    assert {"extra1", "extra1_inner", "last", "stem"} < set(sizes)
    rng = np.random.default_rng(1)
    dead = {group: rng.choice(size, size // 3, replace=False) for group, size in sizes.items()}
    zeroed = kill(trained, dead)
    smaller = keep(
        zeroed,
        {group: np.setdiff1d(np.arange(sizes[group]), indices) for group, indices in dead.items()},
    )
    assert macs(smaller.network) < 0.6 * macs(trained.network)
    assert largest_difference(zeroed.model(), smaller.model(), noise()) < 1e-4
    half = prune(trained, 0.5)
    assert 0.35 < half.cost <= 0.5


def test_a_detector_begins_with_a_classifiers_backbone(keras: Any) -> None:
    source = random_model(Family.V2)
    start = untrained(detector(Family.V2, 0.35, Input(SIZE, SIZE), 1), seed=0)
    found = with_layers_of(start, source.weights)
    shared = {layer.name for layer in layers(source.network)} - {"classes"}
    for name in shared:
        np.testing.assert_array_equal(found.weights[name].kernel, source.weights[name].kernel)
    np.testing.assert_array_equal(
        found.weights["map1_boxes"].kernel, start.weights["map1_boxes"].kernel
    )
    # Hardly any anchor has an object: so it starts.
    _, scores = start.model()(noise())
    assert np.mean(scores[..., 0]) > 0.95
    assert 0.001 < np.mean(scores[..., 1:]) < 0.05


@pytest.fixture(scope="module")
def converted(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, bytes]:
    whole = detector(Family.V2, 0.35, Input(SIZE, SIZE), 2)
    features = replace(whole.backbone, blocks=whole.backbone.blocks[:5])
    trained = random_weights(replace(whole, backbone=features, extras=whole.extras[:1]))
    path = tmp_path_factory.mktemp("detector") / "raw.tflite"
    trained.model().export(str(path), format="litert", verbose=False)
    return trained, path.read_bytes()


def test_the_operator_finds_what_the_network_sees(
    converted: tuple[Trained, bytes], tmp_path: Path
) -> None:
    from ai_edge_litert.interpreter import Interpreter

    trained, raw = converted
    anchors = anchors_of(trained.network)  # type: ignore[arg-type]
    path = tmp_path / "detector.tflite"
    path.write_bytes(with_postprocess(raw, anchors, Selection(most=7, score=0.3, overlap=0.4)))
    read = tflite_file.read(path)
    assert read.detection is not None
    assert read.detection.class_count == 2
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    interpreter.set_tensor(given["index"], noise(1))
    interpreter.invoke()
    boxes, classes, scores, count = (
        interpreter.get_tensor(output["index"]) for output in interpreter.get_output_details()
    )
    assert boxes.shape == (1, 7, 4)
    coded, seen = (np.asarray(output)[0] for output in trained.model()(noise(1)))
    expected, best = decode(coded, anchors), seen[:, 1:].max(1)
    first = int(best.argmax())
    assert scores[0, 0] == pytest.approx(best[first], abs=1e-4)
    assert classes[0, 0] == seen[first, 1:].argmax()
    np.testing.assert_allclose(boxes[0, 0], expected[first], atol=1e-3)
    for found in boxes[0, : int(count[0])]:
        assert np.abs(expected - found).max(1).min() < 1e-3


def test_the_operator_takes_a_quantized_detector(
    converted: tuple[Trained, bytes], tmp_path: Path
) -> None:
    from model_export.quantization import Calibration, Io, Precision, Quantization, quantize

    trained, raw = converted
    how = Quantization(Precision.INT8, Io.INT8)
    int8 = quantize(raw, how, Calibration(noise(8), (-1, 1)))
    path = tmp_path / "detector.tflite"
    path.write_bytes(with_postprocess(int8, anchors_of(trained.network)))  # type: ignore[arg-type]
    from edge_runtime.inference.litert import LiteRtEngine

    engine = LiteRtEngine(path)
    engine.input_view()[...] = 0
    engine.invoke()
    outputs = [np.array(output) for output in engine.outputs()]
    assert [output.shape for output in outputs] == [(1, 25, 4), (1, 25), (1, 25), (1,)]
    assert 0 < outputs[3].item() <= 25


def test_what_is_no_detector_is_told(converted: tuple[Trained, bytes], data_dir: Path) -> None:
    trained, raw = converted
    anchors = anchors_of(trained.network)  # type: ignore[arg-type]
    with pytest.raises(ExportError, match="and there are 3 anchors: they are of another detect"):
        with_postprocess(raw, anchors[:3])
    classifier = (data_dir / "models/vww_96_float.tflite").read_bytes()
    with pytest.raises(ExportError, match=r"the model gives \[1, 2\]: a detector gives boxes"):
        with_postprocess(classifier, anchors)
