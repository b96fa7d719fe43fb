"""edge-export: reads arguments, calls the toolchain, shows what comes back.

Everything heavy is imported where it is used, so that ``--help`` answers at once.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.main import get_command

from edge_runtime import __version__
from edge_runtime.errors import EdgeRuntimeError

_OUTPUT_HELP = "Kind of output: auto, ssd, classifier, yolo, blazeface."
_RESIZE_HELP = "stretch or letterbox."

Choice = TypeVar("Choice", bound=StrEnum)

app = typer.Typer(
    name="edge-export",
    help="Makes models ready for the boards, and proves what that cost.",
    epilog="Example: edge-export inspect model.tflite",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,  # sentences in boxes can be neither copied nor searched for
)

Model = Annotated[Path, typer.Argument(metavar="MODEL.tflite", show_default=False)]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The passphrase in its first line; else it is asked for."),
]
PixelRange = Annotated[
    tuple[float, float] | None,
    typer.Option("--range", help="What black and white are in the input: 0 1 or -1 1."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object and nothing else.")]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0 well, 1 a problem that was told, 2 wrong usage."""
    arguments = None if argv is None else list(argv)
    try:
        get_command(app).main(arguments, "edge-export")
    except EdgeRuntimeError as error:
        typer.echo(f"edge-export: {error}", err=True)
        return 1
    except SystemExit as end:  # which is how typer ends, well or after it told of wrong usage
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


@app.callback()
def _common(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"edge-export {__version__}")
        raise typer.Exit


@app.command(epilog="Example: edge-export inspect model.tflite --json")
def inspect(model: Model, as_json: Json = False) -> None:
    """Say what is in a model, and what it costs by layer.

    Inputs and outputs, operators, weights by type, multiplications, number format and zeros of
    each layer, labels and normalisation, and what an Edge TPU would run.
    """
    from model_export.inspection import inspect as inspect_model

    found = inspect_model(model)
    if as_json:
        _print_json(found.as_dict())
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
        _print_json(
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

    with _progress("measuring", quiet=as_json) as progress:
        found = benchmark(models, runs=runs, threads=threads, progress=progress)
    if as_json:
        _print_json(found.as_dict())
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
    output: Annotated[str, typer.Option(help=_OUTPUT_HELP)] = "auto",
    resize: Annotated[str | None, typer.Option(help=_RESIZE_HELP)] = None,
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
            resize=None if resize is None else _choice(Resize, resize, "--resize"),
            colour=_choice(Colour, colour, "--colour"),
            range=pixel_range,
        )

    with _progress("comparing", quiet=as_json) as progress:
        found = compare_models(settings(a), settings(b), images, progress=progress)
    if as_json:
        _print_json(found.as_dict())
    else:
        from model_export import tables

        tables.show(*tables.comparison(found))


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
            help="Keras .h5 or .keras, a SavedModel folder, or a float .tflite.",
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
    resize: Annotated[str, typer.Option(help=_RESIZE_HELP)] = "stretch",
    colour: Annotated[str, typer.Option(help="rgb or bgr; a grey input is seen.")] = "rgb",
    pixel_range: PixelRange = None,
    as_json: Json = False,
) -> None:
    """Make a smaller and faster model: float16, dynamic, int8 or int16x8."""
    from edge_runtime.inference.preprocess import Colour, Resize
    from model_export.compression import CalibrationSource, quantize_model
    from model_export.quantization import Io, Precision, Quantization

    if (calibrate is None) != (pixel_range is None):
        raise typer.BadParameter(
            "--calibrate needs --range (what black and white are for the model), and the other "
            "way round"
        )
    precision = _choice(Precision, to, "--to")
    usual = Io.INT8 if precision is Precision.INT8 else Io.FLOAT32
    how = Quantization(
        precision, usual if io is None else _choice(Io, io, "--io"), tuple(keep_float or ())
    )
    pictures = None
    if calibrate is not None and pixel_range is not None:
        pictures = CalibrationSource(
            calibrate,
            pixel_range,
            _choice(Resize, resize, "--resize"),
            _choice(Colour, colour, "--colour"),
            count,
            seed,
        )
    with _progress("quantizing", quiet=as_json) as progress:
        made = quantize_model(model, out, how, pictures, with_layers=layers, progress=progress)
    if as_json:
        _print_json(made.as_dict())
    else:
        from model_export import tables

        tables.show(*tables.quantized(made))


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
    output: Annotated[str, typer.Option(help=_OUTPUT_HELP)] = "auto",
    resize: Annotated[str | None, typer.Option(help=_RESIZE_HELP)] = None,
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
        resize=None if resize is None else _choice(Resize, resize, "--resize"),
        colour=_choice(Colour, colour, "--colour"),
        range=pixel_range,
    )
    with _progress("evaluating", quiet=as_json) as progress:
        found = measure(settings, data, annotations, seed=seed, progress=progress)
    if as_json:
        _print_json(found.as_dict())
    else:
        from model_export import tables

        tables.show(*tables.quality(found))


