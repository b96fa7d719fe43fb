"""A recipe: one TOML file that says what becomes of a model, step by step.

What the keys mean for a person is in docs/recipes.md.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from edge_runtime.config.values import Listed, Pair
from edge_runtime.json_schema import schema_of
from model_export.architectures.mobilenet import Family
from model_export.recipes.step_tables import Step
from model_export.recipes.values import LOOSE, AnyPath, Chance, Share, Side, StepName, Table


class SplitTable(Table):
    """How large each part of the data is."""

    train: Share = Field(default=0.7, description="To train on.")
    validation: Share = Field(default=0.15, description="To stop by, and to keep the best epoch.")
    test: Share = Field(default=0.15, description="To measure on, and for nothing else.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train, validation and test are {total:g} together; 1 is asked for")
        return self


class DataTable(Table):
    """What is trained, calibrated and measured with."""

    folder: AnyPath = Field(
        description="One folder a class; with `annotations` the folder of the pictures.",
        examples=["faces"],
    )
    annotations: AnyPath | None = Field(
        default=None,
        description="Boxes in COCO's JSON: the recipe is for a detector.",
        examples=["annotations.json"],
    )
    split: SplitTable = Field(
        default=SplitTable(),
        description="The parts, unless the JSON states them; near-duplicates stay together.",
    )
    exclude: AnyPath | None = Field(
        default=None,
        description="A file beside the recipe with a picture's file name a line: they are used for "
        "nothing, as what is nearly the same as a picture that is measured on elsewhere.",
        examples=["person-excluded.txt"],
    )
    train_only: Listed[str] = Field(
        default=(),
        description="Patterns of file names that are trained on and never tested: what was drawn.",
        examples=[["*_syn.*"]],
    )

    @model_validator(mode="after")
    def _excludes_boxed(self) -> Self:
        if self.exclude is not None and self.annotations is None:
            raise ValueError("exclude is for pictures with boxes: name their annotations")
        return self


class ModelTable(Table):
    """The network."""

    family: Annotated[Family, LOOSE] | None = Field(
        default=None,
        description="Which MobileNet; by default the one in `start`.",
        examples=["mobilenet_v2"],
    )
    alpha: float = Field(
        default=1.0, gt=0, le=4, description="All channels are multiplied by it.", examples=[0.35]
    )
    size: Side = Field(description="The input picture's width and height in pixels.", examples=[96])
    height: Side | None = Field(
        default=None, description="Its height, where that is another than its width."
    )
    colour: Literal["rgb", "grey"] = Field(default="rgb", description="What the network sees.")
    start: AnyPath | None = Field(
        default=None,
        description="Weights to start from: a Keras .h5 or .keras file, a SavedModel, a .tflite "
        "file or what `edge-export train` wrote; by default random ones.",
        examples=["mobilenet_v2_1.0_224.h5"],
    )
    range: Pair[float] | None = Field(
        default=None,
        description="What black and white are for the network in `start`; by default what it says.",
        examples=[[-1, 1]],
    )

    @model_validator(mode="after")
    def _some_network(self) -> Self:
        if self.family is None and self.start is None:
            raise ValueError(
                "neither family nor start is there; one says which network is trained, e.g. "
                'family = "mobilenet_v2"'
            )
        return self

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width."""
        return self.height or self.size, self.size


class GateTable(Table):
    """What the result may have lost; a miss writes no bundle."""

    max_accuracy_drop: Chance | None = Field(
        default=None,
        description="By how much the accuracy (a detector's AP50) may be below the baseline's: "
        "0.01 is a point.",
        examples=[0.01],
    )
    min_accuracy: Chance | None = Field(
        default=None, description="What the accuracy has to be.", examples=[0.96]
    )
    max_size: int | None = Field(
        default=None, ge=1, description="Bytes of the .tflite file.", examples=[600_000]
    )
    max_latency_ratio: float | None = Field(
        default=None,
        gt=0,
        description="The time of one inference as a share of the baseline's, in one run.",
        examples=[0.6],
    )


class BenchTable(Table):
    """How time is measured."""

    runs: int = Field(default=100, ge=1, description="Timed inferences of each model.")
    threads: int = Field(default=1, ge=1, le=16, description="On 1, 2 ... so many threads.")


class BundleTable(Table):
    """What goes to the boards."""

    version: int = Field(ge=1, description="Higher than that of any bundle before it.")
    golden: AnyPath = Field(
        description="A picture in which the model sees something, beside the recipe; it goes to "
        "each board.",
        examples=["golden.png"],
    )
    threshold: Share = Field(default=0.5, description="The score from which something counts.")
    description: str = Field(default="", description="What the model is for, in a sentence.")
    licence: str = Field(default="", description="Of the model.", examples=["Apache-2.0"])
    data: str = Field(default="not stated", description="What it learned from, in words.")
    card: AnyPath | None = Field(
        default=None,
        description="The model card, Markdown, beside the recipe.",
        examples=["card.md"],
    )


class Recipe(Table):
    """A whole recipe."""

    name: StepName = Field(
        description="Of the model, through all its versions.", examples=["person"]
    )
    seed: int = Field(default=0, ge=0, description="Decides all that is left to chance.")
    data: DataTable = Field(description="The pictures.")
    model: ModelTable = Field(description="The network.")
    steps: Listed[Annotated[Step, Field(discriminator="do")]] = Field(
        min_length=1, description="What is done, one after the other."
    )
    baseline: StepName | None = Field(
        default=None, description="What all is compared with; by default the first step."
    )
    result: StepName | None = Field(
        default=None, description="What goes to the boards; by default the last step."
    )
    bench: BenchTable = Field(default=BenchTable(), description="How time is measured.")
    gate: GateTable = Field(default=GateTable(), description="What the result may have lost.")
    bundle: BundleTable | None = Field(default=None, description="What goes to the boards.")

    @property
    def baseline_name(self) -> str:
        """The step that the others are compared with."""
        return self.baseline or self.steps[0].name

    @property
    def result_name(self) -> str:
        """The step whose model goes to boards."""
        return self.result or self.steps[-1].name

    def source_of(self, step: Step) -> str | None:
        """The name of the step whose model it takes; None: it is the first."""
        place = self.steps.index(step)
        return step.source or (self.steps[place - 1].name if place else None)

    def chain(self, name: str) -> tuple[str, ...]:
        """The steps that lead to `name`, that one included."""
        steps = {step.name: step for step in self.steps}
        source = self.source_of(steps[name])
        return (*(self.chain(source) if source else ()), name)


def schema() -> dict[str, Any]:
    """A recipe as a JSON Schema, for editors."""
    return schema_of(Recipe)
