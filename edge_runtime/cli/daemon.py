"""The commands about the daemon: run it, ask it, verify what it told, show it all."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edge_runtime.cli.arguments import Commands, command, print_json, subcommands
from edge_runtime.errors import EdgeRuntimeError


def add_run(commands: Commands) -> None:
    """``edge-runtime run``."""
    parser = command(
        commands,
        "run",
        "watch the cameras of a configuration until SIGTERM",
        "edge-runtime run /etc/edge-runtime/edge-runtime.toml --log json",
        _run,
    )
    parser.add_argument("config", type=Path, metavar="CONFIG")
    parser.add_argument(
        "--fast",
        action="store_true",
        help="play files as fast as they can be analysed, every frame",
    )
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


def add_status(commands: Commands) -> None:
    """``edge-runtime status``."""
    parser = command(
        commands,
        "status",
        "ask the running daemon how it is",
        "edge-runtime status /etc/edge-runtime/edge-runtime.toml",
        _status,
    )
    parser.add_argument(
        "config", type=Path, nargs="?", metavar="CONFIG", help="the daemon's configuration"
    )
    parser.add_argument("--json", action="store_true", help="all of it, as JSON")


def _status(arguments: argparse.Namespace) -> int:
    from edge_runtime.service import status

    answer = status.ask_daemon(arguments.config)
    if arguments.json:
        print_json(answer, indent=2)
    else:
        print(status.as_text(answer))
    return 0 if answer["state"] == "online" else 3


def add_log(commands: Commands) -> None:
    """``edge-runtime log``."""
    parser = command(
        commands,
        "log",
        "look at what a device has told",
        "edge-runtime log verify --alerts alerts.jsonl --health health.json",
    )
    verify = command(
        subcommands(parser),
        "verify",
        "say whether a device's chain of alerts is whole, offline",
        "edge-runtime log verify --alerts told.jsonl --health health.json --certificate atm-1.pem",
        _log_verify,
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


def _log_verify(arguments: argparse.Namespace) -> int:
    from edge_runtime.service import log

    proof = arguments.health, arguments.certificate
    if arguments.alerts:
        report = log.verify_file(arguments.alerts, *proof)
    else:
        report = log.verify_device(arguments.config, *proof)
    if arguments.json:
        print_json(report.as_dict())
        return 0 if report.good else 1
    for problem in report.problems:
        print(problem.text, file=sys.stderr)
    print(report)
    return 0 if report.good else 1


def add_demo(commands: Commands) -> None:
    """``edge-runtime demo``."""
    parser = command(
        commands,
        "demo",
        "show the whole: daemon, alerts, a broker that is killed, and what arrives",
        "edge-runtime demo --source 0",
        _demo,
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
    if arguments.json:
        print_json(summary.as_dict())
    else:
        print(summary)
    return 0 if summary.good else 1
