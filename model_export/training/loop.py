"""The training loop: the same for Keras 3, on any backend, and for tf_keras.

It steps batch by batch itself, because what is kept and what stops it is judged on averaged
weights, which the two libraries' own loops treat in different ways.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.errors import ExportError
from model_export.training.batches import Source, prefetched


@dataclass(frozen=True, slots=True)
class Score:
    """How well a model does on pictures that it is not trained on.

    Attributes:
        loss: that of the training, without a teacher; less is better.
        accuracy: the share that is right: of pictures; for a detector, of objects that are found.
    """

    loss: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training pictures.

    Attributes:
        number: from 1, through all phases.
        loss: of the training, with all that is added to it, as it went along.
        validation: at its end.
    """

    number: int
    loss: float
    validation: Score


class Keep(StrEnum):
    """Which epoch's weights a training ends with."""

    BEST = "best"
    """That with the lowest loss on the validation pictures."""
    LAST = "last"
    """The last one: where each epoch has a harder task than the one before."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long, how fast, and what is kept.

    Attributes:
        epochs: at most.
        learning_rate: the highest: it rises to that in the first twentieth of the steps and falls
            to 0 as a cosine.
        patience: epochs without a better validation after which it ends.
        averaged: whether an exponential moving average of the weights is what is judged and kept.
        keep: which epoch's weights; the last ones are waited for without patience.
    """

    epochs: int
    learning_rate: float
    patience: int
    averaged: bool
    keep: Keep = Keep.BEST

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.patience < 1:
            raise ExportError(
                f"training takes at least 1 epoch and 1 epoch of patience, not {self.epochs} and "
                f"{self.patience}"
            )
        if not 0 < self.learning_rate <= 1:
            raise ExportError(f"a learning rate of {self.learning_rate:g} is not in 0..1")


def optimizer(keras: Any, schedule: Schedule, steps: int) -> Any:
    """AdamW with a cosine of `steps` steps; normalisations and biases do not decay."""
    warm = max(1, steps // 20)
    rate = keras.optimizers.schedules.CosineDecay(
        schedule.learning_rate / warm,
        max(1, steps - warm),
        warmup_target=schedule.learning_rate,
        warmup_steps=warm,
    )
    made = keras.optimizers.AdamW(
        rate,
        weight_decay=0.01,
        use_ema=schedule.averaged,
        # About the last tenth of the steps.
        ema_momentum=float(np.clip(1 - 10 / steps, 0, 0.999)),
    )
    made.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return made


def run(
    model: Any,
    schedule: Schedule,
    batches: Source,
    score: Callable[[], Score],
    epoch: Callable[[Epoch], None] = lambda _: None,
    *,
    first: int = 0,
) -> tuple[Epoch, ...]:
    """Train a compiled model; it ends with the weights of the epoch that is kept.

    Args:
        score: judges the model as it then is.
        epoch: is told of each.
        first: how many epochs went before, in another phase.

    Raises:
        ExportError: the loss is no number any more.
    """
    seen: list[Epoch] = []
    best, kept = float("inf"), _weights(model)
    for number in range(first, first + schedule.epochs):
        loss = _train(model, batches, number)
        if not np.isfinite(loss):
            raise ExportError(
                f"training has come apart in epoch {number + 1}, its loss is {loss}: "
                f"take a learning rate below {schedule.learning_rate:g}"
            )
        plain = _weights(model)
        if schedule.averaged:
            model.optimizer.finalize_variable_values(model.trainable_variables)
            # In JAX the two now share memory, which judging takes away from both.
            model.set_weights(_weights(model))
        seen.append(Epoch(number + 1, loss, score()))
        if seen[-1].validation.loss < best or schedule.keep is Keep.LAST:
            best, kept = seen[-1].validation.loss, _weights(model)
        model.set_weights(plain)
        epoch(seen[-1])
        if schedule.keep is Keep.BEST and _since_best(seen) >= schedule.patience:
            break
    model.set_weights(kept)
    return tuple(seen)


def _weights(model: Any) -> list[NDArray[Any]]:
    """Copies: JAX shows what its next step takes away."""
    return [np.array(value) for value in model.get_weights()]


def _since_best(seen: Sequence[Epoch]) -> int:
    losses = [epoch.validation.loss for epoch in seen]
    return len(losses) - 1 - losses.index(min(losses))


def _train(model: Any, batches: Source, epoch: int) -> float:
    losses = []
    for inputs, truth, weights in prefetched(batches, epoch):
        model.reset_metrics()
        losses.append(model.train_on_batch(inputs, truth, sample_weight=weights, return_dict=True))
    return float(np.mean([step["loss"] for step in losses]))
