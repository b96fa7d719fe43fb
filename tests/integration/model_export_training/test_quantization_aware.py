"""Training with rounding: on real pictures, and what of it can be counted."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edge_runtime.inference.litert import LiteRtEngine
from model_export.architectures.channels import Kind, layers
from model_export.architectures.from_keras import from_keras
from model_export.architectures.mobilenet import Family, classifier
from model_export.architectures.spec import Activation, Input
from model_export.datasets.folders import read_folders
from model_export.errors import ExportError
from model_export.loading import load_keras
from model_export.networks import float_model
from model_export.quantization import Calibration, Io, Precision, Quantization, quantize
from model_export.training.augmentation import NOTHING
from model_export.training.batches import Batches
from model_export.training.classification import Distillation, Plan, train
from model_export.training.classification import Precision as Computing
from model_export.training.detection import DetectionPlan
from model_export.training.even_ranges import evened, extremes, with_room
from model_export.training.loop import Schedule
from model_export.training.pictures import Pictures, load_pictures
from model_export.training.quantization_aware import (
    QuantizationAware,
    Taught,
    train_quantization_aware,
    train_quantization_aware_detector,
)
from model_export.training.rounding import Rounded
from model_export.training.starting import adapted, untrained, with_layers_of
from model_export.weights import Trained, largest_difference
from tests.integration.model_export_training.networks import random_model, random_weights, shades
from tests.integration.model_export_training.test_detector_training import red_things
from tests.integration.model_export_training.test_networks import small_detector

pytestmark = pytest.mark.usefixtures("keras", "tf_keras")

ROOT = Path(__file__).parents[3]
TFLITE_PYTHON = Path(os.environ.get("EDGE_TFLITE_PYTHON", ROOT / ".venv-tflite/bin/python"))
SIZE = 64
SLOW = Plan(None, Schedule(2, 1e-4, 2, False), batch=20, augmentation=NOTHING)
SAME = replace(SLOW, distillation=Distillation(share=1, temperature=1))
"""Nothing counts but what the network said before it was rounded."""


@pytest.fixture(scope="module")
def faces(data_dir: Path) -> tuple[Pictures, Pictures]:
    """200 to learn from and 300 others."""
    data = read_folders(data_dir / "images/face_covered")
    chosen = np.random.default_rng(0).permutation(len(data))
    picture = Input(SIZE, SIZE)
    return (
        load_pictures(data.at(chosen[:200]), picture),
        load_pictures(data.at(chosen[200:500]), picture),
    )


@pytest.fixture(scope="module")
def trained(faces: tuple[Pictures, Pictures], data_dir: Path) -> Trained:
    """A network in float that tells covered faces from others; it begins as one for persons did."""
    person = from_keras(load_keras(data_dir / "models/vww_96.h5"), "vww_96.h5", (0.0, 1.0))
    features = replace(person.network.backbone, blocks=person.network.backbone.blocks[:5])
    whole = replace(person.network, backbone=features)
    short = with_layers_of(untrained(whole, seed=0), person.weights)
    start = adapted(short, height=SIZE, width=SIZE, channels=3, classes=2, seed=0)
    return train(start, *faces, Plan(None, Schedule(5, 0.005, 7, False), batch=20)).trained


@pytest.fixture(scope="module")
def made(trained: Trained, faces: tuple[Pictures, Pictures]) -> QuantizationAware:
    return train_quantization_aware(trained, *faces, SAME)


def answers(content: bytes, pixels: np.ndarray, folder: Path) -> np.ndarray:
    """What LiteRT says of uint8 pixels: N x classes."""
    path = folder / "model.tflite"
    path.write_bytes(content)
    engine = LiteRtEngine(path)
    (spec,) = engine.output_specs
    said = []
    for picture in pixels:
        shift = 128 if engine.input.dtype == np.int8 else 0
        engine.input_view()[...] = (picture.astype(np.int16) - shift).astype(engine.input.dtype)
        engine.invoke()
        said.append((engine.outputs()[0][0].astype(np.float32) - spec.zero_point) * spec.scale)
    return np.array(said)


def plain_answers(trained: Trained, pictures: Pictures) -> np.ndarray:
    return np.asarray(trained.model()(pictures.inputs(trained.network.backbone.input)))


def test_rounded_it_decides_as_in_float_and_no_worse_than_what_was_only_calibrated(
    made: QuantizationAware, trained: Trained, faces: tuple[Pictures, Pictures], tmp_path: Path
) -> None:
    shown, others = faces
    expected = plain_answers(trained, others)
    assert (expected.argmax(1) == others.labels).mean() > 0.7
    inputs = shown.inputs(trained.network.backbone.input)
    how = Quantization(Precision.INT8, Io.INT8)
    calibrated = quantize(float_model(trained), how, Calibration(inputs, (0.0, 1.0)))
    said, said_before = (
        answers(content, others.pixels, tmp_path) for content in (made.model, calibrated)
    )
    flips, flips_before = (
        int((each.argmax(axis=1) != expected.argmax(axis=1)).sum()) for each in (said, said_before)
    )
    # As many as that may be chance.
    assert flips <= flips_before + 2 * np.sqrt(flips_before + 1)
    assert np.abs(said - expected).mean() < 1.5 * np.abs(said_before - expected).mean() + 0.002
    assert len(made.model) <= len(calibrated)
    assert [epoch.number for epoch in made.epochs] == [1, 2]
    assert made.epochs[-1].validation.accuracy > 0.7


def test_convolutions_have_a_scale_for_each_channel_and_dense_layers_one(
    made: QuantizationAware,
) -> None:
    # Interpreters show what they made of the file.
    model = schema.ModelT.InitFromPackedBuf(made.model, 0)
    biases = 0
    for tensor in model.subgraphs[0].tensors:
        scales = 0 if tensor.quantization.scale is None else len(tensor.quantization.scale)
        shape = tuple(map(int, tensor.shape))
        data = model.buffers[tensor.buffer].data
        if data is None or not len(data):
            continue
        if tensor.type == schema.TensorType.INT8 and len(shape) == 4:
            # A depthwise kernel's channels come last.
            assert scales == (shape[3] if shape[0] == 1 else shape[0])
        if tensor.type == schema.TensorType.INT8 and len(shape) == 2:
            assert scales == 1
        if tensor.type == schema.TensorType.INT32 and scales:
            # One that is cut off is another constant.
            values = np.asarray(data, np.uint8).view(np.int32).astype(np.int64)
            assert np.abs(values).max() < 2**31 - 2
            biases += 1
    assert biases == 1 + 2 * 5 + 1


def test_its_ends_are_those_that_were_asked_for(tmp_path: Path) -> None:
    data = shades()
    start = random_model(Family.V1, size=32, classes=2, blocks=2)
    rounded = Rounded.of(start, data.inputs(start.network.backbone.input))
    path = tmp_path / "model.tflite"
    for io in Io:
        path.write_bytes(rounded.converted(io))
        engine = LiteRtEngine(path)
        assert (engine.input.dtype, engine.output_specs[0].dtype) == (io.value, io.value)
        if io is not Io.FLOAT32:
            # Pixels go in as they are, and scores come in steps of 1/256.
            assert engine.input.scale == pytest.approx(2 / 255, rel=1e-3)
            assert engine.output_specs[0].scale == 1 / 256


@pytest.mark.parametrize("family", [Family.V2, Family.V3_SMALL_MINIMALISTIC])
def test_residuals_and_hidden_layers_are_trained_with_rounding(
    family: Family, tmp_path: Path
) -> None:
    data = shades(count=40)
    start = random_model(family, size=32, classes=2, blocks=3)
    found = train_quantization_aware(start, data, data, replace(SAME, batch=8))
    expected = plain_answers(start, data)
    said = answers(found.model, data.pixels, tmp_path)
    assert np.abs(said - expected).mean() < 0.1
    assert np.corrcoef(said[:, 0], expected[:, 0])[0, 1] > 0.9


def test_tflite_runtime_loads_it_and_decides_alike(
    made: QuantizationAware, faces: tuple[Pictures, Pictures], tmp_path: Path
) -> None:
    if not TFLITE_PYTHON.exists():
        pytest.skip(f"{TFLITE_PYTHON} is not there: `make test` makes it, with tflite-runtime")
    pixels = faces[1].pixels[:60]
    here = answers(made.model, pixels, tmp_path).argmax(1)
    np.save(tmp_path / "pixels.npy", pixels)
    run = subprocess.run(
        [TFLITE_PYTHON, "-c", OLD_RUNTIME, tmp_path / "model.tflite", tmp_path / "pixels.npy"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert np.mean(np.array(json.loads(run.stdout)) == here) > 0.95


OLD_RUNTIME = """
import json, sys
import numpy as np
from tflite_runtime.interpreter import Interpreter
model = Interpreter(sys.argv[1])
model.allocate_tensors()
(given,), (out,) = model.get_input_details(), model.get_output_details()
decided = []
for picture in np.load(sys.argv[2]):
    model.set_tensor(given["index"], (picture.astype(np.int16) - 128).astype(np.int8)[None])
    model.invoke()
    decided.append(int(model.get_tensor(out["index"]).argmax()))
