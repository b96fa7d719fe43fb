"""Commands that make models."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from model_export.commands.app import app
from model_export.commands.options import (
    RESIZE_HELP,
    Json,
    PixelRange,
    choice,
    print_json,
    progress_bar,
    progress_steps,
)

if TYPE_CHECKING:
    from model_export.weights import Trained


@app.command(
    epilog="Example: edge-export quantize model.h5 --to int8 --calibrate photos/ --range 0 1 "
    "--out int8.tflite"
)
def quantize(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            show_default=False,
            help=".npz, Keras .h5 or .keras, a SavedModel folder, or a float .tflite.",
        ),
    ],
    *,
    to: Annotated[str, typer.Option(help="float32, float16, dynamic, int8 or int16x8.")],
    out: Annotated[Path, typer.Option(metavar="FILE.tflite", help="The file to write.")],
    io: Annotated[
        str | None,
        typer.Option(help="Of an int8 model: int8 (as it is without this), uint8 or float32."),
    ] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Pictures, best in one folder a class; none to be tested on."
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="So many pictures are taken of these.")] = 200,
    seed: Annotated[int, typer.Option(help="For which pictures are taken.")] = 0,
    keep_float: Annotated[
        list[str] | None,
        typer.Option(metavar="LAYER", help="A layer to leave in float; may be repeated."),
    ] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Measure also what each layer loses alone.")
    ] = False,
    resize: Annotated[str, typer.Option(help=RESIZE_HELP)] = "stretch",
    colour: Annotated[str, typer.Option(help="rgb or bgr; a grey input is seen.")] = "rgb",
    pixel_range: PixelRange = None,
    as_json: Json = False,
) -> None:
    """Make a smaller and faster model: float16, dynamic, int8 or int16x8."""
    from edge_runtime.inference.preprocess import Colour, Resize
    from model_export.compression import CalibrationSource, quantize_model
    from model_export.quantization import Io, Precision, Quantization

    if calibrate is None and pixel_range is not None:
        raise typer.BadParameter("it is what calibration pictures need: --calibrate is missing")
    precision = choice(Precision, to, "--to")
    usual = Io.INT8 if precision is Precision.INT8 else Io.FLOAT32
    how = Quantization(
        precision, usual if io is None else choice(Io, io, "--io"), tuple(keep_float or ())
    )
    pictures = None
    if calibrate is not None:
        pictures = CalibrationSource(
            calibrate,
            pixel_range,
            choice(Resize, resize, "--resize"),
            choice(Colour, colour, "--colour"),
            count,
            seed,
        )
    with progress_bar("quantizing", quiet=as_json) as progress:
        made = quantize_model(model, out, how, pictures, with_layers=layers, progress=progress)
    if as_json:
        print_json(made.as_dict())
    else:
        from model_export import tables

        tables.show(*tables.quantized(made))


Data = Annotated[
    Path,
    typer.Option(
        metavar="FOLDER", help="One folder a class; with --annotations the pictures that it lists."
    ),
]
Annotations = Annotated[
    Path | None, typer.Option(metavar="COCO.json", help="Boxes in COCO's JSON, for a detector.")
]
TrainOnly = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Files that are not validated with; may be repeated."),
]
NetworkFile = Annotated[
    Path, typer.Option(metavar="NAME.npz", help="The network to write, with its weights.")
]
EpochCount = Annotated[int, typer.Option(min=1, help="At most so many.")]
LearningRate = Annotated[float, typer.Option(help="The highest.")]
BatchSize = Annotated[int, typer.Option(min=2, help="Pictures a step.")]
ImbalanceOf = Annotated[
    str, typer.Option("--imbalance", help="For rare classes: weights, sampling or none.")
]
AugmentationOf = Annotated[
    str, typer.Option("--augmentation", help="branch (what cameras in branches do), or none.")
]
ComputedIn = Annotated[
    str, typer.Option("--precision", help="float32; on GPUs mixed_bfloat16 or mixed_float16.")
]
Seed = Annotated[int, typer.Option(min=0, help="Decides all that is left to chance.")]


@app.command(
    epilog="Example: edge-export train --data faces/ --family mobilenet_v2 --size 96 "
    "--start mobilenet_v2.tflite --out faces.npz"
)
def train(
    *,
    data: Data,
    size: Annotated[int, typer.Option(min=32, help="The input picture's side in pixels.")],
    out: NetworkFile,
    annotations: Annotations = None,
    train_only: TrainOnly = None,
    family: Annotated[
        str | None,
        typer.Option(
            help="mobilenet_v1, mobilenet_v2, mobilenet_v3_small, mobilenet_v3_large or the last "
            "two with _minimalistic; without, that of --start."
        ),
    ] = None,
    alpha: Annotated[float, typer.Option(help="All channels are multiplied by it.")] = 1.0,
    grey: Annotated[bool, typer.Option("--grey", help="The network sees no colours.")] = False,
    start: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL", help="Weights: .npz, .h5, .keras, SavedModel or .tflite; else random."
        ),
    ] = None,
    pixel_range: PixelRange = None,
    teacher: Annotated[
        Path | None, typer.Option(metavar="NAME.npz", help="A larger network to learn from, too.")
    ] = None,
    head_epochs: Annotated[
        int, typer.Option(min=0, help="Before it, of what is new alone; 0: none.")
    ] = 2,
    epochs: EpochCount = 20,
    learning_rate: LearningRate = 0.001,
    batch: BatchSize = 32,
    imbalance: ImbalanceOf = "weights",
    augmentation: AugmentationOf = "branch",
    precision: ComputedIn = "float32",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Train a MobileNet on pictures: a classifier, or an SSDLite detector.

    A part of the pictures, chosen so that near-duplicates stay together, is kept to stop by; which
    one depends on the seed. A recipe (edge-export run) measures with a third part, too.
    """
    from model_export.weights import load

    step = {
        "do": "train",
        "name": "train",
        "epochs": epochs,
        "learning_rate": learning_rate,
        "batch": batch,
        "imbalance": imbalance,
        "augmentation": _augmentation(augmentation),
        "precision": precision,
    }
    if head_epochs:
        step["head"] = {"epochs": head_epochs}
    model = {
        "size": size,
        "alpha": alpha,
        "colour": "grey" if grey else "rgb",
        "family": family,
        "start": None if start is None else str(start),
        "range": pixel_range,
    }
    _one_step(
        step,
        model,
        (data, annotations, train_only),
        out,
        seed=seed,
        teacher=None if teacher is None else load(teacher),
        as_json=as_json,
    )


