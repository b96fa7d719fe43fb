"""A recipe: one TOML file that says what becomes of a model, step by step.

What the keys mean for a person is in docs/recipes.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_runtime.config.errors import ConfigError, Finding, Problem, closest, dotted
from edge_runtime.config.findings import findings
from edge_runtime.config.lines import Key
from edge_runtime.config.loading import located, parse, read_text
from edge_runtime.config.values import Listed, Pair
from edge_runtime.json_schema import schema_of
from model_export.architectures.mobilenet import Family
from model_export.datasets.splits import CALIBRATION_PICTURES
from model_export.pruning.structured import Importance
from model_export.quantization import Io
from model_export.quantization import Precision as Quantized
from model_export.training.augmentation import Augmentation, Effect
from model_export.training.batches import Imbalance
from model_export.training.classification import Precision

Share = Annotated[float, Field(gt=0, lt=1)]
Chance = Annotated[float, Field(ge=0, le=1)]
Epochs = Annotated[int, Field(ge=1, le=10_000)]
Rate = Annotated[float, Field(gt=0, le=1)]
Side = Annotated[int, Field(ge=32, le=2048)]
StepName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]
AnyPath = Annotated[Path, Field(strict=False)]
_Loose = Field(strict=False)
"""TOML has no enumerations: their texts stand for them."""


class Table(BaseModel):
    """A table of a recipe: frozen, and without unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
    )


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

    family: Annotated[Family, _Loose] | None = Field(
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
    imbalance: Annotated[Imbalance, _Loose] = Field(
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
    precision: Annotated[Precision, _Loose] = Field(
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
    importance: Annotated[Importance, _Loose] = Field(
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
    to: Annotated[Quantized, _Loose] = Field(
        default=Quantized.INT8, description="float16, dynamic, int8 or int16x8.", examples=["int8"]
    )
    io: Annotated[Io, _Loose] | None = Field(
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
    io: Annotated[Io, _Loose] = Field(default=Io.UINT8, description="What goes in and comes out.")


Step = TrainStep | PruneStep | QuantizeStep | QatStep


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


def teacher_of(step: Step) -> str | None:
    """The name of the step that it names as its teacher."""
    return step.teacher if isinstance(step, TrainStep | PruneStep) else None


def schema() -> dict[str, Any]:
    """A recipe as a JSON Schema, for editors."""
    return schema_of(Recipe)


def load_recipe(path: Path) -> tuple[Recipe, str]:
    """Read and validate a recipe; the recipe, and its text.

    Raises:
        ConfigError: with everything that is wrong, each with its line.
    """
    text = read_text(path)
    recipe, found = _validated(parse(text, path))
    if recipe is None or found:
        raise ConfigError(located(found, text, path))
    return recipe, text


def of_document(document: dict[str, Any], called: str) -> Recipe:
    """A recipe that stands in no file, as one that is made of arguments; errors as above."""
    recipe, found = _validated(document)
    if recipe is None or found:
        raise ConfigError(Problem(called, None, dotted(each.key), each.text) for each in found)
    return recipe


def _validated(document: dict[str, Any]) -> tuple[Recipe | None, list[Finding]]:
    try:
        recipe = Recipe.model_validate(document)
    except ValidationError as error:
        return None, list(findings(error.errors(include_url=False), document, schema()))
    return recipe, _check_names(recipe) or _check_steps(recipe)


def _check_names(recipe: Recipe) -> list[Finding]:
    """Each step has a name of its own, and names only steps before it."""
    found: list[Finding] = []
    known: list[str] = []
    for place, step in enumerate(recipe.steps):
        key: Key = ("steps", place)
        if step.name in known:
            found.append(
                Finding(
                    (*key, "name"),
                    f"'{step.name}' is there twice; each step needs a name of its own",
                )
            )
        for name, word in ((step.source, "from"), (teacher_of(step), "teacher")):
            if name is not None and name not in known:
                found.append(Finding((*key, word), _unknown(name, known)))
        known.append(step.name)
    for name, word in ((recipe.baseline, "baseline"), (recipe.result, "result")):
        if name is not None and name not in known:
            found.append(Finding((word,), _unknown(name, known)))
    return found


def _unknown(name: str, known: list[str]) -> str:
    if not known:
        return f"'{name}' is no step before this one; there is none before the first"
    meant = closest(name, known)
    hint = f"did you mean '{meant}'?" if meant else f"known: {', '.join(known)}"
    return f"'{name}' is no step before this one; {hint}"


def _check_steps(recipe: Recipe) -> list[Finding]:
    """Weights that are rounded cannot be trained, pruned or rounded once more."""
    found: list[Finding] = []
    rounded = {step.name for step in recipe.steps if _rounds(step)}
    for place, step in enumerate(recipe.steps):
        source = recipe.source_of(step)
        if source is None and step.do != "train" and recipe.model.start is None:
            text = "takes the start's weights, and there are none; name a start, or train first"
            found.append(Finding(("steps", place), text))
        if source in rounded:
            text = f"takes the model of '{source}', which is quantized; from = a step that is not"
            found.append(Finding(("steps", place), text))
    return found


def _rounds(step: Step) -> bool:
    if isinstance(step, QuantizeStep):
        return step.to is not Quantized.FLOAT32
    return isinstance(step, QatStep)