print(json.dumps(decided))
"""


# How it begins


def kernels(rounded: Rounded, kind: Kind) -> list[np.ndarray]:
    named = [layer.name for layer in layers(rounded.trained.network) if layer.kind is kind]
    return [rounded.trained.weights[name].kernel for name in named]


@pytest.mark.parametrize("family", [Family.V1, Family.V2])
def test_even_channels_change_no_answer(family: Family, tf_keras: Any) -> None:
    whole = classifier(family, 0.35, Input(SIZE, SIZE), 3)
    # With ReLU, channels can be multiplied; with ReLU6 they cannot.
    blocks = tuple(
        replace(block, inner=Activation.RELU, activation=_relu(block.activation))
        for block in whole.backbone.blocks[:4]
    )
    stem = replace(whole.backbone.stem, activation=Activation.RELU)
    start = random_weights(
        replace(whole, backbone=replace(whole.backbone, stem=stem, blocks=blocks))
    )
    inputs = np.random.default_rng(0).uniform(-1, 1, (12, SIZE, SIZE, 3)).astype(np.float32)
    model = start.model(tf_keras)
    even = evened(start, model, inputs)
    made = even.model(tf_keras)
    assert largest_difference(model, made, inputs) < 1e-4
    for layer in layers(start.network):
        if layer.kind is Kind.DEPTHWISE:
            size = np.abs(even.weights[layer.name].kernel).max(axis=(0, 1, 3))
            np.testing.assert_allclose(size, size.max(), rtol=1e-5)
            before, after = (
                extremes(each, {"it": each.get_layer(layer.name).input}, inputs)["it"].greatest
                for each in (model, made)
            )
            wanted = before * np.clip(before.max() / before, 1, 64)
            assert np.ptp(before) > 0.1 * before.max()
            np.testing.assert_allclose(after, wanted, rtol=1e-3)


def _relu(activation: Activation) -> Activation:
    return activation if activation is Activation.LINEAR else Activation.RELU


def test_ranges_begin_with_what_the_network_holds_and_statistics_stay(tf_keras: Any) -> None:
    data = shades(count=40)
    start = random_model(Family.V2, size=32, classes=2, blocks=3)
    picture = start.network.backbone.input
    rounded = Rounded.of(start, data.inputs(picture))
    named = {weight.name: np.asarray(weight) for weight in rounded.model.weights}
    assert named["quant_stem_relu/output_max:0"] == pytest.approx(
        float(
            np.max(
                tf_keras.Model(rounded.plain.input, rounded.plain.get_layer("stem_relu").output)(
                    data.inputs(picture)
                )
            )
        )
    )
    (low, high) = (
        value
        for name, value in named.items()
        if name.startswith("quantize_layer")
        and name[-3] != "p"
        and name.endswith(("_min:0", "_max:0"))
    )
    assert (low, high) == (-1, 1)
    before = rounded.learned()
    assert largest_difference(before.model(), start.model(), data.inputs(picture)) < 1e-3
    rounded.model.compile("adam", "categorical_crossentropy")
    rounded.model.fit(data.inputs(picture), np.eye(2)[data.labels], epochs=1, verbose=0)
    after = rounded.learned()
    for name in ("stem", "block02_depthwise"):
        one, other = before.weights[name], after.weights[name]
        assert one.norm is not None and other.norm is not None
        np.testing.assert_array_equal(one.norm.mean, other.norm.mean)
        np.testing.assert_array_equal(one.norm.variance, other.norm.variance)
        assert (one.norm.beta != other.norm.beta).any()
        assert (one.kernel != other.kernel).any()


def test_biases_of_dead_channels_get_room() -> None:
    start = random_model(Family.V1, size=32, classes=2, blocks=1)
    dead = start.weights["block01_project"]
    kernel = dead.kernel.copy()
    kernel[..., 3] = 0
    weights = {**start.weights, "block01_project": replace(dead, kernel=kernel)}
    found = with_room(
        Trained(start.network, weights), {layer.name: 6.0 for layer in layers(start.network)}
    ).weights
    raised = found["block01_project"]
    assert dead.norm is not None
    step = 6 / 255 * np.abs(raised.folded[..., 3]).max() / 127
    assert abs(dead.norm.offset[3]) / step < 2**31
    assert np.count_nonzero(raised.kernel[..., 3]) == 1
    np.testing.assert_array_equal(np.delete(raised.kernel, 3, -1), np.delete(kernel, 3, -1))
    for name in ("stem", "block01_depthwise", "classes"):
        np.testing.assert_array_equal(found[name].kernel, start.weights[name].kernel)


# What cannot be


@pytest.mark.parametrize(
    ("attempt", "sentence"),
    [
        (
            lambda data: train_quantization_aware(small_detector(), data, data, SLOW),
            "a detector was given where a classifier is needed",
        ),
        (
            lambda data: train_quantization_aware_detector(
                random_model(Family.V1, 32, 2),
                red_things(2, 0),
                red_things(2, 0),
                DetectionPlan(None, SLOW.whole),
            ),
            "a classifier was given where a detector is needed",
        ),
        (
            lambda data: train_quantization_aware(
                random_model(Family.V3_SMALL, 32, 2), data, data, SLOW
            ),
            "has hard-swish, which tf_keras and TensorFlow's model optimization do not have",
        ),
        (
            lambda data: train_quantization_aware(random_model(Family.V1, 64, 2), data, data, SLOW),
            "the training pictures are 32x32x3 of 2 classes, and the network takes 64x64x3",
        ),
        (
            lambda data: train_quantization_aware(
                random_model(Family.V1, 32, 2), data, data, replace(SLOW, head=SLOW.whole)
            ),
            "training with rounding has one phase",
        ),
        (
            lambda data: train_quantization_aware(
                random_model(Family.V1, 32, 2),
                data,
                data,
                replace(SLOW, precision=Computing.BFLOAT16),
            ),
            "computes in float32, and mixed_bfloat16 is asked for",
        ),
    ],
)
def test_what_cannot_be_trained_with_rounding_is_told(attempt: Any, sentence: str) -> None:
    with pytest.raises(ExportError) as told:
        attempt(shades())
    assert sentence in str(told.value)


def test_a_layer_that_the_toolkit_does_not_know_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow_model_optimization as toolkit

    def refuse(_: Any) -> None:
        raise RuntimeError("Layer odd:<class> is not supported.")

    monkeypatch.setattr(toolkit.quantization.keras, "quantize_model", refuse)
    with pytest.raises(ExportError, match="cannot put rounding into this network: Layer odd:<cla"):
        train_quantization_aware(random_model(Family.V1, 32, 2, 1), *[shades()] * 2, SLOW)


def test_its_own_answers_count_as_much_as_was_asked_for() -> None:
    data = shades(count=8)
    seen = np.array([0.7, 0.3], np.float32)
    batches = Batches(
        data, Input(32, 32), 8, teacher=lambda inputs: np.tile(seen, (len(inputs), 1))
    )
    _, truth, _ = Taught(batches, 0.75).batch(0, 0)
    np.testing.assert_allclose(truth, 0.25 * np.eye(2)[data.labels] + 0.75 * seen)
