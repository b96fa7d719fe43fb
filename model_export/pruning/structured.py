"""Channels that matter least are removed, and what stays is a smaller dense network.

The channels of a group (`architectures.channels`) go together, so that what is added up or goes
through a depthwise convolution still fits. Sources: Liu et al. 2017 (arXiv 1708.06519) for the
scale of batch normalisation and one threshold for the whole network, Li et al. 2017 (1608.08710)
for the L1 norm of filters.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from model_export.architectures.channels import (
    FIXED,
    Kind,
    Layer,
    layers,
    macs,
    with_channels,
)
from model_export.architectures.spec import Network
from model_export.errors import ExportError
from model_export.weights import Floats, LayerWeights, Norm, Trained

Indices = NDArray[np.intp]

_STEP = 8
"""Channel counts are multiples of it: what SIMD units and the Edge TPU work on at a time."""

_FLOOR = 0.25
"""The share of a group's channels that stays in any case: a network whose layers become needles
cannot be brought back by training."""


class Importance(StrEnum):
    """What tells how much a channel matters."""

    SCALE = "scale"
    """The gain of its batch normalisation: how much its value varies. Where there is none: L1."""
    L1 = "l1"
    """The sum of its weights' absolute values, normalisation folded into them."""


@dataclass(frozen=True, slots=True, eq=False)
class Pruned:
    """What was made of a network.

    Attributes:
        trained: the smaller network with the weights of the channels that stay.
        kept: for each group that lost channels, which of them stay, in their order.
        cost: of the smaller network as a share of what the whole one costs.
    """

    trained: Trained
    kept: Mapping[str, Indices]
    cost: float


def prune(
    trained: Trained,
    budget: float,
    importance: Importance = Importance.SCALE,
    cost: Callable[[Network], float] = macs,
) -> Pruned:
    """Remove the least important channels until the network costs no more than `budget`.

    Its normalisations then have the statistics of the whole network: `training.statistics`
    measures new ones; training brings back the rest.

    Args:
        budget: a share of what it costs now, between 0 and 1.
        cost: what a network costs, more with more channels: multiply-accumulates, or a measured
            time. It is asked about ten times.

    Raises:
        ExportError: the budget is out of range, no such network is that cheap, or there are no
            gains to go by.
    """
    if not 0 < budget < 1:
        raise ExportError(f"a budget of {budget:g} is not between 0 and 1: 0.5 is half the cost")
    _check_gains(trained, importance)
    scores = channel_scores(trained, importance)
    thresholds = np.unique(np.concatenate(list(scores.values())))
    whole = cost(trained.network)

    def relative_cost(threshold: float) -> float:
        return cost(with_channels(trained.network, _counts(scores, threshold))) / whole

    # The lowest threshold that is cheap enough: costs fall as it rises.
    at = bisect_left(thresholds, True, key=lambda threshold: relative_cost(threshold) <= budget)
    if at == len(thresholds):
        raise ExportError(
            f"a budget of {budget:g} cannot be reached: {relative_cost(np.inf):.2f} is left when "
            f"every layer has a quarter of its channels; start from a narrower network"
        )
    counts = _counts(scores, float(thresholds[at]))
    kept = {
        group: best(scores[group], count)
        for group, count in counts.items()
        if count < len(scores[group])
    }
    return Pruned(keep(trained, kept), kept, relative_cost(float(thresholds[at])))


def best(scores: Floats, count: int) -> Indices:
    """The indices of the `count` highest scores, ascending."""
    return np.sort(np.argsort(-scores, kind="stable")[:count])


def _counts(scores: Mapping[str, Floats], threshold: float) -> dict[str, int]:
    """How many channels each group keeps: those above the threshold, to the next multiple."""
    return {
        group: _allowed(int(np.count_nonzero(values > threshold)), len(values))
        for group, values in scores.items()
    }


def _allowed(count: int, of: int) -> int:
    least = max(_STEP, -(-int(of * _FLOOR) // _STEP) * _STEP)
    return min(of, max(least, (count + _STEP // 2) // _STEP * _STEP))


# What matters


def channel_scores(trained: Trained, importance: Importance) -> dict[str, Floats]:
    """For each group that may lose channels, how much each matters: 1 is the group's average.

    Layers that write the same channels one after the other (a convolution, then a depthwise one)
    are multiplied: a channel is as dead as its deadest step. Layers whose outputs are added up are
    averaged.
    """
    parallel: dict[str, list[Floats]] = {}
    serial: dict[str, list[Floats]] = {}
    for layer in layers(trained.network):
        if layer.target in FIXED or not layer.makes:
            continue
        scores = _relative(_layer_scores(layer, trained.weights[layer.name], importance))
        into = serial if layer.kind is Kind.DEPTHWISE else parallel
        into.setdefault(layer.target, []).append(scores)
    return {group: _joined(added, serial.get(group, [])) for group, added in parallel.items()}


def _check_gains(trained: Trained, importance: Importance) -> None:
    """Weights from a .tflite, and random ones, have the same gain everywhere."""
    norms = (found.norm for found in trained.weights.values())
    if importance is Importance.SCALE and all(np.ptp(norm.gamma) == 0 for norm in norms if norm):
        raise ExportError(
            "the normalisations of this network have one gain for all channels, which tells "
            "nothing about them: measure it on pictures or train it first, or go by l1"
        )


def _layer_scores(layer: Layer, found: LayerWeights, importance: Importance) -> Floats:
    if importance is Importance.SCALE and found.norm is not None:
        return np.abs(found.norm.gamma)
    weights = np.abs(found.folded)
    if layer.kind is Kind.DEPTHWISE:
        return np.asarray(weights.sum((0, 1, 3)), np.float32)
    return np.asarray(weights.sum(tuple(range(weights.ndim - 1))), np.float32)


def _relative(scores: Floats) -> Floats:
    mean = scores.mean()
    return np.asarray(scores / mean if mean > 0 else scores, np.float32)


def _joined(added: list[Floats], following: list[Floats]) -> Floats:
    product = np.prod([np.mean(added, axis=0), *following], axis=0)
    # The geometric mean, so that long and short ways compare.
    return _relative(product ** (1 / (1 + len(following))))


# Cutting


def keep(trained: Trained, kept: Mapping[str, Indices]) -> Trained:
    """The network with only these channels of the groups that are named."""
    network = with_channels(
        trained.network, {group: len(indices) for group, indices in kept.items()}
    )
    weights = {
        layer.name: _cut(layer, trained.weights[layer.name], kept)
        for layer in layers(trained.network)
    }
    return Trained(network, weights)


def _cut(layer: Layer, found: LayerWeights, kept: Mapping[str, Indices]) -> LayerWeights:
    inputs, outputs = kept.get(layer.source), kept.get(layer.target)
    kernel = found.kernel
    if inputs is not None:
        # Last but one are a kernel's inputs, and the channels of a depthwise one.
        kernel = kernel.take(inputs, axis=-2)
    if outputs is None:
        return replace(found, kernel=kernel)
    if layer.kind is not Kind.DEPTHWISE:
        kernel = kernel.take(outputs, axis=-1)
    norm = found.norm
    return LayerWeights(
        kernel,
        None if found.bias is None else found.bias[outputs],
        None
        if norm is None
        else Norm(
            norm.gamma[outputs], norm.beta[outputs], norm.mean[outputs], norm.variance[outputs]
        ),
    )
