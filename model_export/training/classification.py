"""Training a classifier: its head first, then all of it; from the data, and from a teacher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Any

import numpy as np

from model_export.architectures.frameworks import keras3
from model_export.architectures.spec import Classifier, Input
from model_export.errors import ExportError
from model_export.training.augmentation import BRANCH, Augmentation
from model_export.training.batches import Batches, Imbalance
from model_export.training.loop import Epoch, Schedule, Score, optimizer, run
from model_export.training.pictures import Pictures
from model_export.weights import Floats, Trained, read

_HEAD = frozenset({"hidden", "classes"})
_TINY = 1e-7
"""The least probability, so that its logarithm is a number."""


class Precision(StrEnum):
    """What training computes in; weights are float32 in any case."""

    FLOAT32 = "float32"
    BFLOAT16 = "mixed_bfloat16"
    """On GPUs since Ampere, and TPUs."""
    FLOAT16 = "mixed_float16"
    """On older GPUs; losses are scaled."""


@dataclass(frozen=True, slots=True)
class Distillation:
    """What a teacher counts for. Source: Hinton et al. 2015, arXiv 1503.02531.

    Attributes:
        share: of the loss that is about what the teacher sees, 0..1; the rest is about the truth.
        temperature: above 1, small probabilities count more.
    """

    share: float = 0.7
    temperature: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or not self.temperature >= 1:
            raise ExportError(
                f"distillation has a share in 0..1 and a temperature of at least 1, not "
                f"{self.share:g} and {self.temperature:g}"
            )


@dataclass(frozen=True, slots=True)
class Plan:
    """How a classifier is trained.

    Attributes:
        head: the phase in which all but its end stays as it is; None: there is none, as for what
            starts from random weights or was pruned.
        whole: the phase in which all of it learns.
        batch: pictures a step.
        imbalance: how rare classes are made to count.
        seed: decides order, augmentation and dropout.
    """

    head: Schedule | None
    whole: Schedule
    batch: int = 32
    imbalance: Imbalance = Imbalance.WEIGHTS
    augmentation: Augmentation = BRANCH
    distillation: Distillation = Distillation()
    precision: Precision = Precision.FLOAT32
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch < 2:
            raise ExportError(f"a batch needs at least 2 pictures, not {self.batch}")


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A trained classifier and how it went."""

    trained: Trained
    epochs: tuple[Epoch, ...]

    @property
    def best(self) -> Epoch:
        """The epoch whose weights it has, of the last phase that was better than it began."""
        return min(self.epochs, key=lambda epoch: epoch.validation.loss)


def train(
    start: Trained,
    pictures: Pictures,
    validation: Pictures,
    plan: Plan,
    *,
    teacher: Trained | None = None,
    epoch: Callable[[Epoch], None] = lambda _: None,
) -> Outcome:
    """Train `start` on `pictures`; what is kept is what does best on `validation`.

    The same arguments give the same weights on the same machine and backend, but for what a GPU
    adds up in another order.

    Args:
        teacher: sees the same inputs, and has the same classes.
        epoch: is told of each.

    Raises:
        ExportError: pictures, teacher and network do not fit, or training comes apart.
    """
    check(start, pictures, validation, teacher)
    keras = keras3()
    keras.utils.set_random_seed(plan.seed)
    picture = start.network.backbone.input
    batches = Batches(
        pictures,
        picture,
        min(plan.batch, len(pictures)),
        plan.seed,
        shuffled=True,
        imbalance=plan.imbalance,
        augmentation=plan.augmentation,
        teacher=None if teacher is None else _seer(teacher, plan.precision),
    )
    model = start.model(keras, plan.precision.value)
    loss = loss_of(keras, len(pictures.classes), plan.distillation)
    seen: tuple[Epoch, ...] = ()
    for schedule, whole in ((plan.head, False), (plan.whole, True)):
        if schedule is not None:
            for layer in model.layers:
                layer.trainable = whole or layer.name in _HEAD
            steps = schedule.epochs * len(batches)
            model.compile(optimizer(keras, schedule, steps), loss, jit_compile=jit(keras))
            seen += run(
                model,
                schedule,
                batches,
                lambda: score(model, validation, picture),
                epoch,
                first=len(seen),
            )
    return Outcome(read(start.network, model), seen)


