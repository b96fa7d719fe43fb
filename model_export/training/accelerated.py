"""Training a detector as a whole on an accelerator: pictures, what happens to them, and matching.

`detection` trains on any machine and prepares its pictures on the processor; here everything is one
compiled step of JAX, on as many accelerators as there are, and hundreds of epochs take minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from model_export.architectures.anchors import anchors_of
from model_export.architectures.channels import feature_maps
from model_export.architectures.frameworks import keras3
from model_export.architectures.keras_model import LOGITS
from model_export.architectures.spec import Detector, Input
from model_export.errors import ExportError
from model_export.training.batches import order
from model_export.training.boxes import CROWD, Scenes, overlaps
from model_export.training.classification import Outcome, Precision
from model_export.training.loop import Epoch, Score
from model_export.training.scene_arrays import SceneArrays, arrays_of
from model_export.training.views import CAMERAS, Views
from model_export.weights import Floats, Trained, read

if TYPE_CHECKING:
    from model_export.training.witness import Witness

_BEST = 10
"""Boxes of a picture among which an object counts as found, as in `detection`."""

_JUDGED = 64
"""Pictures a batch in validation."""

_REACH = 0.75
"""Of a place of the finest map."""

_BETAS = 0.9, 0.999
_MEMORY = 0.9995
"""Of the averaged weights, a step."""

_BACKBONE = ("stem", "block")
"""What its variables' names begin with."""

_NORM = 10.0
"""The greatest norm of a gradient."""


@dataclass(frozen=True, slots=True)
class AcceleratedPlan:
    """How a detector is trained on an accelerator.

    Attributes:
        epochs: passes over the pictures.
        learning_rate: the highest of AdamW: it rises to that in the first twentieth of the steps
            and falls to a fiftieth as a cosine.
        batch: pictures a step; a multiple of the number of accelerators.
        objects: at most so many a picture, the largest.
        views: how far pictures are changed.
        teaching: how much a teacher counts, 0..1; the labels have the rest.
        presence: how much it counts whether a picture's best score tells if it has an object,
            beside labels and teacher.
        witness: likewise, whether it is the best score of a witness; 0: none is asked.
        backbone: the learning rate of the backbone's layers, as a share of the others'.
        decay: of kernels, as a share a step of the learning rate.
        every: after so many epochs, validation.
        precision: what the network computes in.
        seed: decides the order and what happens to pictures.
    """

    epochs: int
    learning_rate: float = 1e-3
    batch: int = 128
    objects: int = 32
    views: Views = CAMERAS
    teaching: float = 0.6
    presence: float = 0.0
    witness: float = 0.0
    backbone: float = 1.0
    decay: float = 0.02
    every: int = 10
    precision: Precision = Precision.BFLOAT16
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.epochs, self.objects, self.every) < 1 or self.batch < 2:
            raise ExportError(
                "training takes at least 1 epoch, 1 object a picture and batches of 2, not "
                f"{self.epochs}, {self.objects} and {self.batch}"
            )
        if not 0 < self.learning_rate <= 1 or not 0 <= self.teaching <= 1:
            raise ExportError(
                "a learning rate is in 0..1 and so is what a teacher counts, not "
                f"{self.learning_rate:g} and {self.teaching:g}"
            )
        if min(self.presence, self.witness) < 0:
            raise ExportError(
                "what a picture's best score and a witness count is 0 or more, not "
                f"{self.presence:g} and {self.witness:g}"
            )


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
    trainer = _Trainer(keras, start, network, plan, _Advisers(teacher, witness))
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


class _Advisers(NamedTuple):
    """Whom training asks beside the labels."""

    teacher: Trained | None
    witness: Witness | None


class _Advice(NamedTuple):
    """What these say of a batch; None: there is none.

    Attributes:
        lesson: the teacher's scores and boxes.
        sure: the witness's best score of each picture.
    """

    lesson: tuple[Any, Any] | None
    sure: Any


