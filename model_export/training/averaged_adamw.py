"""AdamW with a cosine, on gradients of a bounded norm, and the average of the weights: for JAX.

Source: Loshchilov and Hutter 2019, arXiv 1711.05101.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

_BETAS = 0.9, 0.999
_MEMORY = 0.9995
"""Of the averaged weights, a step."""

_NORM = 10.0
"""The greatest norm of a gradient."""


class State(NamedTuple):
    """What a step changes: lists of arrays in the order of the model's variables."""

    weights: Any
    statistics: Any
    average: Any
    average_statistics: Any
    first: Any
    second: Any


class Rates(NamedTuple):
    """How far a step goes.

    Attributes:
        highest: the learning rate that is risen to.
        decay: of kernels, as a share a step of the learning rate.
        shares: of each weight, the share of the learning rate that it has.
    """

    highest: float
    decay: float
    shares: Sequence[float]


def beginning(weights: Any, statistics: Any) -> State:
    """Before the first step; each an array of its own: a step takes the memory of all of them."""
    return State(
        weights,
        statistics,
        [np.array(value) for value in weights],
        [np.array(value) for value in statistics],
        [np.zeros_like(value) for value in weights],
        [np.zeros_like(value) for value in weights],
    )


def updated(
    state: State, statistics: Any, gradients: Any, rates: Rates, *, at: Any, of: Any
) -> State:
    """After the step `at`, from 0, of so many."""
    import jax
    import jax.numpy as jnp

    one, two = _BETAS
    norm = jnp.sqrt(sum(jnp.sum(gradient**2) for gradient in gradients))
    cut = jnp.minimum(1.0, _NORM / (norm + 1e-6))
    rate = rates.highest * _course(at, of)
    count = at + 1.0
    first = [one * m + (1 - one) * g * cut for m, g in zip(state.first, gradients, strict=True)]
    second = [
        two * v + (1 - two) * (g * cut) ** 2 for v, g in zip(state.second, gradients, strict=True)
    ]
    weights = []
    for weight, m, v, share in zip(state.weights, first, second, rates.shares, strict=True):
        own = rate * share
        change = m / (1 - one**count) / (jnp.sqrt(v / (1 - two**count)) + 1e-8)
        # Kernels decay; normalisations and biases do not.
        kept = weight * (1 - own * rates.decay) if weight.ndim > 1 else weight
        weights.append(kept - own * change)
    # About the last half of the steps at first, then the last two thousand.
    memory = jnp.minimum(_MEMORY, count / (count + 20))
    average, average_statistics = jax.tree.map(
        lambda old, new: memory * old + (1 - memory) * new,
        (state.average, state.average_statistics),
        (weights, statistics),
    )
    return State(weights, statistics, average, average_statistics, first, second)


def _course(at: Any, of: Any) -> Any:
    """The learning rate's share of the highest."""
    import jax.numpy as jnp

    warm = jnp.maximum(1, of // 20)
    done = jnp.clip((at - warm) / jnp.maximum(1, of - warm), 0, 1)
    return jnp.minimum((at + 1) / warm, 0.02 + 0.98 * (1 + jnp.cos(jnp.pi * done)) / 2)
