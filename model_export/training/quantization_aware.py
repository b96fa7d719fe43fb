"""Training with int8's rounding in it, so that a network learns to do with what it will have.

For networks that lose too much without: what `quantization` makes of most loses little, in seconds.
A network is its own teacher here, which keeps it what it is.

Source: Jacob et al. 2018, arXiv 1712.05877, part 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import numpy as np

from model_export.architectures.frameworks import tf_keras
from model_export.architectures.spec import Classifier, Detector
from model_export.datasets.splits import CALIBRATION_PICTURES, choose_for_calibration
from model_export.errors import ExportError
from model_export.loading import tensorflow
from model_export.networks import finished, outside
from model_export.quantization import Io
from model_export.training.batches import Batch, Batches
from model_export.training.boxes import SceneBatches, Scenes
from model_export.training.classification import Plan, Precision, check, score
from model_export.training.detection import DetectionPlan, checked, score_detector
from model_export.training.loop import Epoch, Schedule, Score, optimizer, run
from model_export.training.pictures import Pictures, as_input
from model_export.training.rounding import Rounded
from model_export.weights import Floats, Trained

_TINY = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class QuantizationAware:
    """What was trained.

    Attributes:
        model: an int8 .tflite file; a detector with the end that readers expect.
        io: what goes in and, of a classifier, comes out.
        epochs: how it went, judged with the rounding.
    """

    model: bytes
    io: Io
    epochs: tuple[Epoch, ...]


# Classifiers


def train_quantization_aware(
    trained: Trained,
    pictures: Pictures,
    validation: Pictures,
    plan: Plan,
    *,
    io: Io = Io.INT8,
    epoch: Callable[[Epoch], None] = lambda _: None,
) -> QuantizationAware:
    """Train a classifier on with int8's rounding in it, and convert it.

    `plan.distillation.share` of the loss is about what it saw before it was rounded, the rest about
    the labels. A learning rate of 1e-4 and a few epochs are right.

    Args:
        trained: a trained MobileNetV1, V2 or minimalistic V3.
        plan: of one phase, in float32; what is kept is what does best on `validation`.
        io: what goes into and comes out of the model.
        epoch: is told of each.

    Raises:
        ExportError: pictures, plan and network do not fit, tf_keras or the toolkit is not installed
            or cannot build the network, or training comes apart.
    """
    if not isinstance(trained.network, Classifier):
        raise ExportError(
            "a detector was given where a classifier is needed: "
            "train_quantization_aware_detector trains detectors"
        )
    check(trained, pictures, validation)
    schedule = _one_phase(plan)
    # Beside its own answers, what is left out at random is noise.
    start = outside(Trained(replace(trained.network, dropout=0.0), trained.weights))
    picture = start.network.backbone.input
    keras = tf_keras()
    keras.utils.set_random_seed(plan.seed)
    chosen = choose_for_calibration(pictures.labels.tolist(), CALIBRATION_PICTURES, plan.seed)
    rounded = Rounded.of(start, as_input(pictures.pixels[chosen], picture))
    batches = Taught(
        Batches(
            pictures,
            picture,
            min(plan.batch, len(pictures)),
            plan.seed,
            shuffled=True,
            imbalance=plan.imbalance,
            augmentation=plan.augmentation,
            teacher=_seer(rounded.plain),
        ),
        plan.distillation.share,
    )
    model = rounded.model
    model.compile(_optimizer(keras, schedule, len(batches)), keras.losses.CategoricalCrossentropy())
    seen = run(model, schedule, batches, lambda: score(model, validation, picture), epoch)
    return QuantizationAware(rounded.converted(io), io, seen)


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """Batches whose truth is a mixture of what is true and what the teacher sees."""

    batches: Batches
    share: float

    def __len__(self) -> int:
        return len(self.batches)

    def batch(self, epoch: int, number: int) -> Batch:
        """See `batches.Source`."""
        inputs, truth, weights = self.batches.batch(epoch, number)
        labels, taught = np.split(truth, 2, axis=1)
        return inputs, (1 - self.share) * labels + self.share * taught, weights


# Detectors


def train_quantization_aware_detector(
    trained: Trained,
    scenes: Scenes,
    validation: Scenes,
    plan: DetectionPlan,
    *,
    io: Io = Io.INT8,
    epoch: Callable[[Epoch], None] = lambda _: None,
) -> QuantizationAware:
    """Train a detector on with int8's rounding in it, convert and finish it.

    It learns from nothing but what it saw before it was rounded, so that it does not matter how it
    was trained before. Arguments and errors are those of `train_quantization_aware`; an epoch's
    accuracy is the share of objects that is found.
    """
    checked(trained, scenes, validation)
    schedule = _one_phase(plan)
    start = outside(trained)
    network = start.network
    assert isinstance(network, Detector)  # which was checked
    keras = tf_keras()
    keras.utils.set_random_seed(plan.seed)
    pixels = np.stack([scene.pixels for scene in scenes.scenes[:CALIBRATION_PICTURES]])
    rounded = Rounded.of(start, as_input(pixels, network.backbone.input))
    before, model = (_joined(keras, each) for each in (rounded.plain, rounded.model))
    see, loss = _seer(before), _as_before()
    batches = _Watched(
        SceneBatches(
            scenes,
            network,
            min(plan.batch, len(scenes)),
            plan.seed,
            shuffled=True,
            augmentation=plan.augmentation,
            mixing=plan.mixing,
        ),
        see,
    )
    judged = _Watched(SceneBatches(validation, network, 32), see)
    model.compile(_optimizer(keras, schedule, len(batches)), loss)
    seen = run(model, schedule, batches, lambda: _judge(model, judged, loss), epoch)
    return QuantizationAware(finished(rounded.converted(io), network), io, seen)


def _joined(keras: Any, model: Any) -> Any:
    """One output, so that the loss sees boxes and scores of an anchor together."""
    return keras.Model(model.input, keras.layers.Concatenate(dtype="float32")(model.outputs))


@dataclass(frozen=True, slots=True, eq=False)
class _Watched:
    """Batches whose truth is what the teacher sees: N x anchors x (4 + scores)."""

    batches: SceneBatches
    see: Callable[[Floats], Floats]

    def __len__(self) -> int:
        return len(self.batches)

    def batch(self, epoch: int, number: int) -> Batch:
        """See `batches.Source`."""
        inputs, _, weights = self.batches.batch(epoch, number)
        return inputs, self.see(inputs), weights


def _as_before() -> Callable[[Any, Any], Any]:
    """Cross-entropy of the scores, and Huber's loss of boxes as far as there is an object."""
    tf = tensorflow()

    def loss(truth: Any, seen: Any) -> Any:
        wanted, score = truth[..., 4:], tf.clip_by_value(seen[..., 4:], _TINY, 1 - _TINY)
        entropy = -wanted * tf.math.log(score) - (1 - wanted) * tf.math.log(1 - score)
        there = tf.reduce_max(wanted[..., 1:], axis=-1)
        away = tf.abs(truth[..., :4] - seen[..., :4])
        huber = tf.reduce_sum(tf.where(away < 1, 0.5 * away**2, away - 0.5), axis=-1)
        objects = tf.reduce_mean(tf.reduce_sum(there, axis=-1)) + 1
        return tf.reduce_sum(tf.reduce_sum(entropy, axis=-1) + there * huber, axis=-1) / objects

    return loss


