"""Commands that sign what goes to the boards."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from model_export.commands.app import app
from model_export.commands.options import (
    OUTPUT_HELP,
    RESIZE_HELP,
    Demonstration,
    Json,
    KeyFile,
    Model,
    PassphraseFile,
    PixelRange,
    choice,
    passphrase,
    print_json,
    signing_key,
)


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

    pair = make_key(key, passphrase(passphrase_file, confirm=True))
    if as_json:
        print_json(asdict(pair))
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
    key: KeyFile = None,
    demonstration: Demonstration = False,
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
    output: Annotated[str, typer.Option(help=OUTPUT_HELP)] = "auto",
    resize: Annotated[str | None, typer.Option(help=RESIZE_HELP)] = None,
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
    from model_export import bundling

    signer = signing_key(key, passphrase_file, demonstration=demonstration)
    if signer is None:
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
        resize=None if resize is None else choice(Resize, resize, "--resize"),
        colour=choice(Colour, colour, "--colour"),
        range=pixel_range,
        threshold=threshold,
        quality=dict(map(_quality, quality or ())),
        data=data,
        recipe=recipe,
        description=description,
        licence=licence,
    )
    made = bundling.make_bundle(parts, signer, out)
    if as_json:
        print_json({"bundle": made, "key_id": signer.key_id})
    else:
        typer.echo(f"{made}, signed by {signer.key_id}")


def _quality(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        return name, float(number)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not NAME=NUMBER, as accuracy=0.97 is", param_hint="--quality"
        ) from None
