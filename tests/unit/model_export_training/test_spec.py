from __future__ import annotations

import pytest

from model_export.architectures.channels import layers, macs, parameters, with_channels
from model_export.architectures.mobilenet import Family, backbone, classifier, divisible
from model_export.architectures.spec import (
    Activation,
    Backbone,
    Block,
    Classifier,
    Conv,
    Hidden,
    Input,
)
from model_export.errors import ExportError

PICTURE = Input(224, 224)


@pytest.mark.parametrize(
    ("family", "millions", "weights"),
    [
        # From the papers' tables, which count no normalisation.
        (Family.V1, 569, 4.2),
        (Family.V2, 300, 3.4),
        (Family.V3_SMALL, 56, 2.5),
        (Family.V3_LARGE, 219, 5.4),
        (Family.V3_LARGE_MINIMALISTIC, 209, 3.9),
    ],
)
def test_each_family_costs_what_was_published(
    family: Family, millions: int, weights: float
) -> None:
    network = classifier(family, 1, PICTURE, 1000)
    assert macs(network) / 1e6 == pytest.approx(millions, rel=0.05)
    assert parameters(network) / 1e6 == pytest.approx(weights, rel=0.06)


def test_a_layer_reads_what_the_one_before_it_in_its_group_wrote() -> None:
    network = classifier(Family.V3_LARGE, 0.75, PICTURE, 10)
    written = {"pixels": 3}
    for layer in layers(network):
        assert layer.inputs == written[layer.source], layer.name
        assert written.setdefault(layer.target, layer.outputs) == layer.outputs, layer.name
    assert written["classes"] == 10


def test_what_an_addition_adds_is_one_group() -> None:
    network = classifier(Family.V2, 1, PICTURE, 10)
    targets = [layer.target for layer in layers(network) if layer.name.endswith("project")]
    assert targets[1:3] == ["block02", "block02"]
    assert targets[6:10] == ["block07"] * 4


def test_a_group_gets_another_number_of_channels_wherever_it_is_written_or_read() -> None:
    network = classifier(Family.V3_SMALL, 1, PICTURE, 10)
    counts = {"stem": 8, "block04": 24, "block05_inner": 48, "block05_squeezed": 8, "hidden": 64}
    smaller = with_channels(network, counts | {"last": 72})
    for layer in layers(smaller):
        assert layer.inputs == counts.get(layer.source, layer.inputs)
        assert layer.outputs == counts.get(layer.target, layer.outputs)
    assert macs(smaller) < macs(network)
    assert with_channels(network, {}) == network


@pytest.mark.parametrize(
    ("channels", "expected"), [(1, 8), (12, 16), (11.2, 16), (20, 24), (33.6, 32), (40, 40)]
)
def test_channels_are_rounded_to_eights_but_not_far_down(channels: float, expected: int) -> None:
    assert divisible(channels) == expected


RELU = Activation.RELU


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Input(16, 64), "a picture of 64x16 is too small for a MobileNet"),
        (lambda: Input(64, 64, 4), "4 channels were asked for: 3 are colour, 1 is grey"),
        (lambda: Input(64, 64, 3, (1, 0)), "black is 1 and white 0"),
        (lambda: backbone(Family.V1, 0, PICTURE), "an alpha of 0 is not in 0.05..4"),
        (lambda: classifier(Family.V2, 1, PICTURE, 1), "at least 2 classes, not 1"),
        (lambda: Conv(0, 3, 1, RELU), "at least 1 channel, not 0"),
        (lambda: Conv(8, 4, 1, RELU), "an odd number of pixels, not 4"),
        (lambda: Block(8, 0, 3, 3, RELU), "a stride of 1 or 2, not 3"),
        (lambda: Block(8, -8, 3, 1, RELU), "fewer than 0 channels"),
        (
            lambda: Backbone(
                PICTURE, Conv(8, 3, 2, RELU), (Block(16, 0, 3, 1, RELU, residual=True),)
            ),
            "block 1 cannot add its input of 8 channels to its output of 16 at stride 1",
        ),
        (
            lambda: Classifier(backbone(Family.V1, 1, PICTURE), 2, Hidden(8, RELU), dropout=1),
            "a dropout of 1 is not in 0..1",
        ),
    ],
)
def test_what_cannot_be_built_is_told(make, sentence: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ExportError) as told:
        make()
    assert sentence in str(told.value)
