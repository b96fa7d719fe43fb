"""Does one step of a recipe: from the model of the step before to files in a folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from edge_runtime.inference.preprocess import Range
from model_export.architectures.channels import macs
from model_export.architectures.spec import Network
from model_export.calibration import calibration
from model_export.conversion import float_tflite
from model_export.errors import ExportError
from model_export.networks import finished, float_model
from model_export.pruning.latency import latency
from model_export.pruning.magnitude import Fading, Sparse, prune_magnitude, prune_two_of_four
from model_export.pruning.structured import Importance, prune
from model_export.quantization import Io, Precision, Quantization, quantize, write_model
from model_export.recipes.kit import Kit
from model_export.recipes.start import is_folded, start_network
from model_export.recipes.step_tables import (
    HeadTable,
    PruneStep,
    QatStep,
    QuantizeStep,
    Step,
    TrainStep,
)
from model_export.training.augmentation import BRANCH, Augmentation
from model_export.training.classification import Distillation, Outcome, Plan, train
from model_export.training.detection import DetectionPlan, train_detector
from model_export.training.devices import has_accelerator
from model_export.training.loop import Epoch, Schedule
from model_export.training.statistics import reestimated, unfolded
from model_export.weights import Trained, load, save
from model_export.writing import write_whole

if TYPE_CHECKING:
    from model_export.training.quantization_aware import QuantizationAware

NETWORK, RAW, MODEL, ABOUT = "network.npz", "raw.tflite", "model.tflite", "about.json"

_STATISTICS = 400
"""Pictures that means and variances are measured on."""


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a step's model, besides its files.

    Attributes:
        summary, note: as in `outcome.StepOutcome`.
        seconds: that it took.
        epochs: of its training.
        pixel_range: what black and white are for the float model.
    """

    summary: str
    note: str
    seconds: float
    epochs: tuple[Epoch, ...]
    pixel_range: Range


_ABOUT = TypeAdapter(About)


@dataclass(frozen=True)
class Made:
    """What a step left in its folder.

    Attributes:
        name: the step's.
        folder: with `MODEL` as boards run it, and of steps that do not quantize `RAW`, the float
            model without a detector's end, and mostly `NETWORK`.
        key: of all that went into it.
        reused: whether it was there before.
    """

    name: str
    folder: Path
    key: str
    reused: bool

    @property
    def model(self) -> Path:
        """The .tflite file."""
        return self.folder / MODEL

    @cached_property
    def about(self) -> About:
        """What is known of it."""
        return _ABOUT.validate_json((self.folder / ABOUT).read_bytes())

    @cached_property
    def network(self) -> Trained | None:
        """Network and weights; None: it is a file that was only converted."""
        path = self.folder / NETWORK
        return load(path) if path.exists() else None

    def trained(self) -> Trained:
        """The network, where one is needed.

        Raises:
            ExportError: there is none.
        """
        if self.network is None:
            raise ExportError(
                f"the model of the step {self.name} was only converted, and cannot be trained or "
                "pruned: begin with a step that trains it"
            )
        return self.network

    def raw(self) -> bytes:
        """The float model without a detector's end."""
        return (self.folder / RAW).read_bytes()


@dataclass(frozen=True, slots=True)
class Result:
    """What a step's work comes to, before it is written.

    Attributes:
        summary, note, epochs, pixel_range: as in `About`.
        network: of a step that does not quantize, where there is one.
        raw: a float model that was only converted.
        model: of a step that quantizes.
    """

    summary: str
    pixel_range: Range
    network: Trained | None = None
    raw: bytes | None = None
    model: bytes | None = None
    epochs: tuple[Epoch, ...] = ()
    note: str = ""


def perform(
    kit: Kit, step: Step, source: Made | None, teacher: Trained | None, folder: Path
) -> None:
    """Do the step and leave its files in `folder`, which exists and is empty.

    Raises:
        EdgeRuntimeError: it cannot be done.
    """
    began = time.monotonic()
    result = work(kit, step, source, teacher)
    _write(folder, result, time.monotonic() - began)


def work(kit: Kit, step: Step, source: Made | None, teacher: Trained | None) -> Result:
    """Do the step, and write nothing.

    Args:
        source: the step whose model it takes; None: the recipe's start.
        teacher: whom a training learns from, too.

    Raises:
        EdgeRuntimeError: it cannot be done.
    """
    match step:
        case TrainStep():
            return _train(kit, step, source, teacher)
        case PruneStep():
            return _prune(kit, step, source, teacher)
        case QuantizeStep():
            return _quantize(kit, step, source)
        case QatStep():
            return _qat(kit, step, source)


def _write(folder: Path, result: Result, seconds: float) -> None:
    network, raw, model = result.network, result.raw, result.model
    if network is not None:
        save(folder / NETWORK, network)
        # Of a step that quantizes, the model is there already.
        raw = float_model(network) if model is None else None
    if raw is not None:
        write_whole(folder / RAW, raw)
        model = raw if network is None else finished(raw, network.network)
    assert model is not None
    write_model(folder / MODEL, model)
    about = About(result.summary, result.note, seconds, result.epochs, result.pixel_range)
    write_whole(folder / ABOUT, json.dumps(asdict(about), indent=1).encode())


