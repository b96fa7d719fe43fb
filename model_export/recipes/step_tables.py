"""The steps of a recipe, as its tables ``[[steps]]`` say them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edge_runtime.config.values import Listed
from model_export.datasets.splits import CALIBRATION_PICTURES
from model_export.pruning.structured import Importance
from model_export.quantization import Io
from model_export.quantization import Precision as Quantized
from model_export.recipes.values import (
    LOOSE,
    AnyPath,
    Chance,
    Epochs,
    Rate,
    Share,
    StepName,
    Table,
)
from model_export.training.augmentation import Augmentation, Effect
from model_export.training.batches import Imbalance
from model_export.training.classification import Precision


class HeadTable(Table):
    """The phase in which only what is new learns."""

    epochs: Epochs = Field(default=2, description="How many.")
    learning_rate: Rate = Field(default=0.003, description="The highest.")


class AugmentationTable(Table):
    """How often each effect happens to a picture; what is not named does not."""

    flip: Chance = Field(default=0, description="Left becomes right.")
    shift: Chance = Field(default=0, description="Another part of it, turned a little.")
    occlusion: Chance = Field(default=0, description="Something stands before a part of it.")
    backlight: Chance = Field(default=0, description="Bright around, dark in the middle.")
    glare: Chance = Field(default=0, description="Light falls on the lens.")
    colour_cast: Chance = Field(default=0, description="Lamps of another colour.")
    defocus: Chance = Field(default=0, description="Out of focus.")
    motion_blur: Chance = Field(default=0, description="It moves while it is exposed.")
    low_light: Chance = Field(default=0, description="Dark and noisy.")
    compression: Chance = Field(default=0, description="The blocks of an encoder at a low rate.")

    def probabilities(self) -> Augmentation:
        """The same as training takes it."""
        return Augmentation({effect: getattr(self, effect) for effect in Effect})


class _Step(Table):
    """What all steps have."""

    name: StepName = Field(description="What the step is called.", examples=["whole"])
    source: StepName | None = Field(
        default=None,
        alias="from",
        description="The step whose model it takes; by default the step before it.",
        examples=["whole"],
    )


class _Learning(_Step):
    """What all steps have that learn."""

    epochs: Epochs = Field(default=20, description="At most so many.", examples=[20])
    learning_rate: Rate = Field(
        default=0.001, description="The highest: it rises to it, then falls to 0 as a cosine."
    )
    patience: Epochs = Field(
        default=8, description="Epochs without a better validation after which it ends."
    )
    batch: int = Field(default=32, ge=2, le=4096, description="Pictures a step.")
    imbalance: Annotated[Imbalance, LOOSE] = Field(
        default=Imbalance.WEIGHTS,
        description="What makes rare classes of a classifier count: their weights, how often they "
        "are drawn, or nothing.",
    )
    augmentation: AugmentationTable | None = Field(
        default=None,
        description="What happens to pictures; by default what cameras in branches do to them.",
    )


class _Training(_Learning):
    """What all trainings without rounding have."""

    averaged: bool = Field(
        default=True, description="Whether a moving average of the weights is kept."
    )
    mixing: Chance = Field(
        default=0.25, description="How often a detector's picture is one of four in a mosaic."
    )
    precision: Annotated[Precision, LOOSE] = Field(
        default=Precision.FLOAT32, description="What is computed in; the others are for GPUs."
    )
    teacher_share: Rate = Field(
        default=0.7, description="How much of the loss is about what the teacher says."
    )
    temperature: float = Field(
        default=2.0, ge=1, le=100, description="Above 1, small probabilities of the teacher count."
    )


class TrainStep(_Training):
    """Train a network."""

    do: Literal["train"]
    head: HeadTable | None = Field(
        default=None, description="A phase before it, in which only what is new learns."
    )
    teacher: StepName | None = Field(
        default=None, description="A step whose larger model it learns from, too."
    )
    checkpoint: AnyPath | None = Field(
        default=None,
        description="Its outcome, kept from a machine with a GPU, beside the recipe: taken where "
        "this machine has none.",
        examples=["person.npz"],
    )


class PruneStep(_Training):
    """Make a network smaller, and train it again with the whole one as its teacher."""

    do: Literal["prune"]
    method: Literal["channels", "magnitude", "2:4"] = Field(
        default="channels",
        description="Remove channels (a faster network), or make weights zero, freely or two of "
        "each four (a smaller download, no speed).",
    )
    macs: Share | None = Field(
        default=None, description="channels: so much is left of the multiply-accumulates."
    )
    latency: Share | None = Field(
        default=None, description="channels: so much is left of the time, measured here."
    )
    teacher: StepName | None = Field(
        default=None,
        description="channels: a step whose model it learns from; by default the one it takes.",
    )
    importance: Annotated[Importance, LOOSE] = Field(
        default=Importance.SCALE, description="channels: what tells how much one matters."
    )
    sparsity: Share | None = Field(
        default=None, description="magnitude: the share of weights that become zero."
    )
    settle: Epochs = Field(
        default=2, description="magnitude and 2:4: epochs after all zeros are in place."
    )
    checkpoint: AnyPath | None = Field(
        default=None, description="As that of `train`.", examples=["person-half.npz"]
    )

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        wanted = {"channels": "macs or latency", "magnitude": "sparsity", "2:4": "nothing"}
        given = [
            name for name in ("macs", "latency", "sparsity") if getattr(self, name) is not None
        ]
        allowed = {"channels": ["macs"], "magnitude": ["sparsity"], "2:4": []}[self.method]
        if given != allowed and not (self.method == "channels" and given == ["latency"]):
            raise ValueError(
                f'method = "{self.method}" goes by {wanted[self.method]} alone, and there is '
                f"{' and '.join(given) or 'none of them'}; e.g. "
                + ("sparsity = 0.7" if self.method == "magnitude" else "macs = 0.5")
            )
        return self


class QuantizeStep(_Step):
    """Make the model's numbers smaller."""

    do: Literal["quantize"]
    to: Annotated[Quantized, LOOSE] = Field(
        default=Quantized.INT8, description="float16, dynamic, int8 or int16x8.", examples=["int8"]
    )
    io: Annotated[Io, LOOSE] | None = Field(
        default=None,
        description="What goes in and comes out; by default uint8 of an int8 model, which every "
        "reader takes, else float32.",
    )
    pictures: int = Field(
        default=CALIBRATION_PICTURES,
        ge=1,
        description="So many of the training pictures calibrate it, as many of each class.",
    )
    keep_float: Listed[str] = Field(
        default=(), description="Layers that stay float, by name.", examples=[["block01_project"]]
    )


class QatStep(_Learning):
    """Train with rounding in the network, and make it int8."""

    do: Literal["qat"]
    epochs: Epochs = Field(default=5, description="At most so many.", examples=[5])
    learning_rate: Rate = Field(
        default=1e-4, description="The highest: it rises to it, then falls to 0 as a cosine."
    )
    io: Annotated[Io, LOOSE] = Field(default=Io.UINT8, description="What goes in and comes out.")


Step = TrainStep | PruneStep | QuantizeStep | QatStep


def teacher_of(step: Step) -> str | None:
    """The name of the step that it names as its teacher."""
    return step.teacher if isinstance(step, TrainStep | PruneStep) else None


def rounds(step: Step) -> bool:
    """Whether the model that it makes has rounded weights."""
    if isinstance(step, QuantizeStep):
        return step.to is not Quantized.FLOAT32
    return isinstance(step, QatStep)