class _State(NamedTuple):
    """What a step changes: lists of arrays in the order of the model's variables."""

    weights: Any
    statistics: Any
    average: Any
    average_statistics: Any
    first: Any
    second: Any


class _Lot(NamedTuple):
    """What a step is about: the indexes of its pictures, its number from 0, and of how many."""

    chosen: Any
    at: Any
    of: Any


class _Trainer:
    """The compiled step, and the way into and out of it."""

    def __init__(
        self,
        keras: Any,
        start: Trained,
        network: Detector,
        plan: AcceleratedPlan,
        advisers: _Advisers,
    ) -> None:
        import jax
        from jax.sharding import Mesh, NamedSharding, PartitionSpec

        from model_export.training.assignment import Places

        devices = jax.local_devices()
        if plan.batch % len(devices):
            raise ExportError(
                f"a batch of {plan.batch} pictures cannot be shared by {len(devices)} accelerators"
            )
        self._mesh = Mesh(np.array(devices), ("batch",))
        self._whole = NamedSharding(self._mesh, PartitionSpec())
        self._shared = NamedSharding(self._mesh, PartitionSpec("batch"))
        self._plan, self._network = plan, network
        self._model = start.model(keras, plan.precision.value)
        self._ends = _ends(keras, self._model)
        self._shares = [
            plan.backbone if variable.path.startswith(_BACKBONE) else 1.0
            for variable in self._ends.trainable_variables
        ]
        self._teacher, self._witness = None, advisers.witness
        taught: Any = ()
        if advisers.teacher is not None:
            self._teacher = _ends(keras, advisers.teacher.model(keras, plan.precision.value))
            taught = _values(self._teacher)
        weights = self._witness.weights if self._witness else ()
        self._known = jax.device_put((taught, _computed_in(plan.precision, weights)), self._whole)
        maps = feature_maps(network)
        self._places = Places(anchors_of(network), _REACH / max(maps[0].size))
        self._key = jax.random.key(plan.seed)
        self._step = jax.jit(self._one_step, donate_argnums=0)
        self._answers = jax.jit(self._answer)

    def placed(self, arrays: SceneArrays) -> Any:
        """All pictures, on each accelerator."""
        import jax

        from model_export.training.views import Data

        return Data(
            *(
                jax.device_put(each, self._whole)
                for each in (arrays.pixels, arrays.boxes, arrays.labels)
            )
        )

    def state(self) -> _State:
        """To begin with."""
        import jax

        weights, statistics = _values(self._ends)
        # Each an array of its own: a step takes the memory of all of them.
        made = _State(
            weights,
            statistics,
            [np.array(value) for value in weights],
            [np.array(value) for value in statistics],
            [np.zeros_like(value) for value in weights],
            [np.zeros_like(value) for value in weights],
        )
        return _State(*(jax.device_put(each, self._whole) for each in made))

    def step(self, state: _State, data: Any, chosen: Any, at: int, of: int) -> tuple[_State, Any]:
        """One step, and what it lost."""
        import jax

        lot = _Lot(jax.device_put(chosen, self._shared), np.int32(at), np.int32(of))
        done: tuple[_State, Any] = self._step(state, self._known, data, lot)
        return done

    def averaged(self, state: _State) -> Trained:
        """The network with the averaged weights."""
        for variables, values in (
            (self._ends.trainable_variables, state.average),
            (self._ends.non_trainable_variables, state.average_statistics),
        ):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(np.array(value))
        return read(self._network, self._model)

    def score(self, state: _State, judged: SceneArrays) -> Score:
        """The averaged network on pictures as they are."""
        losses, found, objects = [], 0, 0
        anchors = anchors_of(self._network)
        for first in range(0, len(judged), _JUDGED):
            # The last batch is filled up: another size would be compiled anew.
            chosen = np.minimum(np.arange(first, first + _JUDGED), len(judged) - 1)
            part = SceneArrays(judged.pixels[chosen], judged.boxes[chosen], judged.labels[chosen])
            loss, scores, boxes = self._answers(
                state.average, state.average_statistics, self.placed(part)
            )
            losses.append(float(loss))
            seen, where = np.asarray(scores), np.asarray(boxes)
            assert where.shape[1] == len(anchors)
            for at in range(min(_JUDGED, len(judged) - first)):
                wanted, labels = part.boxes[at], part.labels[at]
                met, count = _met(seen[at], where[at], wanted, labels)
                found, objects = found + met, objects + count
        return Score(float(np.mean(losses)), found / objects)

    # What is compiled

    def _one_step(self, state: _State, known: Any, data: Any, lot: _Lot) -> tuple[_State, Any]:
        import jax

        from model_export.training import views

        given = self._network.backbone.input
        size = given.height, given.width
        # Each accelerator makes its own part.
        made = jax.shard_map(
            lambda key, data, chosen, done: views.batch(
                key, data, chosen, self._plan.views, size, done=done
            ),
            mesh=self._mesh,
            in_specs=(self._whole.spec, self._whole.spec, self._shared.spec, self._whole.spec),
            out_specs=self._shared.spec,
            check_vma=False,
        )
        seen = made(jax.random.fold_in(self._key, lot.at), data, lot.chosen, lot.at / lot.of)
        inputs = _as_input(seen.picture, given)
        advice = self._advice(known, seen.clear)
        lose = jax.value_and_grad(self._loss, has_aux=True)
        (value, statistics), gradients = lose(
            state.weights, state.statistics, inputs, (seen.boxes, seen.labels), advice
        )
        return self._updated(state, statistics, gradients, lot), value

    def _advice(self, known: Any, clear: Any) -> _Advice:
        import jax

        from model_export.training.witness import best_logits

        taught, witnessed = known
        lesson = sure = None
        if self._teacher is not None:
            inputs = _as_input(clear, self._network.backbone.input)
            coded, logits = self._teacher.stateless_call(*taught, inputs, training=False)[0]
            lesson = jax.nn.sigmoid(logits[..., 1:]), self._boxes(coded)
        if self._witness is not None:
            sure = jax.nn.sigmoid(best_logits(self._witness, witnessed, clear))
        return _Advice(lesson, sure)

    def _loss(
        self, weights: Any, statistics: Any, inputs: Any, truth: Any, advice: _Advice
    ) -> tuple[Any, Any]:
        import jax

        from model_export.training import assignment

        (coded, logits), statistics = self._ends.stateless_call(
            weights, statistics, inputs, training=True
        )
        boxes = self._boxes(coded)
        judge = advice.lesson or jax.lax.stop_gradient((jax.nn.sigmoid(logits[..., 1:]), boxes))
        targets = jax.vmap(partial(assignment.assign, self._places))(*judge, *truth)
        value = assignment.loss(logits, boxes, targets)
        if advice.lesson:
            share = self._plan.teaching
            value = (1 - share) * value + share * assignment.taught(logits, boxes, *advice.lesson)
        if self._plan.presence:
            value += self._plan.presence * assignment.presence(logits, targets, *truth)
        if advice.sure is not None:
            value += self._plan.witness * assignment.witnessed(logits, advice.sure)
        return value, statistics

    def _answer(self, weights: Any, statistics: Any, data: Any) -> tuple[Any, Any, Any]:
        """The loss, scores and boxes of pictures as they are."""
        import jax
        import jax.numpy as jnp

        from model_export.training import assignment, views

        given = self._network.backbone.input
        seen = views.plain(data, jnp.arange(_JUDGED), (given.height, given.width))
        inputs = _as_input(seen.picture, given)
        coded, logits = self._ends.stateless_call(weights, statistics, inputs, training=False)[0]
        boxes, scores = self._boxes(coded), jax.nn.sigmoid(logits[..., 1:])
        targets = jax.vmap(partial(assignment.assign, self._places))(
            scores, boxes, seen.boxes, seen.labels
        )
        return assignment.loss(logits, boxes, targets), scores, boxes

    def _boxes(self, coded: Any) -> Any:
        from model_export.training.assignment import decoded

        return decoded(coded, self._places.anchors)

    def _updated(self, state: _State, statistics: Any, gradients: Any, lot: _Lot) -> _State:
        """AdamW with a cosine, on gradients of a bounded norm; and the average.

        Source: Loshchilov and Hutter 2019, arXiv 1711.05101.
        """
        import jax
        import jax.numpy as jnp

        plan, (one, two) = self._plan, _BETAS
        norm = jnp.sqrt(sum(jnp.sum(gradient**2) for gradient in gradients))
        cut = jnp.minimum(1.0, _NORM / (norm + 1e-6))
        rate = plan.learning_rate * _course(lot.at, lot.of)
        count = lot.at + 1.0
        first = [one * m + (1 - one) * g * cut for m, g in zip(state.first, gradients, strict=True)]
        second = [
            two * v + (1 - two) * (g * cut) ** 2
            for v, g in zip(state.second, gradients, strict=True)
        ]
        weights = []
        for weight, m, v, share in zip(state.weights, first, second, self._shares, strict=True):
            own = rate * share
            change = m / (1 - one**count) / (jnp.sqrt(v / (1 - two**count)) + 1e-8)
            # Kernels decay; normalisations and biases do not.
            kept = weight * (1 - own * plan.decay) if weight.ndim > 1 else weight
            weights.append(kept - own * change)
        # About the last half of the steps at first, then the last two thousand.
        memory = jnp.minimum(_MEMORY, count / (count + 20))
        average, average_statistics = jax.tree.map(
            lambda old, new: memory * old + (1 - memory) * new,
            (state.average, state.average_statistics),
            (weights, statistics),
        )
        return _State(weights, statistics, average, average_statistics, first, second)


