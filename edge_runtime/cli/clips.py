"""The commands that look at clips and pictures with a model."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edge_runtime.cli.arguments import Commands, command, print_json


def add_replay(commands: Commands) -> None:
    """``edge-runtime replay``."""
    parser = command(
        commands,
        "replay",
        "analyse a clip or folder, every frame on its own time; print alerts as JSON lines",
        "edge-runtime replay clip.mp4 --presence person=1.0 --video out.mp4",
        _replay,
    )
    _add_clip(parser)
    parser.add_argument("--video", type=Path, metavar="OUT.mp4", help="draw it all to a video")
    parser.add_argument(
        "--json", action="store_true", help="only the JSON lines: no progress, no summary"
    )


def _replay(arguments: argparse.Namespace) -> int:
    from edge_runtime.service import clip
    from edge_runtime.service.replay import replay

    what = clip.replay_of(arguments)
    progress = not arguments.json and sys.stderr.isatty()
    summary = replay(
        what, lambda event: print(event.to_json(), flush=True), arguments.video, progress=progress
    )
    if not arguments.json:
        print(summary, file=sys.stderr)
    return 0


def add_score(commands: Commands) -> None:
    """``edge-runtime score``."""
    parser = command(
        commands,
        "score",
        "replay a clip and hold its alerts against the truth: precision, recall, F1, false alarms",
        "edge-runtime score clip.mp4 truth.json --config lobby.toml",
        _score,
    )
    _add_clip(parser)
    parser.add_argument(
        "truth", type=Path, metavar="TRUTH.json", help="what happens when (docs/truth.md)"
    )
    parser.add_argument(
        "--within",
        type=_positive,
        default=10.0,
        metavar="SECONDS",
        help="an alarm is true so long after an event's beginning (default 10)",
    )
    parser.add_argument(
        "--recall-bias",
        type=_positive,
        default=1.0,
        metavar="NUMBER",
        help="how much more a missed event weighs in F1 than a false alarm (default 1)",
    )
    parser.add_argument("--json", action="store_true", help="the figures as one JSON object")


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return number


def _score(arguments: argparse.Namespace) -> int:
    from edge_runtime.scoring.truth import read_truth
    from edge_runtime.service import clip, score

    truth = read_truth(arguments.truth)
    by = score.Measure(within=arguments.within, recall_bias=arguments.recall_bias)
    progress = not arguments.json and sys.stderr.isatty()
    report = score.measure(clip.replay_of(arguments), truth, by, progress=progress)
    if arguments.json:
        print_json(report.as_dict())
    else:
        print(report)
    return 0


def add_annotate(commands: Commands) -> None:
    """``edge-runtime annotate``."""
    parser = command(
        commands,
        "annotate",
        "print the draft of a truth file for `score`, from what the rules tell of a clip",
        "edge-runtime annotate clip.mp4 --config lobby.toml > truth.json",
        _annotate,
    )
    _add_clip(parser)
    parser.add_argument("--tracks", action="store_true", help="with the boxes of all tracks")
    parser.add_argument(
        "--sheet",
        type=Path,
        metavar="FILE",
        help="also draw the frames at which alerts were raised onto one picture (.png, .jpg)",
    )


def _annotate(arguments: argparse.Namespace) -> int:
    from edge_runtime.service import annotate, clip, ruling
    from edge_runtime.service.contact_sheet import EventSheet

    what = clip.replay_of(arguments)
    sheet = EventSheet(arguments.sheet, ruling.zones(what.camera)) if arguments.sheet else None
    text = annotate.draft(
        what,
        Path(arguments.clip).name,
        tracks=arguments.tracks,
        progress=sys.stderr.isatty(),
        sheet=sheet,
    )
    print(text, end="")
    if sheet:
        sheet.write()
        if sheet.left_out:
            print(f"{sheet.left_out} later moments have no room on the sheet", file=sys.stderr)
    print("this is what the rules believe: correct it before you score with it", file=sys.stderr)
    return 0


def add_detect(commands: Commands) -> None:
    """``edge-runtime detect``."""
    parser = command(
        commands,
        "detect",
        "say what a model sees in images: as a table, as JSON, or drawn",
        "edge-runtime detect lobby.jpg --model detector.tflite --labels labels.txt --draw out/",
        _detect,
    )
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    _add_model(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object an image, on a line")
    parser.add_argument(
        "--draw", type=Path, metavar="FOLDER", help="write the images with boxes into this folder"
    )


def _detect(arguments: argparse.Namespace) -> int:
    from edge_runtime.service import clip, detect

    model = clip.model_of(arguments)
    form = detect.as_json if arguments.json else detect.as_table
    for seen in detect.detect(arguments.images, model, arguments.draw):
        print(form(seen), flush=True)
    return 0


def add_bench(commands: Commands) -> None:
    """``edge-runtime bench``."""
    parser = command(
        commands,
        "bench",
        "measure each stage of a frame's way, from a clip or camera to the committed alert",
        "edge-runtime bench clip.mp4 --model detector.tflite --labels labels.txt --seconds 30",
        _bench,
    )
    parser.add_argument("clip", metavar="SOURCE", help="a clip, a folder or a camera's URL")
    _add_model(parser)
    parser.add_argument("--camera", help="the camera of --config whose zones and rules are used")
    parser.add_argument("--presence", action="append", default=[], metavar="CLASS=SECONDS")
    parser.add_argument("--fps", type=float, help="look at no more frames a second than this")
    parser.add_argument(
        "--no-motion-gate", action="store_true", help="let the detector look at every frame"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="how long (default 20)")
    parser.add_argument(
        "--fast", action="store_true", help="a clip as fast as it can be analysed, every frame"
    )
    parser.add_argument("--json", action="store_true", help="the figures as one JSON object")


def _bench(arguments: argparse.Namespace) -> int:
    from edge_runtime.service import bench, clip

    figures = bench.bench(clip.replay_of(arguments), arguments.seconds, fast=arguments.fast)
    if arguments.json:
        print_json(figures.as_dict())
    else:
        print(figures)
    return 0


# what several have


def _add_clip(parser: argparse.ArgumentParser) -> None:
    """A clip, and how it is analysed."""
    parser.add_argument("clip", metavar="CLIP", help="a video, an image or a folder of images")
    _add_model(parser)
    parser.add_argument("--camera", help="the camera of --config whose zones and rules are used")
    parser.add_argument(
        "--presence",
        action="append",
        default=[],
        metavar="CLASS=SECONDS",
        help="tell when an object of that class stays so long; may be repeated",
    )
    parser.add_argument("--fps", type=float, help="look at no more frames a second than this")
    parser.add_argument(
        "--no-motion-gate", action="store_true", help="let the detector look at every frame"
    )
    parser.add_argument(
        "--start",
        metavar="TIME",
        help="when the clip is taken to start, e.g. 2026-11-23T22:00:00+01:00 (default: now)",
    )


def _add_model(parser: argparse.ArgumentParser) -> None:
    """A model, from a configuration or from arguments."""
    group = parser.add_argument_group(
        "model", "either --config, or --model and what it needs, or the person detector"
    )
    group.add_argument("--config", type=Path, help="take model, zones and rules from this file")
    group.add_argument(
        "--model",
        metavar="FILE|NAME",
        help="a .tflite file, a .edgebundle, or the name of a bundle that comes with edge-runtime "
        "(person)",
    )
    group.add_argument("--labels", type=Path, help="the class names of a .tflite file, one a line")
    group.add_argument(
        "--trusted-keys",
        type=Path,
        metavar="PATH",
        help="whose bundles are taken, as in a configuration",
    )
    group.add_argument("--device", help='"auto" (default), "cpu", "tpu" or "tpu:N"')
    group.add_argument("--threads", type=int, help="of the CPU's interpreter")
    group.add_argument("--threshold", type=float, help="score from which a detection counts")
    group.add_argument("--output", help="kind of output: auto, ssd, classifier, yolo, blazeface")
    group.add_argument("--resize", help="stretch or letterbox")
    group.add_argument("--colour", help="rgb, bgr or grey")
    group.add_argument(
        "--range",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="the numbers that stand for black and white in a float input, e.g. --range -1 1",
    )
