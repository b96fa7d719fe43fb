"""Training a detector: what is not in its backbone first, then all of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_export.architectures.anchors import anchors_of
from model_export.architectures.box_coding import decode
from model_export.architectures.frameworks import keras3
from model_export.architectures.spec import Detector
from model_export.errors import ExportError
from model_export.training.augmentation import BRANCH, Augmentation
from model_export.training.boxes import CROWD, SceneBatches, Scenes, overlaps
from model_export.training.classification import Outcome, Precision, jit
from model_export.training.loop import Epoch, Schedule, Score, optimizer, run
from model_export.weights import Floats, Trained, read

_HEAD = ("map", "extra")
_TINY = 1e-6

_ALPHA, _GAMMA = 0.25, 2.0
"""Of the focal loss. Source: Lin et al. 2017, arXiv 1708.02002, part 5.1."""

_BEST = 10
"""Boxes of a picture among which an object counts as found."""


@dataclass(frozen=True, slots=True)
class DetectionPlan:
    """How a detector is trained; attributes as those of `classification.Plan`.

    Attributes:
        mixing: how often a picture is one of four in a mosaic, 0..1.
    """

    head: Schedule | None
    whole: Schedule
    batch: int = 16
    augmentation: Augmentation = BRANCH
    mixing: float = 0.25
    precision: Precision = Precision.FLOAT32
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch < 2 or not 0 <= self.mixing <= 1:
            raise ExportError(
                "a batch needs at least 2 pictures and mixing is in 0..1, not "
                f"{self.batch} and {self.mixing:g}"
            )


def train_detector(
    start: Trained,
    scenes: Scenes,
    validation: Scenes,
    plan: DetectionPlan,
    epoch: Callable[[Epoch], None] = lambda _: None,
) -> Outcome:
    """Train `start` on `scenes`; what is kept is what does best on `validation`.

    An epoch's accuracy is the share of the objects that one of the ten best boxes of their picture
    meets; `detection_evaluation` measures what a finished detector is worth.

    Raises:
        ExportError: scenes and network do not fit, or training comes apart.
    """
    network = checked(start, scenes, validation)
    keras = keras3()
    keras.utils.set_random_seed(plan.seed)
    batches = SceneBatches(
        scenes,
        network,
        min(plan.batch, len(scenes)),
        plan.seed,
        shuffled=True,
        augmentation=plan.augmentation,
        mixing=plan.mixing,
    )
    model = start.model(keras, plan.precision.value)
    # One output, so that the loss sees boxes and scores of an anchor together.
    joined = keras.Model(model.input, keras.layers.Concatenate(dtype="float32")(model.outputs))
    loss = detection_loss(keras)
    seen: tuple[Epoch, ...] = ()
    for schedule, whole in ((plan.head, False), (plan.whole, True)):
        if schedule is not None:
            for layer in model.layers:
                layer.trainable = whole or layer.name.startswith(_HEAD)
            steps = schedule.epochs * len(batches)
            joined.compile(optimizer(keras, schedule, steps), loss, jit_compile=jit(keras))
            seen += run(
                joined,
                schedule,
                batches,
                lambda: score_detector(joined, validation, network, loss),
                epoch,
                first=len(seen),
            )
    return Outcome(read(network, model), seen)


def detection_loss(keras: Any) -> Callable[[Any, Any], Any]:
    """The focal loss of the scores and Huber's of the boxes, of each picture.

    Both are divided by how many anchors stand for an object in the batch's average picture.
    """
    ops = keras.ops

    def loss(truth: Any, seen: Any) -> Any:
        expected, with_box, with_score = truth[..., 4:-2], truth[..., -2], truth[..., -1]
        score = ops.clip(seen[..., 4:], _TINY, 1 - _TINY)
        right = expected * score + (1 - expected) * (1 - score)
        balance = expected * _ALPHA + (1 - expected) * (1 - _ALPHA)
        focal = ops.sum(-balance * (1 - right) ** _GAMMA * ops.log(right), axis=-1)
        away = ops.abs(truth[..., :4] - seen[..., :4])
        huber = ops.sum(ops.where(away < 1, 0.5 * away**2, away - 0.5), axis=-1)
        objects = ops.mean(ops.sum(with_box, axis=-1)) + 1
        return ops.sum(focal * with_score + huber * with_box, axis=-1) / objects

    return loss


def score_detector(
    model: Any, scenes: Scenes, network: Detector, loss: Callable[[Any, Any], Any]
) -> Score:
    """The loss, and the share of objects that are found."""
    batches, anchors = SceneBatches(scenes, network, 32), anchors_of(network)
    losses: list[Floats] = []
    found = objects = 0
    for number in range(len(batches)):
        inputs, truth, _ = batches.batch(0, number)
        seen = np.asarray(model.predict_on_batch(inputs), np.float32)
        losses.append(np.asarray(loss(truth, seen)))
        for scene, anchor_values in zip(scenes.scenes[number * 32 :], seen, strict=False):
            for label in np.unique(scene.labels[scene.labels != CROWD]):
                best = np.argsort(-anchor_values[:, 5 + label])[:_BEST]
                boxes = decode(anchor_values[best, :4], anchors[best])
                wanted = scene.boxes[scene.labels == label]
                found += int((overlaps(boxes, wanted).max(axis=0) >= 0.5).sum())
                objects += len(wanted)
    return Score(float(np.concatenate(losses).mean()), found / objects)


def checked(start: Trained, scenes: Scenes, validation: Scenes) -> Detector:
    """The detector, where scenes fit it.

    Raises:
        ExportError: they do not, or it is no detector.
    """
    network = start.network
    if not isinstance(network, Detector):
        raise ExportError("a classifier was given where a detector is needed")
    given = network.backbone.input
    shape = (given.height, given.width, given.channels)
    for data, name in ((scenes, "training"), (validation, "validation")):
        if data.scenes[0].pixels.shape != shape or len(data.classes) != network.classes:
            raise ExportError(
                f"the {name} pictures are {'x'.join(map(str, data.scenes[0].pixels.shape))} of "
                f"{len(data.classes)} classes, and the detector takes {'x'.join(map(str, shape))} "
                f"and knows {network.classes}"
            )
    if scenes.classes != validation.classes:
        raise ExportError(
            f"the classes of training ({', '.join(scenes.classes)}) and validation "
            f"({', '.join(validation.classes)}) differ"
        )
    return network
