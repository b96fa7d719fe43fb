"""What came of a recipe: each step's model and what it is worth, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from model_export.benchmark import Benchmark, Figures
from model_export.comparison import Comparison
from model_export.detection_evaluation import DetectorQuality
from model_export.evaluation import ClassifierQuality
from model_export.training.loop import Epoch

Quality = ClassifierQuality | DetectorQuality


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """One step of a recipe, done.

    Attributes:
        name: as the recipe calls it.
        action: what it did: train, prune, quantize or qat.
        source: the name of the step whose model it took; None: that of the recipe's start.
        summary: what it did, in words, as ``channels pruned to 50% of the MACs``.
        note: what is to be known of its model wherever it is shown, as that zeros bring a smaller
            download and no speed; "" where there is nothing.
        model: its .tflite file.
        seconds: how long it took when it was done.
        reused: whether it was done in an earlier run.
        epochs: of its training; empty: it has none.
        quality: of its model on the test pictures, as a board runs it.
        figures: of its model, measured with all others in one run.
        against_baseline: its model's answers beside the baseline's; None for the baseline.
        edgetpu: what an Edge TPU would run of it, in a sentence.
    """

    name: str
    action: str
    source: str | None
    summary: str
    note: str
    model: Path
    seconds: float
    reused: bool
    epochs: tuple[Epoch, ...]
    quality: Quality
    figures: Figures
    against_baseline: Comparison | None
    edgetpu: str

    @property
    def accuracy(self) -> float:
        """What the gate holds it to: a classifier's accuracy, a detector's AP50; 0..1."""
        return accuracy_of(self.quality)


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of the gate.

    Attributes:
        what: its key in the recipe, as ``max_accuracy_drop``.
        limit, found: what is allowed, and what is.
        met: whether it holds.
        blame: where it does not: the step that lost it, and how, in a sentence; else "".
    """

    what: str
    limit: float
    found: float
    met: bool
    blame: str


@dataclass(frozen=True, slots=True)
class DataOutcome:
    """The data of a recipe.

    Attributes:
        sha256: over names and contents of all pictures and labels.
        classes: their names.
        counts: for each split (train, validation, test) and class, how many pictures, or boxes.
    """

    sha256: str
    classes: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class RecipeOutcome:
    """All of it.

    Attributes:
        name: the recipe's.
        finished: when.
        recipe: the recipe's text.
        recipe_sha256: its hash.
        seed: what decided by chance.
        baseline, result: the names of the step that the others are compared with, and of the one
            whose model goes to boards.
        steps: in the order of the recipe.
        checks: the gate; empty: the recipe has none.
        benchmark: on what the figures were measured, and of which models.
        data: what it learned from and was measured on.
        tools: versions of what made the models, by name.
        card: the model card, Markdown; "" where the recipe has none.
        bundle: the signed bundle; None: none was made.
    """

    name: str
    finished: datetime
    recipe: str
    recipe_sha256: str
    seed: int
    baseline: str
    result: str
    steps: tuple[StepOutcome, ...]
    checks: tuple[Check, ...]
    benchmark: Benchmark
    data: DataOutcome
    tools: Mapping[str, str]
    card: str
    bundle: Path | None

    @property
    def passed(self) -> bool:
        """Whether the gate lets the result through."""
        return all(check.met for check in self.checks)

    def step(self, name: str) -> StepOutcome:
        """The step of that name."""
        return next(step for step in self.steps if step.name == name)


def accuracy_of(quality: Quality) -> float:
    """A classifier's accuracy, a detector's AP50; 0..1."""
    value = (
        quality.accuracy.value if isinstance(quality, ClassifierQuality) else quality.overall.ap50
    )
    return value or 0.0