@app.command(epilog="Example: edge-export keygen release.key")
def keygen(
    key: Annotated[Path, typer.Argument(metavar="NAME.key", show_default=False)],
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Make a key that signs bundles.

    NAME.key signs and is kept; NAME.pem goes to the devices that trust it.
    """
    from model_export.signing import keygen as make_key

    pair = make_key(key, _passphrase(passphrase_file, confirm=True))
    if as_json:
        _print_json(asdict(pair))
    else:
        typer.echo(f"key {pair.key_id}: {pair.private} signs, {pair.public} goes to the devices")


@app.command(
    epilog="Example: edge-export bundle model.tflite --name person --version 3 "
    "--labels labels.txt --golden lobby.jpg --key release.key --out dist/"
)
def bundle(
    model: Model,
    *,
    name: Annotated[str, typer.Option(help="The model's name through all its versions.")],
    version: Annotated[int, typer.Option(help="Higher than that of any bundle before it.")],
    labels: Annotated[Path, typer.Option(metavar="FILE", help="Class names, one a line.")],
    golden: Annotated[
        Path, typer.Option(metavar="PICTURE", help="Shows what is looked for; goes to each device.")
    ],
    key: Annotated[
        Path | None, typer.Option(metavar="NAME.key", help="Signs it; edge-export keygen makes it.")
    ] = None,
    demonstration: Annotated[
        bool, typer.Option("--demonstration", help="Sign with the key that is no secret.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the bundle goes.")] = Path(),
    edgetpu_model: Annotated[
        Path | None,
        typer.Option("--edgetpu", metavar="FILE", help="The same, compiled for the Edge TPU."),
    ] = None,
    card: Annotated[Path | None, typer.Option(metavar="FILE", help="Model card, Markdown.")] = None,
    recipe: Annotated[Path | None, typer.Option(metavar="FILE", help="What made it.")] = None,
    data: Annotated[str, typer.Option(help="What it was trained on, in words.")] = "not stated",
    quality: Annotated[
        list[str] | None, typer.Option(metavar="NAME=NUMBER", help="Measured; may be repeated.")
    ] = None,
    threshold: Annotated[float, typer.Option(help="The score from which something counts.")] = 0.5,
    output: Annotated[str, typer.Option(help=_OUTPUT_HELP)] = "auto",
    resize: Annotated[str | None, typer.Option(help=_RESIZE_HELP)] = None,
    colour: Annotated[str, typer.Option(help="rgb, bgr or grey.")] = "rgb",
    pixel_range: PixelRange = None,
    description: Annotated[str, typer.Option(help="For the model's metadata.")] = "",
    licence: Annotated[str, typer.Option(help="For the model's metadata.")] = "",
    as_json: Json = False,
) -> None:
    """Put a model into one signed file, and try it.

    With it go its labels, settings, what was measured, and a picture that each device tries the
    model on before it takes it.
    """
    from edge_runtime.inference.preprocess import Colour, Resize
    from model_export import bundling, signing

    if (key is None) != demonstration:
        raise typer.BadParameter(
            "this or --demonstration is needed, and not both", param_hint="--key"
        )
    parts = bundling.BundleParts(
        name=name,
        version=version,
        model=model,
        labels=labels,
        golden=golden,
        edgetpu=edgetpu_model,
        card=card,
        output=output,
        resize=None if resize is None else _choice(Resize, resize, "--resize"),
        colour=_choice(Colour, colour, "--colour"),
        range=pixel_range,
        threshold=threshold,
        quality=dict(map(_quality, quality or ())),
        data=data,
        recipe=recipe,
        description=description,
        licence=licence,
    )
    signing_key = (
        signing.demonstration_key()
        if key is None
        else signing.load_key(key, _passphrase(passphrase_file, confirm=False))
    )
    made = bundling.make_bundle(parts, signing_key, out)
    if as_json:
        _print_json({"bundle": made, "key_id": signing_key.key_id})
    else:
        typer.echo(f"{made}, signed by {signing_key.key_id}")


def _passphrase(file: Path | None, *, confirm: bool) -> str:
    """From the file's first line, else from whoever sits at the terminal."""
    from model_export.errors import ExportError

    if file is not None:
        try:
            return next(iter(file.read_text(encoding="utf-8").splitlines()), "")
        except UnicodeDecodeError as error:
            raise ExportError(f"the passphrase file {file} is not text in UTF-8") from error
        except OSError as error:
            raise ExportError(
                f"the passphrase file {file} cannot be read: {error.strerror}"
            ) from error
    if not sys.stdin.isatty():
        raise ExportError("there is no terminal to ask for a passphrase at: use --passphrase-file")
    return str(typer.prompt("passphrase", hide_input=True, confirmation_prompt=confirm, err=True))


def _quality(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        return name, float(number)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not NAME=NUMBER, as accuracy=0.97 is", param_hint="--quality"
        ) from None


def _choice(kind: type[Choice], value: str, option: str) -> Choice:
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(kind)
        raise typer.BadParameter(f"{value!r} is not one of {known}", param_hint=option) from None


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, default=str))


@contextlib.contextmanager
def _progress(what: str, *, quiet: bool) -> Iterator[Callable[[float], None]]:
    """A bar on standard error, where somebody looks at it."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share: bar.update(task, completed=share)


if __name__ == "__main__":
    sys.exit(main())
