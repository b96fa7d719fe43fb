"""edge-centre: the whole command line."""

from __future__ import annotations

import json
import logging
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from typer.main import get_command

from edge_runtime import __version__
from edge_runtime.alerts.alert import rfc3339
from edge_runtime.centre.incoming import Device
from edge_runtime.errors import EdgeRuntimeError

_POLL_SECONDS = 0.5
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

app = typer.Typer(
    help="Keeps the alerts of all devices, and tells how the devices are.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Config = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        envvar="EDGE_CENTRE_CONFIG",
        help="The configuration, a TOML file.",
    ),
]
_CONFIG = Path("/etc/edge-centre/centre.toml")
Json = Annotated[bool, typer.Option("--json", help="JSON for programs.")]


class UsageError(EdgeRuntimeError):
    """An argument is not what a command asks for."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0 well, 1 a problem that was told, 2 wrong usage."""
    arguments = None if argv is None else list(argv)
    try:
        get_command(app).main(arguments, "edge-centre")
    except EdgeRuntimeError as error:
        typer.echo(f"edge-centre: {error}", err=True)
        return 1
    except KeyboardInterrupt:
        return 130
    except SystemExit as end:  # which is how typer ends, well or after it told of wrong usage
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


@app.callback()
def _common(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"edge-centre {__version__}")
        raise typer.Exit


@app.command()
def run(config: Config = _CONFIG) -> None:
    """Store what the devices tell, acknowledge it, and ask for what is missing."""
    from edge_runtime.centre.asking import Asker
    from edge_runtime.centre.centre import Centre
    from edge_runtime.centre.settings import load
    from edge_runtime.centre.store import Store

    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    settings = load(config)
    broker = settings.broker()
    asker = Asker(settings.command_key)
    with Store(settings.database) as store:
        centre = Centre(
            broker.settings(),
            store,
            group=broker.group,
            session_expiry=broker.session_expiry,
            asker=asker,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: centre.stop())
        centre.run()


@app.command()
def tail(
    config: Config = _CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="The alerts as they are.")] = False,
    site: Annotated[str | None, typer.Option(help="Only the devices of this site.")] = None,
    since: Annotated[
        str | None,
        typer.Option(help="With those since then: 10m, 2h, 1d, or a moment in RFC 3339."),
    ] = None,
    follow: Annotated[bool, typer.Option(help="Go on with what comes.")] = True,
) -> None:
    """Print alerts as they come, those of one device in their order."""
    from edge_runtime.centre.database import open_database
    from edge_runtime.centre.settings import load
    from edge_runtime.centre.tailing import Tail

    begin = None if since is None else _moment(since, time.time())
    engine = open_database(load(config).database)
    tailed = Tail(engine, site=site, since=begin)
    while True:
        for line in tailed.poll():
            typer.echo(line.payload if as_json else line.text())
        if not follow:
            return
        time.sleep(_POLL_SECONDS)


@app.command()
def devices(config: Config = _CONFIG, as_json: Json = False) -> None:
    """Show who is online, silent, blind, degraded or behind, and whether its alerts are whole."""
    from edge_runtime.centre.database import open_database
    from edge_runtime.centre.settings import load
    from edge_runtime.centre.view import look, refusals

    settings = load(config)
    engine = open_database(settings.database)
    now = time.time()
    views = look(engine, now, settings.silent_after, settings.certificates)
    refused = refusals(engine)
    if as_json:
        told = {
            "devices": [asdict(view) for view in views],
            "refused": [asdict(each) for each in refused],
        }
        typer.echo(json.dumps(told, indent=2))
        return
    from edge_runtime.centre.screen import show

    show(views, refused, now)


@app.command()
def accept(
    device: Annotated[str, typer.Argument(help="SITE/DEVICE")], config: Config = _CONFIG
) -> None:
    """Wait no longer for what a device lacks, and go on where its chain is broken."""
    from edge_runtime.centre.settings import load
    from edge_runtime.centre.store import Store

    site, _, name = device.partition("/")
    if not site or not name:
        raise UsageError(f"{device!r} is no device: SITE/DEVICE is asked for, as devices shows it")
    with Store(load(config).database) as store:
        accepted = store.accept(Device(site, name), time.time())
    if not accepted:
        typer.echo(f"{device} lacks nothing, and its chain is not broken")
    for chain, first, last in accepted:
        typer.echo(f"{chain}: {first} to {last} accepted")


@app.command()
def schema() -> None:
    """Print the JSON Schema of centre.toml, for editors."""
    from edge_runtime.centre.settings import schema as made

    typer.echo(json.dumps(made(), indent=2))


def _moment(text: str, now: float) -> float:
    """`text`, a moment or how long ago it was, in Unix seconds. Raises UsageError."""
    try:
        if text[-1:] in _UNITS:
            return now - timedelta(seconds=float(text[:-1]) * _UNITS[text[-1]]).total_seconds()
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise UsageError(
            f"--since {text!r} is no time: 10m, 2h, 1d or {rfc3339(now)} is asked for"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


if __name__ == "__main__":
    sys.exit(main())
