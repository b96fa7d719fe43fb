"""Channels inside of blocks are removed, and those that stay take over what they did.

What a block gives is a weighted sum of the channels in its middle, of which there are several times
as many as come out: on pictures, some are nearly sums of others. They are removed one by one, each
time the one without which the others, their weights chosen anew, miss the block's output least; so
little is lost that training has little to bring back. Sources: Hassibi and Stork 1993 (optimal
brain surgeon, equation 5) for what a removal costs and how the others make up for it; He et al.
2017 (arXiv 1707.06168) for channels and the outputs that they are to give again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.architectures.channels import Kind, Layer, layers
from model_export.architectures.frameworks import keras3
from model_export.errors import ExportError
from model_export.pruning.structured import Indices, keep
from model_export.weights import Floats, LayerWeights, Trained

Reals = NDArray[np.float64]

_BATCH = 16
_PLACES = 64
"""Places of each picture whose values are looked at."""

_RIDGE = 1e-3
"""Added to each channel's variance, as a share of the average one."""


@dataclass(frozen=True, slots=True, eq=False)
class Rebuilt:
    """What was made of a network.

    Attributes:
        trained: the smaller network.
        lost: for each group that lost channels, the share of the variance of its block's output
            that the others could not give again.
    """

    trained: Trained
    lost: Mapping[str, float]


def without(
    trained: Trained, counts: Mapping[str, int], pictures: Floats, seed: int = 0
) -> Rebuilt:
    """The network with so many channels in the groups inside of blocks that are named.

    Args:
        counts: by group, as ``block03_inner``; at least 1.
        pictures: N x height x width x channels as the network wants them, of the training; some
            hundreds.
        seed: for the places that are looked at.

    Raises:
        ExportError: there is no such group inside of a block, or it has not that many channels.
    """
    projections = {layer.source: layer for layer in layers(trained.network) if _ends_block(layer)}
    for group, count in counts.items():
        if group not in projections or not 0 < count <= projections[group].inputs:
            raise ExportError(
                f"no block can be left with {count} channels in the group {group}: there are "
                + ", ".join(f"{name} of {found.inputs}" for name, found in projections.items())
            )
    chosen = {group: projections[group] for group in counts}
    weights, kept, lost = dict(trained.weights), {}, {}
    for (group, layer), values in zip(
        chosen.items(), _values(trained, list(chosen.values()), pictures, seed), strict=True
    ):
        found = weights[layer.name]
        kept[group], kernel, lost[group] = _remove(values, found.kernel[0, 0], counts[group])
        weights[layer.name] = _with_kernel(found, kernel, values.mean(0))
    return Rebuilt(keep(Trained(trained.network, weights), kept), lost)


def _ends_block(layer: Layer) -> bool:
    return (
        layer.kind is Kind.CONV
        and layer.name.endswith("_project")
        and layer.source.endswith("_inner")
    )


def _values(
    trained: Trained, projections: list[Layer], pictures: Floats, seed: int
) -> Iterator[Reals]:
    """What each of these layers takes, at some places: values x channels."""
    keras = keras3()
    model = trained.model(keras)
    inputs = keras.Model(model.input, [model.get_layer(p.name).input for p in projections])
    rng = np.random.default_rng(seed)
    seen: list[list[Any]] = [[] for _ in projections]
    for first in range(0, len(pictures), _BATCH):
        answers = inputs(pictures[first : first + _BATCH], training=False)
        for into, values in zip(seen, answers if len(seen) > 1 else [answers], strict=True):
            flat = np.asarray(values).reshape(len(values), -1, values.shape[-1])
            into.append(flat[:, rng.integers(0, flat.shape[1], _PLACES)].reshape(-1, flat.shape[2]))
    for found in seen:
        yield np.concatenate(found).astype(np.float64)


def _remove(values: Reals, kernel: Floats, count: int) -> tuple[Indices, Floats, float]:
    """Which `count` channels stay, all channels' new weights, and what share is lost."""
    centred = values - values.mean(0)
    covariance = centred.T @ centred / len(values)
    whole = float(np.trace(kernel.T @ covariance @ kernel))
    inverse = np.linalg.inv(
        covariance + np.eye(len(covariance)) * (_RIDGE * covariance.trace() / len(covariance))
    )
    weights = kernel.astype(np.float64)
    alive = np.ones(len(weights), bool)
    while alive.sum() > count:
        diagonal = np.where(alive, np.diag(inverse), 1)
        costs = np.where(alive, (weights**2).sum(1) / diagonal, np.inf)
        out = int(costs.argmin())
        column = inverse[:, out] / inverse[out, out]
        weights -= np.outer(column, weights[out])
        inverse -= np.outer(column, inverse[out])
        alive[out] = False
        weights[~alive] = 0
    missing = kernel - weights
    lost = float(np.trace(missing.T @ covariance @ missing))
    return np.flatnonzero(alive), weights.astype(np.float32), lost / max(whole, 1e-12)


def _with_kernel(found: LayerWeights, kernel: Floats, mean: Reals) -> LayerWeights:
    """The layer with other weights, which on average gives what it gave."""
    assert found.norm is not None  # projections are normalised
    moved = mean @ (kernel - found.kernel[0, 0])
    norm = replace(found.norm, mean=(found.norm.mean + moved).astype(np.float32))
    return replace(found, kernel=kernel[np.newaxis, np.newaxis], norm=norm)
