"""The commands about a configuration."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edge_runtime.cli.arguments import Commands, command, print_json


def add_check(commands: Commands) -> None:
    """``edge-runtime check``."""
    parser = command(
        commands,
        "check",
        "say all that is wrong with a configuration",
        "edge-runtime check /etc/edge-runtime/edge-runtime.toml --live",
        _check,
    )
    parser.add_argument("config", type=Path, metavar="CONFIG")
    parser.add_argument(
        "--live",
        action="store_true",
        help="also open each camera, load the model and connect to the broker",
    )
    parser.add_argument("--json", action="store_true", help="findings as a JSON list")


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
        print_json(collected)
    return status


def add_zones(commands: Commands) -> None:
    """``edge-runtime zones``."""
    parser = command(
        commands,
        "zones",
        "draw a camera's zones and lines onto a still of it, with a grid to set them by",
        "edge-runtime zones atm.toml --camera door --out zones.png",
        _zones,
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


def _zones(arguments: argparse.Namespace) -> int:
    from edge_runtime.service import zone_map

    told = zone_map.write_map(arguments.what, arguments.camera, arguments.source, arguments.out)
    print(told)
    return 0


def add_schema(commands: Commands) -> None:
    """``edge-runtime schema``."""
    command(
        commands,
        "schema",
        "print the JSON Schema of the configuration",
        "edge-runtime schema > edge-runtime.schema.json",
        _schema,
    )


def _schema(_: argparse.Namespace) -> int:
    from edge_runtime.config import schema

    print_json(schema(), indent=2)
    return 0
