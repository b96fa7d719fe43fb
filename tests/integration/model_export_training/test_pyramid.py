"""Detectors with a feature pyramid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_export import tflite_graph
from model_export.architectures.anchors import anchors_of
from model_export.architectures.channels import (
    PYRAMID,
    feature_maps,
    layers,
    macs,
    parameters,
    source_maps,
    with_channels,
)
from model_export.architectures.mobilenet import Family, backbone, classifier
from model_export.architectures.postprocess import OPERATOR
from model_export.architectures.pyramid import of_side, pyramid_detector, short_pyramid_detector
from model_export.architectures.spec import (
    Activation,
    Anchors,
    Block,
    Detector,
    Input,
    Pyramid,
    SingleAnchors,
)
from model_export.edgetpu import Status, check
from model_export.errors import ExportError
from model_export.networks import finished, float_model
from model_export.pruning.reconstruction import without
from model_export.pruning.structured import Importance, channel_scores, keep, prune
from model_export.quantization import Calibration, Io, Precision, Quantization, quantize
from model_export.weights import Trained, largest_difference, load, save
from tests.integration.model_export_training.networks import kill, random_weights

SIZE = 64
SHAPES = ((0.1, 0.05), (0.3, 0.1), (0.6, 0.3), (0.8, 0.5))


def network(size: int = SIZE) -> Detector:
    features = replace(backbone(Family.V2, 0.35, Input(size, size)), last=None)
    coarse = Block(24, 0, 3, 2, Activation.RELU6, activation=Activation.RELU6)
    return Detector(
        features, (coarse,), 1, SingleAnchors(SHAPES), pyramid=Pyramid(24, kernel=5, depth=2)
    )


def noise(count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (count, SIZE, SIZE, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def trained(keras: Any) -> Trained:
    return random_weights(network())


def test_the_maps_are_what_each_size_of_the_backbone_ends_with() -> None:
    found = network()
    assert [each.size for each in feature_maps(found)] == [(8, 8), (4, 4), (2, 2), (1, 1)]
    assert {each.channels for each in feature_maps(found)} == {24}
    assert [each.group for each in source_maps(found)] == [
        "block04", "block11", "block17", "extra1",
    ]  # fmt: skip
    anchors = anchors_of(found)
    assert len(anchors) == 64 + 16 + 4 + 1
    np.testing.assert_allclose(anchors[0], [1 / 16, 1 / 16, 0.1, 0.05])
    np.testing.assert_allclose(anchors[-1], [0.5, 0.5, 0.8, 0.5])


def test_the_detector_for_persons_has_the_layers_of_a_published_backbone() -> None:
    found = pyramid_detector(Family.V2, 1.0, Input(320, 320), 1)
    assert macs(found) == pytest.approx(613e6, rel=0.01)
    assert len(anchors_of(found)) == 1600 + 400 + 100 + 25
    shapes = {layer.name: layer.shape for layer in layers(found)}
    published = {
        layer.name: layer.shape
        for layer in layers(classifier(Family.V2, 1.0, Input(224, 224), 1000))
    }
    shared = [name for name in published if name.startswith(("stem", "block"))]
    assert {name: shapes[name] for name in shared} == {name: published[name] for name in shared}


def test_without_the_coarsest_map_there_are_three_and_nothing_is_added_to_the_backbone() -> None:
    found = short_pyramid_detector(backbone(Family.V1, 0.75, Input(288, 288)), 1)
    assert [each.size for each in feature_maps(found)] == [(36, 36), (18, 18), (9, 9)]
    assert [each.group for each in source_maps(found)] == ["block05", "block11", "block13"]
    assert found.extras == ()
    with pytest.raises(ExportError, match="sides have to be multiples of 32, not 300x300"):
        short_pyramid_detector(backbone(Family.V1, 0.75, Input(300, 300)), 1)


def test_in_a_smaller_picture_boxes_start_from_as_many_pixels_as_before() -> None:
    large = short_pyramid_detector(backbone(Family.V1, 0.75, Input(288, 288)), 1)
    small = of_side(large, 256)
    assert [each.size for each in feature_maps(small)] == [(32, 32), (16, 16), (8, 8)]
    np.testing.assert_allclose(
        anchors_of(small)[[0, -1], 2:] * 256, anchors_of(large)[[0, -1], 2:] * 288, rtol=1e-6
    )
    assert [each.shape for each in layers(small)] == [each.shape for each in layers(large)]
    with pytest.raises(ExportError, match=r"a height and a width of 0\.\.1"):
        of_side(large, 160)
    with pytest.raises(ExportError, match="one anchor a place"):
        of_side(replace(large, anchors=Anchors()), 256)


def test_the_layers_are_those_of_the_keras_model(trained: Trained, tmp_path: Path) -> None:
    model = trained.model()
    weighted = {layer.name for layer in model.layers if layer.get_weights()}
    named = {layer.name for layer in layers(trained.network)}
    assert named == {name for name in weighted if not name.endswith("_norm")}
    boxes, scores = model(noise())
    assert boxes.shape == (2, 85, 4)
    assert scores.shape == (2, 85, 2)
    save(tmp_path / "pyramid.npz", trained)
    again = load(tmp_path / "pyramid.npz")
    assert again.network == trained.network
    assert largest_difference(model, again.model(), noise()) == 0


def test_a_fine_map_learns_what_coarse_ones_saw(trained: Trained) -> None:
    """What only the coarsest map is told changes what is said at the finest."""
    weights = dict(trained.weights)
    coarse = weights["map4_lateral"]
    assert coarse.norm is not None
    weights["map4_lateral"] = replace(
        coarse, norm=replace(coarse.norm, beta=coarse.norm.beta + np.float32(1))
    )
    before, after = (
        np.asarray(each.model()(noise(1))[0])
        for each in (trained, Trained(trained.network, weights))
    )
    assert np.abs(before - after)[0, :64].max() > 1e-3


def test_channels_that_are_zero_can_go_without_a_change(trained: Trained) -> None:
    sizes = {group: len(s) for group, s in channel_scores(trained, Importance.L1).items()}
    assert {PYRAMID, "extra1", "stem", "block04"} < set(sizes)
    rng = np.random.default_rng(1)
    dead = {group: rng.choice(size, size // 3, replace=False) for group, size in sizes.items()}
    zeroed = kill(trained, dead)
    smaller = keep(
        zeroed,
        {group: np.setdiff1d(np.arange(sizes[group]), indices) for group, indices in dead.items()},
    )
    assert macs(smaller.network) < 0.6 * macs(trained.network)
    assert largest_difference(zeroed.model(), smaller.model(), noise()) < 1e-4
    assert 0.35 < prune(trained, 0.5).cost <= 0.5


def test_the_pyramid_counts_in_what_a_network_costs() -> None:
    whole = network()
    narrow = with_channels(whole, {PYRAMID: 8})
    assert narrow.pyramid is not None
    assert narrow.pyramid.channels == 8
    assert macs(narrow) < macs(whole)
    assert parameters(narrow) < parameters(whole)


@pytest.mark.parametrize(
    ("attempt", "sentence"),
    [
        (lambda: network(96), "sides have to be multiples of 64, not 96x96"),
        (lambda: Pyramid(24, depth=0), "a pyramid mixes each map at least once"),
        (lambda: SingleAnchors(((0.1, 1.2),)), "anchors have a height and a width of 0..1"),
        (
            lambda: anchors_of(replace(network(), anchors=SingleAnchors(SHAPES[:2]))),
            "there are anchors for 2 maps, and the detector has 4",
        ),
    ],
)
def test_what_is_no_pyramid_is_told(attempt: Any, sentence: str) -> None:
    with pytest.raises(ExportError, match=sentence):
        attempt()


# Channels whose work the others take over


def with_doubles(trained: Trained, group: str, doubles: dict[int, int]) -> Trained:
    """The network in which a channel of the group is the same as another one."""
    weights = dict(trained.weights)
    name = group.removesuffix("_inner")
    for layer in (f"{name}_expand", f"{name}_depthwise"):
        found, kernel = weights[layer], weights[layer].kernel.copy()
        assert found.norm is not None
        norm = [
            values.copy()
            for values in (found.norm.gamma, found.norm.beta, found.norm.mean, found.norm.variance)
        ]
        for to, of in doubles.items():
            along = (..., slice(None)) if layer.endswith("_expand") else (..., slice(None), 0)
            kernel[along][..., to] = kernel[along][..., of]
            for values in norm:
                values[to] = values[of]
        weights[layer] = replace(found, kernel=kernel, norm=type(found.norm)(*norm))
    return Trained(trained.network, weights)


def test_a_channel_that_is_the_sum_of_others_goes_without_a_loss(trained: Trained) -> None:
    group = "block05_inner"
    doubled = with_doubles(trained, group, {3: 10, 7: 20, 8: 10})
    whole = trained.network.backbone.blocks[4].expanded
    rebuilt = without(doubled, {group: whole - 3}, noise(16))
    assert rebuilt.trained.network.backbone.blocks[4].expanded == whole - 3
    assert rebuilt.lost[group] < 0.01
    difference = largest_difference(doubled.model(), rebuilt.trained.model(), noise())
    scale = float(np.abs(np.asarray(doubled.model()(noise())[0])).max())
    assert difference < 0.03 * scale


def test_the_others_make_up_for_more_than_the_least_weights_would(trained: Trained) -> None:
    group, count = "block08_inner", 64
    rebuilt = without(trained, {group: count}, noise(16))
    scores = channel_scores(trained, Importance.L1)[group]
    plain = keep(trained, {group: np.sort(np.argsort(-scores)[:count])})
    assert rebuilt.trained.network == plain.network
    assert 0 < rebuilt.lost[group] < 0.5
    real, mended, cut = (
        np.asarray(each.model()(noise(4))[0]) for each in (trained, rebuilt.trained, plain)
    )
    assert np.abs(mended - real).mean() < 0.7 * np.abs(cut - real).mean()


@pytest.mark.parametrize(
    "counts", [{"block04": 8}, {"block05_inner": 0}, {"block05_inner": 10_000}, {"pyramid": 8}]
)
def test_only_channels_inside_of_blocks_are_taken_over(
    trained: Trained, counts: dict[str, int]
) -> None:
    with pytest.raises(ExportError, match="no block can be left with"):
        without(trained, counts, noise())


def test_all_but_the_end_of_an_int8_file_can_run_on_an_edge_tpu(
    trained: Trained, tmp_path: Path
) -> None:
    raw = float_model(trained)
    how = Quantization(Precision.INT8, Io.UINT8)
    path = tmp_path / "pyramid.tflite"
    path.write_bytes(finished(quantize(raw, how, Calibration(noise(4), (-1, 1))), trained.network))
    verdict = check(tflite_graph.read(path))
    assert verdict.refusals == ()
    left = [each.name for each in verdict.operators if each.status is not Status.MAPPED]
    assert left == ["DEQUANTIZE", "DEQUANTIZE", OPERATOR]
    assert "RESIZE_NEAREST_NEIGHBOR" in {each.name for each in verdict.operators}
