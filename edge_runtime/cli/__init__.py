"""The command line: reads arguments, calls the service, prints what comes back.

Everything heavy is imported where it is used, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from edge_runtime import __version__
from edge_runtime.cli import clips, configuring, daemon, provision
from edge_runtime.cli.arguments import subcommands
from edge_runtime.errors import EdgeRuntimeError


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
    commands = subcommands(parser)
    for add in (
        daemon.add_demo,
        daemon.add_run,
        clips.add_replay,
        clips.add_score,
        clips.add_annotate,
        clips.add_detect,
        clips.add_bench,
        configuring.add_check,
        configuring.add_zones,
        configuring.add_schema,
        daemon.add_status,
        daemon.add_log,
        provision.add_provision,
    ):
        add(commands)
    return parser