@app.command(
    epilog="Example: edge-export prune faces.npz --macs 0.5 --data faces/ --out faces-half.npz"
)
def prune(
    network: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", show_default=False, help=".npz, .h5, .keras, SavedModel or .tflite."
        ),
    ],
    *,
    data: Data,
    out: NetworkFile,
    annotations: Annotations = None,
    train_only: TrainOnly = None,
    macs: Annotated[
        float | None,
        typer.Option(help="Remove channels until so much is left of the multiply-accumulates."),
    ] = None,
    latency: Annotated[
        float | None, typer.Option(help="The same for the time, measured on this machine.")
    ] = None,
    sparsity: Annotated[
        float | None,
        typer.Option(help="Make this share of the weights zero: a smaller download, no speed."),
    ] = None,
    two_of_four: Annotated[
        bool, typer.Option("--2:4", help="Make two of each four weights zero: no speed either.")
    ] = False,
    importance: Annotated[
        str, typer.Option(help="What tells how much a channel matters: scale or l1.")
    ] = "scale",
    pixel_range: PixelRange = None,
    epochs: EpochCount = 20,
    learning_rate: LearningRate = 0.001,
    batch: BatchSize = 32,
    imbalance: ImbalanceOf = "weights",
    augmentation: AugmentationOf = "branch",
    precision: ComputedIn = "float32",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Make a network smaller, and train it again with the whole one as its teacher."""
    from model_export.networks import open_network

    if [macs is None, latency is None, sparsity is None, not two_of_four].count(False) != 1:
        raise typer.BadParameter("one of --macs, --latency, --sparsity and --2:4 is needed")
    method = "2:4" if two_of_four else "magnitude" if sparsity is not None else "channels"
    step = {
        "do": "prune",
        "name": "prune",
        "method": method,
        "macs": macs,
        "latency": latency,
        "sparsity": sparsity,
        "importance": importance,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "batch": batch,
        "imbalance": imbalance,
        "augmentation": _augmentation(augmentation),
        "precision": precision,
    }
    picture = open_network(network, pixel_range).network.backbone.input
    model = {
        "size": picture.width,
        "height": picture.height,
        "colour": "rgb" if picture.channels == 3 else "grey",
        "start": str(network),
        "range": pixel_range,
    }
    _one_step(
        step, model, (data, annotations, train_only), out, seed=seed, teacher=None, as_json=as_json
    )


def _augmentation(named: str) -> dict[str, float] | None:
    """As a recipe has it: what branches do is its default."""
    if named not in ("branch", "none"):
        raise typer.BadParameter(
            f"{named!r} is not one of branch, none", param_hint="--augmentation"
        )
    return None if named == "branch" else {}


def _one_step(
    step: dict[str, Any],
    model: dict[str, Any],
    data: tuple[Path, Path | None, list[str] | None],
    out: Path,
    *,
    seed: int,
    teacher: Trained | None,
    as_json: bool,
) -> None:
    """Do what a recipe of one step would, and write the network."""
    from model_export.architectures.channels import macs, parameters
    from model_export.recipes.run import single_step
    from model_export.weights import save
    from model_export.writing import require_folder

    folder, annotations, train_only = data
    document = {
        "name": "network",
        "seed": seed,
        "data": {
            "folder": str(folder),
            "annotations": None if annotations is None else str(annotations),
            "train_only": train_only or [],
        },
        "model": model,
        "steps": [step],
    }
    require_folder(out)
    with progress_steps(quiet=as_json) as tell:
        result = single_step(document, teacher, tell)
    assert result.network is not None  # neither step quantizes
    save(out, result.network)
    network = result.network.network
    if as_json:
        print_json(
            {
                "network": out,
                "summary": result.summary,
                "note": result.note,
                "macs": macs(network),
                "parameters": parameters(network),
                "epochs": [asdict(epoch) for epoch in result.epochs],
            }
        )
        return
    best = max((epoch.validation.accuracy for epoch in result.epochs), default=0.0)
    typer.echo(
        f"{out}: {result.summary}; best validation {best:.1%}; {parameters(network):,} parameters, "
        f"{macs(network):,} MACs"
    )
    if result.note:
        typer.echo(f"good for: {result.note}")