def jit(keras: Any) -> str | bool:
    """Whether steps are compiled: on a CPU TensorFlow takes longer to compile than it gains."""
    return "auto" if keras.backend.backend() == "jax" else False


def score(model: Any, pictures: Pictures, picture: Input) -> Score:
    """How well the model does; each class counts as it is frequent."""
    seen = probabilities(model, pictures, picture)
    right = seen[np.arange(len(pictures)), pictures.labels]
    loss = -np.log(np.maximum(right, _TINY)).mean()
    return Score(float(loss), float((seen.argmax(1) == pictures.labels).mean()))


def probabilities(model: Any, pictures: Pictures, picture: Input) -> Floats:
    """What the model sees: N x classes."""
    batches = Batches(pictures, picture, 64)
    parts = [model.predict_on_batch(batches.batch(0, n)[0]) for n in range(len(batches))]
    return np.concatenate(parts).astype(np.float32)


def loss_of(keras: Any, classes: int, distillation: Distillation) -> Callable[[Any, Any], Any]:
    """Cross-entropy; with a teacher's probabilities beside the truth, distillation."""
    ops = keras.ops

    def softened(seen: Any) -> Any:
        """Logarithms of probabilities at the temperature."""
        return ops.log_softmax(ops.log(ops.maximum(seen, _TINY)) / distillation.temperature)

    def loss(truth: Any, seen: Any) -> Any:
        labels = truth[:, :classes]
        hard = -ops.sum(labels * ops.log(ops.maximum(seen, _TINY)), axis=-1)
        if truth.shape[-1] == classes:
            return hard
        taught, learned = softened(truth[:, classes:]), softened(seen)
        soft = ops.sum(ops.exp(taught) * (taught - learned), axis=-1)
        return (
            1 - distillation.share
        ) * hard + distillation.share * distillation.temperature**2 * soft

    return loss


def _seer(teacher: Trained, precision: Precision) -> Callable[[Floats], Floats]:
    model = teacher.model(None, precision.value)
    one_at_a_time = Lock()

    def see(inputs: Floats) -> Floats:
        # Batches are made in several threads, and a model keeps its state in one place.
        with one_at_a_time:
            return np.asarray(model.predict_on_batch(inputs), np.float32)

    return see


def check(
    start: Trained, pictures: Pictures, validation: Pictures, teacher: Trained | None = None
) -> None:
    """Whether they fit.

    Raises:
        ExportError: they do not.
    """
    network = start.network
    if not isinstance(network, Classifier):
        raise ExportError("a detector cannot be trained as a classifier")
    given = network.backbone.input
    shape = (given.height, given.width, given.channels)
    for data, name in ((pictures, "training"), (validation, "validation")):
        if data.pixels.shape[1:] != shape or len(data.classes) != network.classes:
            raise ExportError(
                f"the {name} pictures are {_shape(data.pixels.shape[1:])} of {len(data.classes)} "
                f"classes, and the network takes {_shape(shape)} and knows {network.classes}"
            )
    if pictures.classes != validation.classes:
        raise ExportError(
            f"the classes of training ({', '.join(pictures.classes)}) and validation "
            f"({', '.join(validation.classes)}) differ"
        )
    if teacher is None:
        return
    if teacher.network.backbone.input != given or teacher.network.classes != network.classes:
        raise ExportError(
            f"the teacher knows {teacher.network.classes} classes in pictures of "
            f"{_shape(_of(teacher.network.backbone.input))} and the pupil {network.classes} in "
            f"{_shape(shape)}: both have to see the same, in the same range"
        )


def _of(picture: Input) -> tuple[int, int, int]:
    return picture.height, picture.width, picture.channels


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
