from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from model_export import tflite_graph
from model_export.architectures.anchors import anchor_boxes, anchors_of
from model_export.architectures.box_coding import decode, encode
from model_export.architectures.channels import feature_maps, layers, macs, parameters
from model_export.architectures.mobilenet import Family
from model_export.architectures.postprocess import Selection
from model_export.architectures.spec import Anchors, Detector, Input
from model_export.architectures.ssdlite import detector
from model_export.errors import ExportError


def test_the_anchors_are_those_inside_a_published_detector(data_dir: Path) -> None:
    path = data_dir / "models/ssd_mobilenet_v1_coco_quant_300.tflite"
    graph = tflite_graph.read(path).graph
    stored = graph.stored(graph.operators[-1], 2)
    assert stored is not None
    values = stored.values()
    assert values is not None
    (scale,), (zero,) = stored.scales, stored.zero_points
    expected = ((values.astype(float) - zero) * scale).reshape(-1, 4)
    found = anchor_boxes(Anchors(), [(19, 19), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1)])
    np.testing.assert_allclose(found, expected, atol=0.51 * scale)


def test_ssdlite_on_v2_costs_what_was_published() -> None:
    # 0.8 billion and 4.3 million, for COCO's 80 classes (1801.04381, table 6).
    network = detector(Family.V2, 1, Input(320, 320), 80)
    assert macs(network) / 1e9 == pytest.approx(0.8, rel=0.05)
    assert parameters(network) / 1e6 == pytest.approx(4.3, rel=0.05)


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("size", [(320, 320), (128, 96), (64, 160)])
def test_maps_halve_down_to_one_place(family: Family, size: tuple[int, int]) -> None:
    network = detector(family, 0.5, Input(*size), 1)
    maps = feature_maps(network)
    assert maps[0].size == (-(-size[0] // 16), -(-size[1] // 16))
    for finer, coarser in pairwise(maps):
        assert coarser.size == (-(-finer.size[0] // 2), -(-finer.size[1] // 2))
    assert max(maps[-1].size) == 1 or len(maps) == 6
    count = sum(
        network.anchors.count(number) * found.size[0] * found.size[1]
        for number, found in enumerate(maps)
    )
    assert anchors_of(network).shape == (count, 4)


def test_a_detectors_layer_reads_what_the_one_before_it_wrote() -> None:
    network = detector(Family.V3_SMALL, 0.75, Input(128, 128), 2)
    written = {"pixels": 3}
    for layer in layers(network):
        assert layer.inputs == written[layer.source], layer.name
        if layer.target not in ("boxes", "classes"):
            assert written.setdefault(layer.target, layer.outputs) == layer.outputs, layer.name


def test_what_is_coded_is_decoded() -> None:
    rng = np.random.default_rng(0)
    corners = np.sort(rng.random((100, 2, 2)), axis=1)
    boxes = corners.reshape(-1, 4).astype(np.float32)
    anchors = rng.uniform(0.05, 1, (100, 4)).astype(np.float32)
    np.testing.assert_allclose(decode(encode(boxes, anchors), anchors), boxes, atol=1e-5)


def test_a_box_at_its_anchor_is_coded_as_zeros_and_a_shift_by_its_size_as_ten() -> None:
    anchor = np.array([[0.5, 0.5, 0.2, 0.4]], np.float32)
    at_anchor = np.array([[0.4, 0.3, 0.6, 0.7]], np.float32)
    np.testing.assert_allclose(encode(at_anchor, anchor), 0, atol=1e-5)
    below = at_anchor + np.array([0.2, 0, 0.2, 0], np.float32)
    np.testing.assert_allclose(encode(below, anchor), [[10, 0, 0, 0]], atol=1e-5)
    np.testing.assert_allclose(
        decode(np.array([[0, 0, 5, 5]], np.float32), anchor),
        [[0.5 - 0.1 * np.e, 0.5 - 0.2 * np.e, 0.5 + 0.1 * np.e, 0.5 + 0.2 * np.e]],
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Anchors(0.9, 0.2), "the smallest below the largest"),
        (lambda: Anchors(ratios=()), "ratios above 0"),
        (lambda: detector(Family.V2, 1, Input(64, 64), 0), "at least 1 class, not 0"),
        (
            lambda: Detector(
                # One without a block.
                type(DETECTOR.backbone)(DETECTOR.backbone.input, DETECTOR.backbone.stem, ()),
                (),
                1,
            ),
            "a backbone with a block of stride 2",
        ),
        (lambda: Selection(most=0), "at least 1 box"),
        (lambda: Selection(overlap=1.5), "an overlap in 0..1, not 25, 0 and 1.5"),
    ],
)
def test_what_cannot_be_a_detector_is_told(make, sentence: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ExportError) as told:
        make()
    assert sentence in str(told.value)


DETECTOR = detector(Family.V2, 0.35, Input(64, 64), 1)
