"""A step of training a detector, compiled as a whole by JAX for as many accelerators as there are.

From the pictures, over what happens to them, to the weights that come out.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from model_export.architectures.anchors import anchors_of
from model_export.architectures.channels import feature_maps
from model_export.architectures.keras_model import LOGITS
from model_export.architectures.spec import Detector, Input
from model_export.errors import ExportError
from model_export.training.accelerated_plan import AcceleratedPlan
from model_export.training.averaged_adamw import Rates, State, beginning, updated
from model_export.training.boxes import CROWD, overlaps
from model_export.training.classification import Precision
from model_export.training.loop import Score
from model_export.training.scene_arrays import SceneArrays
from model_export.weights import Floats, Trained, read

if TYPE_CHECKING:
    from model_export.training.witness import Witness

_BEST = 10
"""Boxes of a picture among which an object counts as found, as in `detection`."""

_JUDGED = 64
"""Pictures a batch in validation."""

_REACH = 0.75
"""Of a place of the finest map."""

_BACKBONE = ("stem", "block")
"""What its variables' names begin with."""


class Advisers(NamedTuple):
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


class _Lot(NamedTuple):
    """What a step is about: the indexes of its pictures, its number from 0, and of how many."""

    chosen: Any
    at: Any
    of: Any


class Trainer:
    """The compiled step, and the way into and out of it."""

    def __init__(
        self,
        keras: Any,
        start: Trained,
        network: Detector,
        plan: AcceleratedPlan,
        advisers: Advisers,
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
        shares = [
            plan.backbone if variable.path.startswith(_BACKBONE) else 1.0
            for variable in self._ends.trainable_variables
        ]
        self._rates = Rates(plan.learning_rate, plan.decay, shares)
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

    def state(self) -> State:
        """To begin with."""
        import jax

        made = beginning(*_values(self._ends))
        return State(*(jax.device_put(each, self._whole) for each in made))

    def step(self, state: State, data: Any, chosen: Any, at: int, of: int) -> tuple[State, Any]:
        """One step, and what it lost."""
        import jax

        lot = _Lot(jax.device_put(chosen, self._shared), np.int32(at), np.int32(of))
        done: tuple[State, Any] = self._step(state, self._known, data, lot)
        return done

    def averaged(self, state: State) -> Trained:
        """The network with the averaged weights."""
        for variables, values in (
            (self._ends.trainable_variables, state.average),
            (self._ends.non_trainable_variables, state.average_statistics),
        ):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(np.array(value))
        return read(self._network, self._model)

    def score(self, state: State, judged: SceneArrays) -> Score:
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

    def _one_step(self, state: State, known: Any, data: Any, lot: _Lot) -> tuple[State, Any]:
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
        return updated(state, statistics, gradients, self._rates, at=lot.at, of=lot.of), value

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
