"""The command line: reads arguments, calls the service, prints what comes back.

Everything heavy is imported where it is used, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from edge_runtime import __version__
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.provisioning import commands as provision

_HELP = argparse.RawDescriptionHelpFormatter


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0 well, 1 a problem that was told, 2 wrong usage."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    except EdgeRuntimeError as error:
        print(f"edge-runtime: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has had enough, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edge-runtime",
        description="Watches cameras on the board beside them and alerts over MQTT.",
        epilog="example: edge-runtime replay clip.mp4 --presence person=1.0",
    )
    parser.add_argument("--version", action="version", version=f"edge-runtime {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_demo(commands)
    _add_run(commands)
    _add_replay(commands)
    _add_score(commands)
    _add_annotate(commands)
    _add_detect(commands)
    _add_bench(commands)
    _add_check(commands)
    _add_zones(commands)
    _add_schema(commands)
    _add_status(commands)
    _add_log(commands)
    _add_provision(commands)
    return parser


_Commands = argparse._SubParsersAction  # argparse gives the type no public name


def _add(
    commands: _Commands[argparse.ArgumentParser], name: str, summary: str, example: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example: {example}",
        formatter_class=_HELP,
    )


# demo


def _add_demo(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add(
        commands,
        "demo",
        "show the whole: daemon, alerts, a broker that is killed, and what arrives",
        "edge-runtime demo --source 0",
    )
    parser.add_argument(
        "--source",
        default="scene:atm",
        metavar="N|CLIP|URL",
        help="a camera's number, a clip, or a URL as in a configuration (default: a drawn lobby)",
    )
    parser.add_argument("--seconds", type=float, default=40.0, help="how long (default 40)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("edge-runtime-demo"),
        metavar="FOLDER",
        help="where video, contact sheet and figures go (default edge-runtime-demo)",
    )
    parser.add_argument(
        "--broker",
        choices=("auto", "mosquitto", "python"),
        default="auto",
        help="which broker is started (default: Mosquitto where it is installed)",
    )
    parser.add_argument("--json", action="store_true", help="the summary as one JSON object only")
    parser.set_defaults(run=_demo)


def _demo(arguments: argparse.Namespace) -> int:
    from edge_runtime.service.demo.brokers import BrokerKind
    from edge_runtime.service.demo.screen import NoScreen, Screen
    from edge_runtime.service.demo.setting import Wish, source_of
    from edge_runtime.service.demo.show import demo

    wish = Wish(
        source_of(arguments.source),
        arguments.seconds,
        arguments.out.absolute(),
        BrokerKind(arguments.broker),
    )
    summary = demo(wish, NoScreen() if arguments.json else Screen(sys.stdout))
    print(json.dumps(summary.as_dict()) if arguments.json else summary)
    return 0 if summary.good else 1


# run


def _add_run(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add(
        commands,
        "run",
        "watch the cameras of a configuration until SIGTERM",
        "edge-runtime run /etc/edge-runtime/edge-runtime.toml --log json",
    )
    parser.add_argument("config", type=Path, metavar="CONFIG")
    parser.add_argument(
        "--fast",
        action="store_true",
        help="play files as fast as they can be analysed, every frame",
    )
    _add_logging(parser)
    parser.set_defaults(run=_run)


def _add_logging(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--log", choices=("text", "json"), default="text", help="form of log lines")
    parser.add_argument("--verbose", action="store_true", help="log what only developers want")


def _run(arguments: argparse.Namespace) -> int:
    from edge_runtime.capture.camera import Pace
    from edge_runtime.config import load
    from edge_runtime.service import daemon, logs

    form = logs.LogFormat(arguments.log)
    with logs.configured(form, verbose=arguments.verbose):
        try:
            # A certificate that has run out is told by the link; it must not stop the watching.
            config = load(arguments.config, check_dates=False)
            status = daemon.run(config, Pace.FAST if arguments.fast else Pace.REAL)
        except EdgeRuntimeError as error:
            if form is logs.LogFormat.TEXT:
                raise
            logs.logger.critical("%s", error)
            status = 1
    return daemon.leave(status)


# replay


def _add_replay(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add(
        commands,
        "replay",
        "analyse a clip or folder, every frame on its own time; print alerts as JSON lines",
        "edge-runtime replay clip.mp4 --presence person=1.0 --video out.mp4",
    )
    _add_clip(parser)
    parser.add_argument("--video", type=Path, metavar="OUT.mp4", help="draw it all to a video")
    parser.add_argument(
        "--json", action="store_true", help="only the JSON lines: no progress, no summary"
    )
    parser.set_defaults(run=_replay)


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


# score


def _add_score(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add(
        commands,
        "score",
        "replay a clip and hold its alerts against the truth: precision, recall, F1, false alarms",
        "edge-runtime score clip.mp4 truth.json --config lobby.toml",
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
    parser.set_defaults(run=_score)


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
    print(json.dumps(report.as_dict()) if arguments.json else report)
    return 0


# annotate


def _add_annotate(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add(
        commands,
        "annotate",
        "print the draft of a truth file for `score`, from what the rules tell of a clip",
        "edge-runtime annotate clip.mp4 --config lobby.toml > truth.json",
    )
    _add_clip(parser)
    parser.add_argument("--tracks", action="store_true", help="with the boxes of all tracks")
    parser.add_argument(
        "--sheet",
        type=Path,
        metavar="FILE",
        help="also draw the frames at which alerts were raised onto one picture (.png, .jpg)",
    )
    parser.set_defaults(run=_annotate)


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


# detect


def _add_detect(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add(
        commands,
        "detect",
        "say what a model sees in images: as a table, as JSON, or drawn",
        "edge-runtime detect lobby.jpg --model detector.tflite --labels labels.txt --draw out/",
    )
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    _add_model(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object an image, on a line")
    parser.add_argument(
        "--draw", type=Path, metavar="FOLDER", help="write the images with boxes into this folder"
    )
    parser.set_defaults(run=_detect)


def _detect(arguments: argparse.Namespace) -> int:
    from edge_runtime.service import clip, detect

    model = clip.model_of(arguments)
    form = detect.as_json if arguments.json else detect.as_table
    for seen in detect.detect(arguments.images, model, arguments.draw):
        print(form(seen), flush=True)
    return 0


# bench


def _add_bench(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add(
        commands,
        "bench",
        "measure each stage of a frame's way, from a clip or camera to the committed alert",
        "edge-runtime bench clip.mp4 --model detector.tflite --labels labels.txt --seconds 30",
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
    parser.set_defaults(run=_bench)


def _bench(arguments: argparse.Namespace) -> int:
    from edge_runtime.service import bench, clip

    figures = bench.bench(clip.replay_of(arguments), arguments.seconds, fast=arguments.fast)
    print(json.dumps(figures.as_dict()) if arguments.json else figures)
    return 0


# check, zones, schema, status


def _add_check(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add(
        commands,
        "check",
        "say all that is wrong with a configuration",
        "edge-runtime check /etc/edge-runtime/edge-runtime.toml --live",
    )
    parser.add_argument("config", type=Path, metavar="CONFIG")
    parser.add_argument(
        "--live",
        action="store_true",
        help="also open each camera, load the model and connect to the broker",
    )
    parser.add_argument("--json", action="store_true", help="findings as a JSON list")
    parser.set_defaults(run=_check)


def _check(arguments: argparse.Namespace) -> int:
    from edge_runtime.service import check

    findings = check.check(arguments.config, live=arguments.live)
    status = 0
    collected = []
    for finding in findings:
        status = status or int(not finding.good)
        collected.append(finding.as_dict())
        if not arguments.json:
            print(finding, file=sys.stdout if finding.good else sys.stderr, flush=True)
    if arguments.json:
        print(json.dumps(collected))
    return status


def _add_zones(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add(
        commands,
        "zones",
        "draw a camera's zones and lines onto a still of it, with a grid to set them by",
        "edge-runtime zones atm.toml --camera door --out zones.png",
    )
    parser.add_argument(
        "what",
        nargs="?",
        metavar="CONFIG|CLIP|URL",
        help="a .toml that has the camera and its zones; or a source, to see the grid alone",
    )
    parser.add_argument("--camera", help="which one, where CONFIG has several")
    parser.add_argument(
        "--source",
        metavar="CLIP|URL",
        help="look at this in place of the camera's own source",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("zones.png"),
        metavar="FILE",
        help="the picture to write (default zones.png)",
    )
    parser.set_defaults(run=_zones)


def _zones(arguments: argparse.Namespace) -> int:
    from edge_runtime.service import zone_map

    told = zone_map.write_map(arguments.what, arguments.camera, arguments.source, arguments.out)
    print(told)
    return 0


def _add_schema(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add(
        commands,
        "schema",
        "print the JSON Schema of the configuration",
        "edge-runtime schema > edge-runtime.schema.json",
    )
    parser.set_defaults(run=_schema)


def _schema(_: argparse.Namespace) -> int:
    from edge_runtime.config import schema

    print(json.dumps(schema(), indent=2))
    return 0


def _add_status(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add(
        commands,
        "status",
        "ask the running daemon how it is",
        "edge-runtime status /etc/edge-runtime/edge-runtime.toml",
    )
    parser.add_argument(
        "config", type=Path, nargs="?", metavar="CONFIG", help="the daemon's configuration"
    )
    parser.add_argument("--json", action="store_true", help="all of it, as JSON")
    parser.set_defaults(run=_status)


def _status(arguments: argparse.Namespace) -> int:
    from edge_runtime.service import status

    answer = status.ask_daemon(arguments.config)
    print(json.dumps(answer, indent=2) if arguments.json else status.as_text(answer))
    return 0 if answer["state"] == "online" else 3


# log


def _add_log(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add(
        commands,
        "log",
        "look at what a device has told",
        "edge-runtime log verify --alerts alerts.jsonl --health health.json",
    )
    subcommands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    verify = _add(
        subcommands,
        "verify",
        "say whether a device's chain of alerts is whole, offline",
        "edge-runtime log verify --alerts told.jsonl --health health.json --certificate atm-1.pem",
    )
    source = verify.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "config",
        type=Path,
        nargs="?",
        metavar="CONFIG",
        help="on the device: verify the outbox of this configuration",
    )
    source.add_argument(
        "--alerts",
        type=Path,
        metavar="FILE",
        help="elsewhere: the alerts as JSON lines, as a subscriber stored them",
    )
    verify.add_argument(
        "--health",
        type=Path,
        metavar="FILE",
        help="health messages of the device, in which it told how far its chain went",
    )
    verify.add_argument(
        "--certificate",
        type=Path,
        metavar="FILE",
        help="the device's certificate, whose key has to have signed what is in --health",
    )
    verify.add_argument("--json", action="store_true", help="the outcome as one JSON object")
    verify.set_defaults(run=_log_verify)


def _log_verify(arguments: argparse.Namespace) -> int:
    from edge_runtime.service import log

    proof = arguments.health, arguments.certificate
    if arguments.alerts:
        report = log.verify_file(arguments.alerts, *proof)
    else:
        report = log.verify_device(arguments.config, *proof)
    if arguments.json:
        print(json.dumps(report.as_dict()))
        return 0 if report.good else 1
    for problem in report.problems:
        print(problem.text, file=sys.stderr)
    print(report)
    return 0 if report.good else 1


# provision


def _add_provision(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add(
        commands,
        "provision",
        "make, certify, renew and revoke the identities of devices, centre and broker",
        "edge-runtime provision request atm-1 --out /etc/edge-runtime/tls",
    )
    parser.epilog = provision.EXAMPLE
    subcommands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    provision.add_to(partial(_add, subcommands))


if __name__ == "__main__":
    sys.exit(main())
