"""Training a detector as a whole on an accelerator: pictures, what happens to them, and matching.

`detection` trains on any machine and prepares its pictures on the processor; here everything is one
compiled step of JAX (`compiled_step`), and hundreds of epochs take minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from model_export.architectures.anchors import anchors_of
from model_export.architectures.frameworks import keras3
from model_export.architectures.spec import Detector
from model_export.errors import ExportError
from model_export.training.accelerated_plan import AcceleratedPlan
from model_export.training.batches import order
from model_export.training.boxes import Scenes
from model_export.training.classification import Outcome
from model_export.training.compiled_step import Advisers, Trainer
from model_export.training.loop import Epoch
from model_export.training.scene_arrays import arrays_of
from model_export.weights import Trained

if TYPE_CHECKING:
    from model_export.training.witness import Witness


def train_on_accelerator(
    start: Trained,
    scenes: Scenes,
    validation: Scenes,
    plan: AcceleratedPlan,
    epoch: Callable[[Epoch], None] = lambda _: None,
    *,
    teacher: Trained | None = None,
    witness: Witness | None = None,
    checkpoint: Callable[[Trained], None] = lambda _: None,
) -> Outcome:
    """Train `start` on `scenes`; what is kept is the average of the last weights.

    Args:
        start: a detector.
        scenes: pictures of any one size: they are scaled to the network's as they are changed.
        validation: likewise; an epoch's score is measured on them every `plan.every` epochs.
        epoch: is told of each that is measured.
        teacher: a detector with the same anchors, which sees the same pictures before light,
            noise and blur change them. What it finds counts beside the boxes, and decides which
            places stand for an object.
        witness: of the detector's only class; sees the same as the teacher. Its best score is what
            the detector's best one should be.
        checkpoint: is given the averaged network whenever it is measured.

    Raises:
        ExportError: Keras does not run on JAX, scenes and networks do not fit, or training comes
            apart.
    """
    network = _checked(start, scenes, validation, teacher)
    _check_witness(network, plan, witness)
    keras = keras3()
    if keras.backend.backend() != "jax":
        raise ExportError(
            "training on an accelerator runs on JAX, and Keras on "
            f"{keras.backend.backend()}: set KERAS_BACKEND=jax"
        )
    trainer = Trainer(keras, start, network, plan, Advisers(teacher, witness))
    data = trainer.placed(arrays_of(scenes, plan.objects))
    judged = arrays_of(validation, plan.objects)
    state = trainer.state()
    steps = max(1, len(scenes) // plan.batch)
    epochs: list[Epoch] = []
    losses: list[Any] = []
    for number in range(plan.epochs):
        for step, chosen in enumerate(_batches(len(scenes), plan, number)):
            at = number * steps + step
            state, value = trainer.step(state, data, chosen, at, steps * plan.epochs)
            losses.append(value)
        if (number + 1) % plan.every and number + 1 < plan.epochs:
            continue
        mean = float(np.mean([float(value) for value in losses]))
        losses.clear()
        if not np.isfinite(mean):
            raise ExportError(
                f"training has come apart in epoch {number + 1}, its loss is {mean}: "
                f"take a learning rate below {plan.learning_rate:g}"
            )
        averaged = trainer.averaged(state)
        epochs.append(Epoch(number + 1, mean, trainer.score(state, judged)))
        epoch(epochs[-1])
        checkpoint(averaged)
    return Outcome(averaged, tuple(epochs))


def _batches(pictures: int, plan: AcceleratedPlan, epoch: int) -> Iterator[Any]:
    """The indexes of each batch of an epoch."""
    whole = order(pictures, plan.seed, epoch, shuffled=True).astype(np.int32)
    if pictures < plan.batch:
        whole = np.resize(whole, plan.batch)
    for first in range(0, len(whole) - plan.batch + 1, plan.batch):
        yield whole[first : first + plan.batch]


def _checked(
    start: Trained, scenes: Scenes, validation: Scenes, teacher: Trained | None
) -> Detector:
    network = start.network
    if not isinstance(network, Detector):
        raise ExportError("a classifier was given where a detector is needed")
    for data, name in ((scenes, "training"), (validation, "validation")):
        if len(data.classes) != network.classes:
            raise ExportError(
                f"the {name} pictures have {len(data.classes)} classes, and the detector knows "
                f"{network.classes}"
            )
        channels = data.scenes[0].pixels.shape[2]
        if channels != network.backbone.input.channels:
            raise ExportError(
                f"the {name} pictures have {channels} channels, and the detector takes "
                f"{network.backbone.input.channels}"
            )
    if teacher is not None and not _alike(network, teacher):
        raise ExportError(
            "the teacher is no detector with the same anchors, classes and size of picture: "
            "only such a one can be asked about each place"
        )
    return network


def _check_witness(network: Detector, plan: AcceleratedPlan, witness: Witness | None) -> None:
    if (witness is not None) != (plan.witness > 0):
        there = "is one" if witness else "is none"
        raise ExportError(
            f"a witness counts {plan.witness:g} in the plan and there {there}: give both or none"
        )
    if witness and (network.classes != 1 or network.backbone.input.channels != 3):
        raise ExportError(
            "a witness tells of one class in colour pictures, and the detector knows "
            f"{network.classes} and sees {network.backbone.input.channels} channels"
        )


def _alike(network: Detector, teacher: Trained) -> bool:
    other = teacher.network
    return (
        isinstance(other, Detector)
        and other.classes == network.classes
        and other.backbone.input == network.backbone.input
        and np.array_equal(anchors_of(other), anchors_of(network))
    )
