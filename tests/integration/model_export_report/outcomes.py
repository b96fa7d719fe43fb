"""What came of recipes: of a real classifier, and of a detector that nobody has trained."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np

from edge_runtime.inference.model import ModelSettings
from model_export.benchmark import Benchmark, Figures, Invoke, benchmark
from model_export.comparison import BoxCounts, Comparison, Disagreement, compare
from model_export.datasets.coco import read_coco
from model_export.datasets.crops import crops
from model_export.datasets.samples import LabelledPictures
from model_export.detection_evaluation import BoxQuality, DetectorQuality, evaluate_detector
from model_export.evaluation import evaluate_classifier
from model_export.recipes.outcome import Check, DataOutcome, RecipeOutcome, StepOutcome
from model_export.training.loop import Epoch, Score

RANGE = (0.0, 1.0)
"""What vww_96 was trained with."""

RECIPE = """\
[recipe]
name = "persons"

[[step]]
name = "float"
do = "train"
"""

CARD = """\
# Persons at a counter

Finds a person in a picture of 96 x 96 pixels.

| use | no use |
|---|---|
| is somebody there? | who is it? |
"""


def labelled_crops(data_dir: Path) -> LabelledPictures:
    """Crops of persons and of background."""
    folder = data_dir / "images" / "coco128_person"
    return crops(read_coco(folder / "annotations.json", folder / "images"))


def epochs(count: int) -> tuple[Epoch, ...]:
    return tuple(
        Epoch(n, 0.7 / n + 0.2, Score(0.75 / n + 0.25 + 0.01 * n, 1 - 0.4 / n))
        for n in range(1, count + 1)
    )


def classifier_outcome(data_dir: Path, *, runs: int = 5) -> RecipeOutcome:
    """The published person classifier, in float and in int8, as a recipe would have made them."""
    models = data_dir / "models"
    paths = {"float": models / "vww_96_float.tflite", "int8": models / "vww_96_int8.tflite"}
    settings = {
        name: ModelSettings(path, range=RANGE, labels=("background", "person"))
        for name, path in paths.items()
    }
    data = labelled_crops(data_dir)
    measured = benchmark(tuple(paths.values()), runs=runs, threads=2)
    against = compare(settings["float"], settings["int8"], data_dir / "images" / "coco128_person")
    steps = tuple(
        StepOutcome(
            name=name,
            action=action,
            source=source,
            summary=summary,
            note="",
            model=paths[name],
            seconds=seconds,
            reused=action == "train",
            epochs=epochs(12) if action == "train" else (),
            quality=evaluate_classifier(settings[name], data),
            figures=figures,
            against_baseline=against if source else None,
            edgetpu=edgetpu,
        )
        for (name, action, source, summary, seconds, edgetpu), figures in zip(
            (
                ("float", "train", None, "trained in 12 epochs, then converted", 212.4,
                 "Coral's compiler would refuse this model: its values are float32"),
                ("int8", "quantize", "float", "int8, calibrated with 200 pictures", 1.3,
                 "the Edge TPU would run all 31 operators"),
            ),
            measured.models,
            strict=True,
        )
    )  # fmt: skip
    return RecipeOutcome(
        name="persons",
        finished=datetime(2026, 11, 23, 14, 5, 9, tzinfo=UTC),
        recipe=RECIPE,
        recipe_sha256=sha256(RECIPE.encode()).hexdigest(),
        seed=7,
        baseline="float",
        result="int8",
        steps=steps,
        checks=(
            Check("max_accuracy_drop", 0.02, 0.0041, True, ""),
            Check("max_size", 400_000, steps[1].figures.bytes, True, ""),
        ),
        benchmark=measured,
        data=DataOutcome(
            sha256=sha256(b"pictures").hexdigest(),
            classes=data.classes,
            counts={
                "train": {"background": 900, "person": 1100},
                "validation": {"background": 90, "person": 110},
                "test": dict(data.counts()),
            },
        ),
        tools={"keras": "3.15.0", "ai-edge-quantizer": "0.10.1"},
        card=CARD,
        bundle=Path("persons-3.bundle"),
    )


def photos_outcome(data_dir: Path, made_up: RecipeOutcome) -> RecipeOutcome:
    """The same steps, with what a published detector of persons is worth."""
    folder = data_dir / "images" / "coco128_person"
    data = read_coco(folder / "annotations.json", folder / "images")
    settings = ModelSettings(
        data_dir / "models" / "ssd_mobilenet_v1_coco_quant_300.tflite",
        labels=data_dir / "labels" / "coco_labels.txt",
    )
    quality = evaluate_detector(settings, data.at(range(48)))
    steps = tuple(replace(step, quality=quality) for step in made_up.steps)
    counts = {"test": {"person": quality.boxes}}
    learned = DataOutcome(made_up.data.sha256, data.classes, counts)
    return replace(made_up, steps=steps, data=learned)


def detector_outcome(folder: Path) -> RecipeOutcome:
    """Six steps of a detector, all figures made up."""
    made = (
        ("float", "train", None, 0.412, 0.231, 4_600_000, 21.0, "trained in 40 epochs", ""),
        ("half", "prune", "float", 0.405, 0.224, 2_500_000, 9.3,
         "channels pruned to 50% of the MACs, then 20 epochs with the whole as teacher", ""),
        ("quarter", "prune", "half", 0.371, 0.199, 1_300_000, 5.4,
         "channels pruned to 25% of the MACs", ""),
        ("zeros", "prune", "half", 0.398, 0.219, 2_500_000, 9.2,
         "80% of the weights set to 0", "a smaller download, no speed"),
        ("half-int8", "quantize", "half", 0.401, 0.221, 720_000, 4.1,
         "int8, calibrated with 200 pictures", ""),
        ("quarter-int8", "quantize", "quarter", 0.362, 0.192, 400_000, 2.6,
         "int8, calibrated with 200 pictures", ""),
    )  # fmt: skip
    steps = tuple(_detector_step(folder, row) for row in made)
    return RecipeOutcome(
        name="heads",
        finished=datetime(2026, 11, 23, 14, 5, 9, tzinfo=UTC),
        recipe=RECIPE,
        recipe_sha256=sha256(RECIPE.encode()).hexdigest(),
        seed=7,
        baseline="float",
        result="half-int8",
        steps=steps,
        checks=(
            Check("max_accuracy_drop", 0.01, 0.011, False,
                  "half lost most of it: 0.7 points of AP50 against float"),
        ),
        benchmark=Benchmark("LiteRT 2.3.0", "Cortex-A72", 4, tuple(s.figures for s in steps)),
        data=DataOutcome(
            sha256=sha256(b"boxes").hexdigest(),
            classes=("person", "face"),
            counts={"train": {"person": 9000, "face": 3000}, "test": {"person": 900, "face": 310}},
        ),
        tools={"keras": "3.15.0"},
        card="",
        bundle=None,
    )  # fmt: skip


def _detector_step(
    folder: Path, row: tuple[str, str, str | None, float, float, int, float, str, str]
) -> StepOutcome:
    name, action, source, ap50, ap, size, p50, summary, note = row
    path = folder / f"{name}.tflite"
    overall = BoxQuality(ap, ap50, ap * 0.9, 0.04, ap * 0.8, ap * 1.5, ap * 1.4)
    return StepOutcome(
        name=name,
        action=action,
        source=source,
        summary=summary,
        note=note,
        model=path,
        seconds=37.0 * p50,
        reused=False,
        epochs=epochs(40) if action == "train" else (),
        quality=DetectorQuality(
            model=str(path),
            sha256=sha256(name.encode()).hexdigest(),
            pictures=542,
            boxes=1210,
            overall=overall,
            classes={"person": overall, "face": replace(overall, ap_small=None)},
        ),
        figures=Figures(
            path=path,
            bytes=size,
            gzip_bytes=int(size * (0.4 if note else 0.92)),
            parameters=size // 4,
            macs=size * 90,
            arena_bytes=1_900_000,
            invokes=tuple(
                Invoke(n, 100, p50 / n**0.5, p50 / n**0.5 * 1.3, p50 / n**0.5 / 21)
                for n in (1, 2, 4)
            ),
        ),
        against_baseline=None
        if source is None
        else Comparison(
            a=folder / "float.tflite",
            b=path,
            kind="ssd",
            pictures=542,
            agreement=0.95,
            largest_difference=float(np.float32(0.3)),
            mean_difference=0.01,
            boxes=BoxCounts(800, 790, 755, 0.93),
            disagreements=(Disagreement("/data/7.jpg", "person 0.91, face 0.40", "nothing", 0.91),),
        ),
        edgetpu="the Edge TPU would run 61 of the 64 operators, the CPU the others",
    )
