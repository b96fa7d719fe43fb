"""The training loop: the same for Keras 3, on any backend, and for tf_keras.

It steps batch by batch itself, because what is kept and what stops it is judged on averaged
weights, which the two libraries' own loops treat in different ways.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_export.errors import ExportError
from model_export.training.batches import Batches, prefetched


@dataclass(frozen=True, slots=True)
class Score:
    """How well a model does on pictures that it is not trained on.

    Attributes:
        loss: mean cross-entropy; less is better.
        accuracy: the share that is right.
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


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long, how fast, and what is kept.

    Attributes:
        epochs: at most.
        learning_rate: the highest: it rises to that in the first twentieth of the steps and falls
            to 0 as a cosine.
        patience: epochs without a better validation after which it ends.
        averaged: whether an exponential moving average of the weights is what is judged and kept.
    """

    epochs: int
    learning_rate: float
    patience: int
    averaged: bool

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
    batches: Batches,
    score: Callable[[], Score],
    epoch: Callable[[Epoch], None] = lambda _: None,
    *,
    first: int = 0,
    before_step: Callable[[], None] = lambda: None,
) -> tuple[Epoch, ...]:
    """Train a compiled model; it ends with the weights of its best epoch.

    Args:
        score: judges the model as it then is.
        epoch: is told of each.
        first: how many epochs went before, in another phase.
        before_step: is called before each step.

    Raises:
        ExportError: the loss is no number any more.
    """
    seen: list[Epoch] = []
    best, kept = float("inf"), model.get_weights()
    for number in range(first, first + schedule.epochs):
        loss = _train(model, batches, number, before_step)
        if not np.isfinite(loss):
            raise ExportError(
                f"training has come apart in epoch {number + 1}, its loss is {loss}: "
                f"take a learning rate below {schedule.learning_rate:g}"
            )
        plain = model.get_weights()
        if schedule.averaged:
            model.optimizer.finalize_variable_values(model.trainable_variables)
        seen.append(Epoch(number + 1, loss, score()))
        if seen[-1].validation.loss < best:
            best, kept = seen[-1].validation.loss, model.get_weights()
        model.set_weights(plain)
        epoch(seen[-1])
        since = len(seen) - min(range(len(seen)), key=lambda i: seen[i].validation.loss) - 1
        if since >= schedule.patience:
            break
    model.set_weights(kept)
    return tuple(seen)


def _train(model: Any, batches: Batches, epoch: int, before_step: Callable[[], None]) -> float:
    losses = []
    for inputs, truth, weights in prefetched(batches, epoch):
        before_step()
        model.reset_metrics()
        losses.append(model.train_on_batch(inputs, truth, sample_weight=weights, return_dict=True))
    return float(np.mean([step["loss"] for step in losses]))
