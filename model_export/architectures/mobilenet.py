"""The published MobileNets.

Sources: Howard et al. 2017 (V1, arXiv 1704.04861, table 1), Sandler et al. 2018 (V2, 1801.04381,
table 2), Howard et al. 2019 (V3, 1905.02244, tables 1 and 2); how channels are rounded is
TensorFlow's convention, as in keras.applications, whose weights fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, repeat

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

LINEAR, RELU, RELU6, HARD_SWISH = Activation


class Family(StrEnum):
    """Which MobileNet."""

    V1 = "mobilenet_v1"
    V2 = "mobilenet_v2"
    V3_SMALL = "mobilenet_v3_small"
    V3_LARGE = "mobilenet_v3_large"
    V3_SMALL_MINIMALISTIC = "mobilenet_v3_small_minimalistic"
    """ReLU, 3x3 and no squeeze-and-excite: a V3 that an Edge TPU runs."""
    V3_LARGE_MINIMALISTIC = "mobilenet_v3_large_minimalistic"


def classifier(family: Family, alpha: float, picture: Input, classes: int) -> Classifier:
    """The classifier of that family, its channels multiplied by `alpha`.

    Raises:
        ExportError: `alpha` or `classes` is out of range.
    """
    features = backbone(family, alpha, picture)
    hidden = _V3_HIDDEN.get(family)
    if hidden is None:
        return Classifier(features, classes)
    activation = RELU if family in _MINIMALISTIC else HARD_SWISH
    return Classifier(features, classes, Hidden(divisible(hidden * max(alpha, 1)), activation))


def backbone(family: Family, alpha: float, picture: Input) -> Backbone:
    """That classifier without its end.

    Raises:
        ExportError: `alpha` is out of range.
    """
    if not 0.05 <= alpha <= 4:
        raise ExportError(f"an alpha of {alpha:g} is not in 0.05..4: 1 is the published width")
    match family:
        case Family.V1:
            return _v1(alpha, picture)
        case Family.V2:
            return _v2(alpha, picture)
        case Family.V3_SMALL | Family.V3_SMALL_MINIMALISTIC:
            return _v3(_V3_SMALL_ROWS, alpha, picture, plain=family in _MINIMALISTIC)
        case _:
            return _v3(_V3_LARGE_ROWS, alpha, picture, plain=family in _MINIMALISTIC)


def divisible(channels: float) -> int:
    """The nearest multiple of 8, but no more than a tenth below `channels`, and at least 8."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


# V1: channels, and whether the block halves the picture

_V1_ROWS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    *repeat((512, 1), 5),
    (1024, 2), (1024, 1),
)  # fmt: skip


def _v1(alpha: float, picture: Input) -> Backbone:
    return Backbone(
        picture,
        Conv(max(1, int(32 * alpha)), 3, 2, RELU6),
        tuple(
            Block(max(1, int(channels * alpha)), 0, 3, stride, RELU6, activation=RELU6)
            for channels, stride in _V1_ROWS
        ),
    )


# V2: expansion, channels, blocks, stride of the first

_V2_ROWS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _v2(alpha: float, picture: Input) -> Backbone:
    stem = before = divisible(32 * alpha)
    blocks: list[Block] = []
    for expansion, width, count, first_stride in _V2_ROWS:
        channels = divisible(int(width * alpha))
        for stride in chain((first_stride,), repeat(1, count - 1)):
            blocks.append(
                Block(
                    channels,
                    expansion * before if expansion > 1 else 0,
                    3,
                    stride,
                    RELU6,
                    residual=stride == 1 and channels == before,
                )
            )
            before = channels
    last = Conv(divisible(1280 * max(alpha, 1)), 1, 1, RELU6)
    return Backbone(picture, Conv(stem, 3, 2, RELU6), tuple(blocks), last)


# V3


@dataclass(frozen=True, slots=True)
class _Row:
    """One block at alpha 1: expanded channels as a factor, as the rounding needs it."""

    expansion: float
    channels: int
    kernel: int
    stride: int
    squeeze: bool
    activation: Activation


_V3_SMALL_ROWS = (
    _Row(1, 16, 3, 2, True, RELU),
    _Row(72 / 16, 24, 3, 2, False, RELU),
    _Row(88 / 24, 24, 3, 1, False, RELU),
    _Row(4, 40, 5, 2, True, HARD_SWISH),
    _Row(6, 40, 5, 1, True, HARD_SWISH),
    _Row(6, 40, 5, 1, True, HARD_SWISH),
    _Row(3, 48, 5, 1, True, HARD_SWISH),
    _Row(3, 48, 5, 1, True, HARD_SWISH),
    _Row(6, 96, 5, 2, True, HARD_SWISH),
    _Row(6, 96, 5, 1, True, HARD_SWISH),
    _Row(6, 96, 5, 1, True, HARD_SWISH),
)

_V3_LARGE_ROWS = (
    _Row(1, 16, 3, 1, False, RELU),
    _Row(4, 24, 3, 2, False, RELU),
    _Row(3, 24, 3, 1, False, RELU),
    _Row(3, 40, 5, 2, True, RELU),
    _Row(3, 40, 5, 1, True, RELU),
    _Row(3, 40, 5, 1, True, RELU),
    _Row(6, 80, 3, 2, False, HARD_SWISH),
    _Row(2.5, 80, 3, 1, False, HARD_SWISH),
    _Row(2.3, 80, 3, 1, False, HARD_SWISH),
    _Row(2.3, 80, 3, 1, False, HARD_SWISH),
    _Row(6, 112, 3, 1, True, HARD_SWISH),
    _Row(6, 112, 3, 1, True, HARD_SWISH),
    _Row(6, 160, 5, 2, True, HARD_SWISH),
    _Row(6, 160, 5, 1, True, HARD_SWISH),
    _Row(6, 160, 5, 1, True, HARD_SWISH),
)

_MINIMALISTIC = frozenset({Family.V3_SMALL_MINIMALISTIC, Family.V3_LARGE_MINIMALISTIC})

_V3_HIDDEN = {
    Family.V3_SMALL: 1024,
    Family.V3_SMALL_MINIMALISTIC: 1024,
    Family.V3_LARGE: 1280,
    Family.V3_LARGE_MINIMALISTIC: 1280,
}


def _v3(rows: tuple[_Row, ...], alpha: float, picture: Input, *, plain: bool) -> Backbone:
    activation = RELU if plain else HARD_SWISH
    before = 16
    blocks: list[Block] = []
    for number, row in enumerate(rows):
        channels = divisible(row.channels * alpha)
        expanded = divisible(before * row.expansion)
        blocks.append(
            Block(
                channels,
                expanded if number else 0,
                3 if plain else row.kernel,
                row.stride,
                RELU if plain else row.activation,
                squeezed=divisible(expanded * 0.25) if row.squeeze and not plain else 0,
                residual=row.stride == 1 and channels == before,
            )
        )
        before = channels
    last = Conv(divisible(before * 6), 1, 1, activation)
    return Backbone(picture, Conv(16, 3, 2, activation), tuple(blocks), last)