def _course(at: Any, of: Any) -> Any:
    """The learning rate's share of the highest."""
    import jax.numpy as jnp

    warm = jnp.maximum(1, of // 20)
    done = jnp.clip((at - warm) / jnp.maximum(1, of - warm), 0, 1)
    return jnp.minimum((at + 1) / warm, 0.02 + 0.98 * (1 + jnp.cos(jnp.pi * done)) / 2)


def _ends(keras: Any, model: Any) -> Any:
    """The model with the values before the sigmoid in the place of scores."""
    return keras.Model(model.input, [model.outputs[0], model.get_layer(LOGITS).output])


def _values(model: Any) -> tuple[list[Floats], list[Floats]]:
    """What training changes, and the statistics that go along."""
    return (
        [np.array(variable.value) for variable in model.trainable_variables],
        [np.array(variable.value) for variable in model.non_trainable_variables],
    )


def _computed_in(precision: Precision, weights: Any) -> Any:
    """A witness's weights in the number format that the network computes in."""
    import jax
    import jax.numpy as jnp

    dtype = jnp.dtype(precision.value.removeprefix("mixed_"))
    return jax.tree.map(lambda values: jnp.asarray(values, dtype), weights)


def _as_input(picture: Any, given: Input) -> Any:
    """Pictures of 0..1 as what the network takes."""
    if given.scales:
        return picture * 255
    low, high = given.pixel_range
    return picture * (high - low) + low


def _met(scores: Floats, boxes: Floats, wanted: Floats, labels: Any) -> tuple[int, int]:
    """How many objects of a picture one of its best boxes meets, and how many there are."""
    met = 0
    for label in np.unique(labels[labels >= 0]):
        best = np.argsort(-scores[:, label])[:_BEST]
        shares = overlaps(boxes[best], wanted[labels == label])
        met += int((shares.max(axis=0) >= 0.5).sum())
    return met, int((labels > CROWD).sum())
