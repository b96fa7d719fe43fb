"""Detectors with a feature pyramid on MobileNet backbones, for training on an accelerator.

Sources: Lin et al. 2017 (FPN, arXiv 1612.03144); as in TensorFlow's FPNLite all its convolutions
are separable. One anchor a place, as places stand for the objects that they see best
(`training.assignment`), whatever their anchors overlap with.
"""

from __future__ import annotations

from dataclasses import replace

from model_export.architectures.mobilenet import Family, backbone
from model_export.architectures.spec import (
    Activation,
    Backbone,
    Block,
    Detector,
    Input,
    Pyramid,
    SingleAnchors,
)
from model_export.errors import ExportError

PERSONS = SingleAnchors(((0.09, 0.034), (0.29, 0.11), (0.56, 0.22), (0.83, 0.52)))
"""The average shapes of 33,000 persons in pictures stretched to a square: of those whose size (the
root of their area) is below an eighth of the picture's, a quarter, a half, and above."""

PERSONS_IN_THREE = SingleAnchors(((0.09, 0.034), (0.29, 0.11), (0.65, 0.35)))
"""The same for three maps: the last is of all persons above a quarter."""

_KERNEL = 5


def pyramid_detector(
    family: Family,
    alpha: float,
    picture: Input,
    classes: int,
    *,
    channels: int = 96,
    anchors: SingleAnchors = PERSONS,
) -> Detector:
    """The detector: maps at strides of 8, 16, 32 and 64.

    Args:
        picture: its sides are multiples of 64.
        channels: of the pyramid's maps.

    Raises:
        ExportError: `alpha` or `classes` is out of range, or the sides are others.
    """
    # The last convolution is made for the classes of a classifier.
    features = replace(backbone(family, alpha, picture), last=None)
    coarsest = Block(channels, 0, 3, 2, Activation.RELU6, activation=Activation.RELU6)
    return Detector(features, (coarsest,), classes, anchors, pyramid=Pyramid(channels, _KERNEL))


def short_pyramid_detector(
    features: Backbone,
    classes: int,
    *,
    channels: int = 96,
    anchors: SingleAnchors = PERSONS_IN_THREE,
) -> Detector:
    """The detector without its coarsest map: maps at strides of 8, 16 and 32.

    Nothing is added to the backbone, and a picture's sides are multiples of 32.

    Args:
        features: a backbone without a last convolution, such as `from_tflite.ssd_backbone` reads.
        channels: of the pyramid's maps.

    Raises:
        ExportError: the backbone has no such maps, or the sides of its picture are others.
    """
    return Detector(features, (), classes, anchors, pyramid=Pyramid(channels, _KERNEL))


def of_side(network: Detector, side: int) -> Detector:
    """The detector for square pictures of another size, in which it sees what it saw in pixels.

    The shapes that boxes start from grow as the picture shrinks. Weights are those of before.

    Raises:
        ExportError: the side is no multiple of the coarsest map's stride, a shape gets larger than
            the picture, or the anchors are others.
    """
    given, anchors = network.backbone.input, network.anchors
    if not isinstance(anchors, SingleAnchors):
        raise ExportError("only a detector with one anchor a place can be made for another size")
    shapes = tuple(
        (height * given.height / side, width * given.width / side)
        for height, width in anchors.shapes
    )
    features = replace(network.backbone, input=replace(given, height=side, width=side))
    return replace(network, backbone=features, anchors=SingleAnchors(shapes))
