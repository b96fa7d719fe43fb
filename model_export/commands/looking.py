"""Commands that look at models, and measure them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from edge_runtime.errors import EdgeRuntimeError
from model_export.commands.app import app
from model_export.commands.options import (
    OUTPUT_HELP,
    RESIZE_HELP,
    Json,
    Model,
    PixelRange,
    choice,
    print_json,
    progress_bar,
)


@app.command(epilog="Example: edge-export inspect model.tflite --json")
def inspect(model: Model, as_json: Json = False) -> None:
    """Say what is in a model, and what it costs by layer.

    Inputs and outputs, operators, weights by type, multiplications, number format and zeros of
    each layer, labels and normalisation, and what an Edge TPU would run.
    """
    from model_export.inspection import inspect as inspect_model

    found = inspect_model(model)
    if as_json:
        print_json(found.as_dict())
    else:
        from model_export import tables

        tables.show(*tables.inspection(found))


@app.command(epilog="Example: edge-export edgetpu model.tflite --out build/")
def edgetpu(
    model: Model,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FOLDER", help="Where the compiled file goes; else beside the model."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compile for the Edge TPU; say what stays on the CPU.

    Where edgetpu_compiler is not on PATH, print the commands that bring and run it, and fail.
    """
    from model_export import edgetpu_compiler, tflite_graph
    from model_export.edgetpu import check

    folder = out or model.parent
    verdict = check(tflite_graph.read(model))
    made, problem = None, None
    try:
        made = edgetpu_compiler.compile_model(model, folder)
    except EdgeRuntimeError as error:
        problem = error
    missing = isinstance(problem, edgetpu_compiler.CompilerMissingError)
    commands = edgetpu_compiler.how_to(model, folder) if missing else ()
    if as_json:
        print_json(
            {
                "expected": verdict.as_dict(),
                "compiled": made.as_dict() if made else None,
                "to_run": commands,
            }
        )
    else:
        from model_export import tables

        tables.show(*tables.verdict(model, verdict), *(tables.compiled(made) if made else ()))
    if problem:
        if not as_json:
            sys.stdout.flush()
        typer.echo(f"edge-export: {problem}", err=True)
        for command in () if as_json else commands:
            typer.echo(f"  {command}", err=True)
        raise typer.Exit(1)


@app.command(epilog="Example: edge-export bench float.tflite int8.tflite --threads 2")
def bench(
    models: Annotated[list[Path], typer.Argument(metavar="MODEL.tflite...", show_default=False)],
    runs: Annotated[
        int, typer.Option(min=1, help="Timed inferences, for each thread count.")
    ] = 100,
    threads: Annotated[int, typer.Option(min=1, help="Measure on 1, 2 ... so many threads.")] = 1,
    as_json: Json = False,
) -> None:
    """Weigh models and time them, side by side.

    Bytes of the file and of its compressed download, parameters, multiply-accumulates, tensor
    arena, and the time of one inference, for which the models take turns in one run.
    """
    from model_export.benchmark import benchmark

    with progress_bar("measuring", quiet=as_json) as progress:
        found = benchmark(models, runs=runs, threads=threads, progress=progress)
    if as_json:
        print_json(found.as_dict())
    else:
        from model_export import tables

        tables.show(*tables.benchmark(found))


@app.command(
    epilog="Example: edge-export compare float.tflite int8.tflite --images photos/ --range 0 1"
)
def compare(
    a: Annotated[Path, typer.Argument(metavar="A.tflite", show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B.tflite", show_default=False)],
    *,
    images: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Pictures, also in folders in it.")
    ],
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Class names, one a line.")
    ] = None,
    threshold: Annotated[float, typer.Option(help="The score from which a box counts.")] = 0.5,
    output: Annotated[str, typer.Option(help=OUTPUT_HELP)] = "auto",
    resize: Annotated[str | None, typer.Option(help=RESIZE_HELP)] = None,
    colour: Annotated[str, typer.Option(help="rgb or bgr; a grey input is seen.")] = "rgb",
    pixel_range: PixelRange = None,
    as_json: Json = False,
) -> None:
    """Say how often two models agree on pictures.

    Classifiers: by their first class. Detectors: by boxes of one class that overlap by half.
    """
    from edge_runtime.inference.model import ModelSettings
    from edge_runtime.inference.preprocess import Colour, Resize
    from model_export.comparison import compare as compare_models

    def settings(path: Path) -> ModelSettings:
        return ModelSettings(
            path,
            labels=labels,
            threshold=threshold,
            output=output,
            resize=None if resize is None else choice(Resize, resize, "--resize"),
            colour=choice(Colour, colour, "--colour"),
            range=pixel_range,
        )

    with progress_bar("comparing", quiet=as_json) as progress:
        found = compare_models(settings(a), settings(b), images, progress=progress)
    if as_json:
        print_json(found.as_dict())
    else:
        from model_export import tables

        tables.show(*tables.comparison(found))


@app.command(
    epilog="Example: edge-export evaluate int8.tflite --data test/ --labels labels.txt --range 0 1"
)
def evaluate(
    model: Model,
    *,
    data: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            help="One folder a class; with --annotations the pictures that it lists.",
        ),
    ],
    annotations: Annotated[
        Path | None,
        typer.Option(metavar="COCO.json", help="Boxes in COCO's JSON, to evaluate a detector."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Class names, one a line; without, folders count by name."
        ),
    ] = None,
    threshold: Annotated[float, typer.Option(help="The score from which it is a yes.")] = 0.5,
    output: Annotated[str, typer.Option(help=OUTPUT_HELP)] = "auto",
    resize: Annotated[str | None, typer.Option(help=RESIZE_HELP)] = None,
    colour: Annotated[str, typer.Option(help="rgb or bgr; a grey input is seen.")] = "rgb",
    pixel_range: PixelRange = None,
    seed: Annotated[int, typer.Option(help="For the confidence intervals.")] = 0,
    as_json: Json = False,
) -> None:
    """Measure a model on labelled pictures as a board runs it, and say how sure that is."""
    from edge_runtime.inference.model import ModelSettings
    from edge_runtime.inference.preprocess import Colour, Resize
    from model_export.quality import measure

    settings = ModelSettings(
        model,
        labels=labels,
        threshold=threshold,
        output=output,
        resize=None if resize is None else choice(Resize, resize, "--resize"),
        colour=choice(Colour, colour, "--colour"),
        range=pixel_range,
    )
    with progress_bar("evaluating", quiet=as_json) as progress:
        found = measure(settings, data, annotations, seed=seed, progress=progress)
    if as_json:
        print_json(found.as_dict())
    else:
        from model_export import tables

        tables.show(*tables.quality(found))