def _judge(model: Any, judged: _Watched, loss: Callable[[Any, Any], Any]) -> Score:
    losses = []
    for number in range(len(judged)):
        inputs, truth, _ = judged.batch(0, number)
        losses.append(np.asarray(loss(truth, model.predict_on_batch(inputs))))
    scenes, network = judged.batches.scenes, judged.batches.network
    found = score_detector(model, scenes, network, lambda _, seen: np.zeros(len(seen))).accuracy
    return Score(float(np.concatenate(losses).mean()), found)


# Both


def _one_phase(plan: Plan | DetectionPlan) -> Schedule:
    if plan.head is not None:
        raise ExportError("training with rounding has one phase: leave out the phase of the head")
    if plan.precision is not Precision.FLOAT32:
        raise ExportError(
            f"training with rounding computes in float32, and {plan.precision} is asked for"
        )
    # Averaged weights would have other ranges than those that were seen.
    return replace(plan.whole, averaged=False)


def _optimizer(keras: Any, schedule: Schedule, steps: int) -> Any:
    return optimizer(keras, schedule, schedule.epochs * steps)


def _seer(model: Any) -> Callable[[Floats], Floats]:
    one_at_a_time = Lock()

    def see(inputs: Floats) -> Floats:
        # Batches are made in several threads, and a model keeps its state in one place.
        with one_at_a_time:
            return np.asarray(model.predict_on_batch(inputs), np.float32)

    return see
