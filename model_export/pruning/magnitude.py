"""Single weights that matter least become zero: a smaller download, and nothing else.

No runtime that boards have skips zeros; a model that is pruned like this takes as long and as much
memory as before. Only what is compressed on its way gets smaller. `structured` makes models faster.

Source: Zhu and Gupta 2017 (arXiv 1710.01878) for the schedule, by TensorFlow's model optimization
toolkit, which works on tf_keras.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.architectures.channels import Kind, Layer, layers
from model_export.architectures.frameworks import optimization, tf_keras
from model_export.errors import ExportError
from model_export.training.augmentation import BRANCH, Augmentation
from model_export.training.batches import Batches, Imbalance
from model_export.training.classification import score
from model_export.training.loop import Epoch, Keep, Schedule, optimizer, run
from model_export.training.pictures import Pictures
from model_export.weights import Floats, Trained, read

_LABEL = "a smaller download, no speed"


@dataclass(frozen=True, slots=True)
class Fading:
    """How the weights fade.

    Attributes:
        ramp: while ever more become zero, fast at first and slow in the end.
        settling: with all zeros in place.
    """

    ramp: Schedule
    settling: Schedule
    batch: int = 32
    imbalance: Imbalance = Imbalance.WEIGHTS
    augmentation: Augmentation = BRANCH
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Sparse:
    """A network with zeros.

    Attributes:
        sparsity: the share of zeros, counted in all weights, those that are not pruned included.
        by_layer: the same for each layer.
        gain: what that is good for.
    """

    trained: Trained
    epochs: tuple[Epoch, ...]
    sparsity: float
    by_layer: Mapping[str, float]
    gain: str = _LABEL


def prune_magnitude(
    trained: Trained,
    sparsity: float,
    pictures: Pictures,
    validation: Pictures,
    fading: Fading,
    *,
    epoch: Callable[[Epoch], None] = lambda _: None,
) -> Sparse:
    """Make the share `sparsity` of each pointwise and fully connected layer's weights zero.

    The stem and depthwise layers have few weights and stay whole.

    Raises:
        ExportError: the share is out of range, tf_keras or the toolkit is not installed or cannot
            build the network, or training comes apart.
    """
    if not 0 < sparsity < 1:
        raise ExportError(f"a sparsity of {sparsity:g} is not between 0 and 1: 0.7 is usual")
    steps = fading.ramp.epochs * len(_batches(trained, pictures, fading))

    def wrap(toolkit: Any, layer: Any) -> Any:
        schedule = toolkit.PolynomialDecay(
            0, sparsity, 0, max(1, steps - 1), frequency=_often(steps)
        )
        return toolkit.prune_low_magnitude(layer, pruning_schedule=schedule)

    names = {layer.name for layer in layers(trained.network) if _is_large(layer)}
    return _faded(trained, pictures, validation, fading, names=names, wrap=wrap, epoch=epoch)


def prune_two_of_four(
    trained: Trained,
    pictures: Pictures,
    validation: Pictures,
    fading: Fading,
    *,
    epoch: Callable[[Epoch], None] = lambda _: None,
) -> Sparse:
    """Make two of each four weights along a layer's inputs zero.

    That is a pattern that some GPUs can use, and no board here. Layers as in `prune_magnitude`, of
    which the number of inputs is a multiple of 4. Errors as there.
    """
    steps = fading.ramp.epochs * len(_batches(trained, pictures, fading))

    def wrap(toolkit: Any, layer: Any) -> Any:
        schedule = toolkit.ConstantSparsity(0.5, 0, max(1, steps - 1), frequency=_often(steps))
        return toolkit.prune_low_magnitude(layer, pruning_schedule=schedule, sparsity_m_by_n=(2, 4))

    names = {
        layer.name
        for layer in layers(trained.network)
        if _is_large(layer) and layer.inputs % 4 == 0
    }
    return _faded(trained, pictures, validation, fading, names=names, wrap=wrap, epoch=epoch)


def measured(trained: Trained, epochs: tuple[Epoch, ...] = ()) -> Sparse:
    """How many zeros a network has."""
    kernels = {name: found.kernel for name, found in trained.weights.items()}
    zeros = sum(kernel.size - int(np.count_nonzero(kernel)) for kernel in kernels.values())
    return Sparse(
        trained,
        epochs,
        zeros / sum(kernel.size for kernel in kernels.values()),
        {name: 1 - np.count_nonzero(kernel) / kernel.size for name, kernel in kernels.items()},
    )


def follows_two_of_four(kernel: Floats) -> bool:
    """Whether each four weights along the inputs have two zeros or more."""
    *places, inputs, outputs = kernel.shape
    if inputs % 4:
        return False
    by_four: NDArray[Any] = kernel.reshape(*places, inputs // 4, 4, outputs)
    return bool((np.count_nonzero(by_four, axis=-2) <= 2).all())


def _is_large(layer: Layer) -> bool:
    return layer.kind is not Kind.DEPTHWISE and layer.name != "stem"


def _often(steps: int) -> int:
    """Steps between two choices of what becomes zero: each sorts all weights."""
    return max(1, steps // 50)


def _batches(trained: Trained, pictures: Pictures, fading: Fading) -> Batches:
    return Batches(
        pictures,
        trained.network.backbone.input,
        min(fading.batch, len(pictures)),
        fading.seed,
        shuffled=True,
        imbalance=fading.imbalance,
        augmentation=fading.augmentation,
    )


def _faded(
    trained: Trained,
    pictures: Pictures,
    validation: Pictures,
    fading: Fading,
    *,
    names: set[str],
    wrap: Callable[[Any, Any], Any],
    epoch: Callable[[Epoch], None],
) -> Sparse:
    keras, toolkit = tf_keras(), optimization().sparsity.keras
    keras.utils.set_random_seed(fading.seed)
    picture = trained.network.backbone.input
    outside = replace(
        trained.network,
        backbone=replace(trained.network.backbone, input=replace(picture, scales=False)),
    )
    whole = Trained(outside, trained.weights).model(keras)
    model = keras.models.clone_model(
        whole, clone_function=lambda layer: wrap(toolkit, layer) if layer.name in names else layer
    )
    batches = _batches(Trained(outside, trained.weights), pictures, fading)
    update = toolkit.UpdatePruningStep()
    update.set_model(model)
    update.on_train_begin()
    seen: tuple[Epoch, ...] = ()
    # Averaged weights would not be zero, and an early epoch is better, but not yet sparse.
    ramp = replace(fading.ramp, averaged=False, keep=Keep.LAST)
    for schedule in (ramp, replace(fading.settling, averaged=False)):
        steps = schedule.epochs * len(batches)
        model.compile(optimizer(keras, schedule, steps), keras.losses.CategoricalCrossentropy())
        seen += run(
            model,
            schedule,
            batches,
            lambda: score(model, validation, outside.backbone.input),
            epoch,
            first=len(seen),
        )
        # The last step moved what is zero; the masks put it back.
        update.on_epoch_end(-1)
    stripped = read(outside, toolkit.strip_pruning(model))
    return measured(Trained(trained.network, stripped.weights), seen)