def _range(network: Network) -> Range:
    return network.backbone.input.pixel_range


# Training


def _train(kit: Kit, step: TrainStep, source: Made | None, teacher: Trained | None) -> Result:
    kept = _kept(kit, step)
    if kept is not None:
        return kept
    start = kit_start(kit) if source is None else source.trained()
    head = None if step.head is None else _head(step.head)
    outcome = _trained(kit, step, start, head, teacher)
    by = f" by {step.teacher}" if step.teacher else ""
    summary = f"trained{by} for {len(outcome.epochs)} epochs"
    return Result(summary, _range(outcome.trained.network), outcome.trained, epochs=outcome.epochs)


def _head(table: HeadTable) -> Schedule:
    return Schedule(table.epochs, table.learning_rate, patience=table.epochs, averaged=False)


def kit_start(kit: Kit) -> Trained:
    """What the recipe's first training starts from, with normalisations that can be trained."""
    recipe = kit.recipe
    start = start_network(
        recipe.model, kit.root, kit.data.classes, boxes=kit.boxes, seed=recipe.seed
    )
    if is_folded(start):
        start = unfolded(start, kit.some_inputs(start.network.backbone.input, _STATISTICS))
    return start


def _trained(
    kit: Kit,
    step: TrainStep | PruneStep,
    start: Trained,
    head: Schedule | None,
    teacher: Trained | None,
) -> Outcome:
    tell = _telling(kit, step.name, step.epochs + (head.epochs if head else 0))
    whole = Schedule(step.epochs, step.learning_rate, step.patience, step.averaged)
    picture = start.network.backbone.input
    if kit.boxes:
        plan = DetectionPlan(
            head,
            whole,
            step.batch,
            augmentation=_augmentation(step),
            mixing=step.mixing,
            precision=step.precision,
            seed=kit.recipe.seed,
        )
        return train_detector(start, *kit.scenes(picture), plan, epoch=tell)
    return train(
        start,
        *kit.pictures(picture),
        Plan(
            head,
            whole,
            step.batch,
            imbalance=step.imbalance,
            augmentation=_augmentation(step),
            distillation=Distillation(step.teacher_share, step.temperature),
            precision=step.precision,
            seed=kit.recipe.seed,
        ),
        teacher=teacher,
        epoch=tell,
    )


def _augmentation(step: TrainStep | PruneStep | QatStep) -> Augmentation:
    return BRANCH if step.augmentation is None else step.augmentation.probabilities()


def _kept(kit: Kit, step: TrainStep | PruneStep) -> Result | None:
    """The step's outcome from elsewhere, where this machine has no accelerator; None: do it here.

    Raises:
        ExportError: it is missing or is for other pictures or classes.
    """
    if step.checkpoint is None or has_accelerator():
        return None
    path = kit.folder / step.checkpoint
    if not path.exists():
        raise ExportError(
            f"the step {step.name} needs a GPU, this machine has none, and its checkpoint {path} "
            "does not exist: bring it, or leave the key out to train here, which takes long"
        )
    found = load(path)
    picture, sides = found.network.backbone.input, kit.recipe.model.sides
    if (picture.height, picture.width) != sides or found.network.classes != len(kit.data.classes):
        raise ExportError(
            f"the checkpoint {path} knows {found.network.classes} classes in pictures of "
            f"{picture.width}x{picture.height}, and the recipe has {len(kit.data.classes)} in "
            f"{sides[1]}x{sides[0]}: it is of another recipe"
        )
    return Result(f"trained elsewhere: {step.checkpoint}", _range(found.network), found)


# Pruning


def _prune(kit: Kit, step: PruneStep, source: Made | None, teacher: Trained | None) -> Result:
    whole = kit_start(kit) if source is None else source.trained()
    kept = _kept(kit, step)
    if kept is not None:
        assert kept.network is not None
        share = macs(kept.network.network) / macs(whole.network)
        return replace(kept, summary=f"{kept.summary}, {share:.0%} of the MACs")
    if step.method == "channels":
        return _without_channels(kit, step, whole, teacher or whole)
    return _with_zeros(kit, step, whole)


def _without_channels(kit: Kit, step: PruneStep, whole: Trained, teacher: Trained) -> Result:
    kit.tell(f"{step.name}: choosing channels", 0)
    importance = Importance(step.importance)
    if step.macs is not None:
        pruned = prune(whole, step.macs, importance)
        what = "the MACs"
    else:
        assert step.latency is not None  # the recipe has seen to it
        pruned = prune(whole, step.latency, importance, latency)
        what = "the time"
    inputs = kit.some_inputs(whole.network.backbone.input, _STATISTICS)
    ready = reestimated(pruned.trained, inputs)
    outcome = _trained(kit, step, ready, None, teacher)
    summary = f"channels pruned to {pruned.cost:.0%} of {what}, {len(outcome.epochs)} epochs"
    return Result(summary, _range(outcome.trained.network), outcome.trained, epochs=outcome.epochs)


