"""SSDLite detectors on MobileNet backbones.

Sources: Liu et al. 2016 (SSD, arXiv 1512.02325) for maps and anchors, Sandler et al. 2018
(1801.04381, part 6.2) for SSDLite and which layer of V2 the first map is, Howard et al. 2019
(1905.02244, part 6.3) the same for V3.
"""

from __future__ import annotations

from model_export.architectures.channels import feature_maps
from model_export.architectures.mobilenet import Family, backbone, divisible
from model_export.architectures.spec import Activation, Block, Detector, Input

_EXTRAS = ((256, 512), (128, 256), (128, 256), (64, 128))
"""Channels in the middle and at the end of each extra block, at an alpha of 1."""


def detector(family: Family, alpha: float, picture: Input, classes: int) -> Detector:
    """The detector of that family: two maps of the backbone, and up to four below them.

    Raises:
        ExportError: `alpha` or `classes` is out of range.
    """
    features = backbone(family, alpha, picture)
    last = features.last.activation if features.last else features.blocks[-1].activation
    extras: list[Block] = []
    found = Detector(features, (), classes)
    # Below a map of one place there is nothing to see.
    while len(extras) < len(_EXTRAS) and max(feature_maps(found)[-1].size) > 1:
        extras.append(_extra(len(extras), min(alpha, 1.0), last))
        found = Detector(features, tuple(extras), classes)
    return found


def _extra(number: int, alpha: float, activation: Activation) -> Block:
    middle, end = (divisible(channels * alpha) for channels in _EXTRAS[number])
    return Block(end, middle, 3, 2, activation, activation=activation)