def _with_zeros(kit: Kit, step: PruneStep, whole: Trained) -> Result:
    if kit.boxes:
        raise ExportError(
            f"the step {step.name} makes weights zero, which is done for classifiers only: "
            'method = "channels" makes a detector smaller, and faster too'
        )
    ramp = Schedule(step.epochs, step.learning_rate, step.patience, averaged=False)
    settling = Schedule(step.settle, step.learning_rate / 10, step.settle, averaged=False)
    fading = Fading(
        ramp, settling, step.batch, step.imbalance, _augmentation(step), kit.recipe.seed
    )
    pictures = kit.pictures(whole.network.backbone.input)
    tell = _telling(kit, step.name, step.epochs + step.settle)
    found: Sparse
    if step.method == "magnitude":
        assert step.sparsity is not None  # the recipe has seen to it
        found = prune_magnitude(whole, step.sparsity, *pictures, fading, epoch=tell)
    else:
        found = prune_two_of_four(whole, *pictures, fading, epoch=tell)
    return Result(
        f"{found.sparsity:.0%} of the weights are zero ({step.method})",
        _range(whole.network),
        found.trained,
        epochs=found.epochs,
        note=found.gain,
    )


def _telling(kit: Kit, name: str, epochs: int) -> Callable[[Epoch], None]:
    kit.tell(f"{name}: first epoch", 0)

    def tell(epoch: Epoch) -> None:
        accuracy = 100 * epoch.validation.accuracy
        kit.tell(f"{name}: epoch {epoch.number}, validation {accuracy:.1f}%", epoch.number / epochs)

    return tell


# Quantization


def _quantize(kit: Kit, step: QuantizeStep, source: Made | None) -> Result:
    how = Quantization(step.to, step.io or _usual_io(step.to), step.keep_float)
    raw, network, pixel_range = _float(kit, source)
    if step.to is Precision.FLOAT32:
        return Result("converted, float32", pixel_range, network, raw)
    seen = None
    if how.calibrated:
        pictures = kit.calibration_pictures(step.pictures)
        seen = calibration(raw, pictures, pixel_range)
    made = quantize(raw, how, seen, lambda done: kit.tell(f"{step.name}: quantizing", done))
    model = made if network is None else finished(made, network.network)
    calibrated = f", calibrated with {len(seen.inputs)} pictures" if seen else ""
    kept = f", {len(step.keep_float)} layers float" if step.keep_float else ""
    return Result(
        f"{how.precision}, {how.io} in and out{calibrated}{kept}", pixel_range, model=model
    )


def _usual_io(precision: Precision) -> Io:
    """Pixels as they are, which every reader of int8 models has."""
    return Io.UINT8 if precision is Precision.INT8 else Io.FLOAT32


def _float(kit: Kit, source: Made | None) -> tuple[bytes, Trained | None, Range]:
    """The float model to quantize, its network if it is one of ours, and its range of pixels."""
    if source is not None:
        return source.raw(), source.network, source.about.pixel_range
    table = kit.recipe.model
    assert table.start is not None  # the recipe has seen to it
    if table.range is None:
        raise ExportError(
            f"{table.start} is quantized as it is: say in [model] what black and white are for it, "
            "e.g. range = [-1, 1]"
        )
    return float_tflite(kit.root / table.start), None, table.range


def _qat(kit: Kit, step: QatStep, source: Made | None) -> Result:
    whole = kit_start(kit) if source is None else source.trained()
    made = _with_rounding(kit, step, whole)
    return Result(
        f"trained with rounding for {len(made.epochs)} epochs, int8, {step.io} in and out",
        _range(whole.network),
        model=made.model,
        epochs=made.epochs,
    )


def _with_rounding(kit: Kit, step: QatStep, whole: Trained) -> QuantizationAware:
    from model_export.training.quantization_aware import (
        train_quantization_aware,
        train_quantization_aware_detector,
    )

    schedule = Schedule(step.epochs, step.learning_rate, step.patience, averaged=False)
    augmentation, seed = _augmentation(step), kit.recipe.seed
    tell = _telling(kit, step.name, step.epochs)
    picture = whole.network.backbone.input
    if kit.boxes:
        return train_quantization_aware_detector(
            whole,
            *kit.scenes(picture),
            DetectionPlan(None, schedule, step.batch, augmentation=augmentation, seed=seed),
            io=step.io,
            epoch=tell,
        )
    return train_quantization_aware(
        whole,
        *kit.pictures(picture),
        Plan(
            None,
            schedule,
            step.batch,
            imbalance=step.imbalance,
            augmentation=augmentation,
            seed=seed,
        ),
        io=step.io,
        epoch=tell,
    )
