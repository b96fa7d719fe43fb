"""The commands about identities, ``edge-runtime provision ...``."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.cli.arguments import Commands, command, print_json, subcommands

if TYPE_CHECKING:
    from edge_runtime.provisioning.authority import Authority, Issued

_EXAMPLE = """\
example, for a broker, a centre and a board:
  edge-runtime provision ca bank-ca
  edge-runtime provision request mqtt --host mqtt.bank.example   # on the broker's machine
  edge-runtime provision sign mqtt.csr --ca bank-ca --server
  edge-runtime provision request centre                          # on the centre's machine
  edge-runtime provision sign centre.csr --ca bank-ca --centre
  edge-runtime provision request atm-1 --out /etc/edge-runtime/tls   # on the board
  edge-runtime provision sign atm-1.csr --ca bank-ca
  edge-runtime provision list --ca bank-ca"""

_DAYS = 365


def add_provision(commands: Commands) -> None:
    """``edge-runtime provision``, which has commands of its own."""
    parser = command(
        commands,
        "provision",
        "make, certify, renew and revoke the identities of devices, centre and broker",
        "edge-runtime provision request atm-1 --out /etc/edge-runtime/tls",
    )
    parser.epilog = _EXAMPLE
    its = subcommands(parser)
    _add_ca(its)
    _add_request(its)
    _add_sign(its)
    _add_renew(its)
    _add_revoke(its)
    _add_list(its)
    _add_install(its)


def _add_ca(commands: Commands) -> None:
    parser = command(
        commands,
        "ca",
        "make an authority: a folder with its key, its certificate and what it issues",
        "edge-runtime provision ca bank-ca --name 'Bank cameras'",
        _ca,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a new one")
    parser.add_argument("--name", default="edge-runtime", help="what its certificate says")
    _add_days(parser, 3650)
    _add_passphrase(parser)


def _ca(arguments: argparse.Namespace) -> int:
    from edge_runtime.provisioning import authority
    from edge_runtime.provisioning.passphrase import passphrase

    secret = passphrase(arguments.passphrase_file, confirm=True)
    authority.create(arguments.folder, arguments.name, secret, timedelta(days=arguments.days))
    print(
        f"{arguments.folder} is an authority. {authority.CERTIFICATE} in it is for all who have to "
        f"trust it, {authority.REVOCATIONS} for the broker; {authority.KEY} is for nobody else."
    )
    return 0


def _add_request(commands: Commands) -> None:
    parser = command(
        commands,
        "request",
        "make a key that stays on this machine, and a request to certify it",
        "edge-runtime provision request atm-1 --out /etc/edge-runtime/tls",
        _request,
    )
    parser.add_argument("name", metavar="NAME", help="the device's, unique at its broker")
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        help="for a broker: a name or address under which it is reached; may be repeated",
    )
    _add_out(
        parser,
        Path(),
        "where NAME.key and NAME.csr go; a key that is there is used (default: here)",
    )


def _request(arguments: argparse.Namespace) -> int:
    from edge_runtime.provisioning.requests import make_request

    made = make_request(arguments.name, arguments.out, arguments.host)
    print(
        f"{made.request} is for the authority, which signs it. "
        f"{made.key} {'is new and' if made.new_key else 'was there; it'} stays here."
    )
    return 0


def _add_sign(commands: Commands) -> None:
    parser = command(
        commands,
        "sign",
        "certify what a request asks for",
        "edge-runtime provision sign atm-1.csr --ca bank-ca",
        _sign,
    )
    parser.add_argument("request", type=Path, metavar="REQUEST", help="a .csr file")
    _add_authority(parser)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--server", action="store_true", help="it is the broker's")
    kind.add_argument("--centre", action="store_true", help="it is a centre's: centre, centre-2 …")
    _add_days(parser, _DAYS)
    _add_out(parser, None, "where NAME.pem goes (default: beside the request)")
    _add_passphrase(parser)
    _add_json(parser)


def _sign(arguments: argparse.Namespace) -> int:
    from edge_runtime.provisioning.names import Kind
    from edge_runtime.provisioning.requests import read_request

    asked = read_request(arguments.request)
    kind = Kind.DEVICE
    if arguments.server or arguments.centre:
        kind = Kind.SERVER if arguments.server else Kind.CENTRE
    with _opened(arguments) as authority:
        made = authority.sign(asked, kind, timedelta(days=arguments.days))
    _hand_out([made], arguments.out or arguments.request.parent, as_json=arguments.json)
    return 0


def _add_renew(commands: Commands) -> None:
    parser = command(
        commands,
        "renew",
        "certify the same keys anew; they need no new request, and no key moves",
        "edge-runtime provision renew --expiring 30 --ca bank-ca --out renewed",
        _renew,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="whose certificates")
    _add_expiring(parser, "all that expire within so many days")
    _add_authority(parser)
    _add_days(parser, None)
    _add_out(parser, Path(), "where NAME.pem go")
    _add_passphrase(parser)
    _add_json(parser)


def _renew(arguments: argparse.Namespace) -> int:
    from edge_runtime.provisioning.files import ProvisioningError

    if bool(arguments.names) == (arguments.expiring is not None):
        raise ProvisioningError("either names or --expiring DAYS are asked for")
    valid = None if arguments.days is None else timedelta(days=arguments.days)
    with _opened(arguments) as authority:
        due = _chosen(authority.current(), arguments.names, arguments.expiring)
        made = [authority.renew(each, valid) for each in due]
        authority.renew_revocations()
    _hand_out(made, arguments.out, as_json=arguments.json)
    return 0


def _add_revoke(commands: Commands) -> None:
    parser = command(
        commands,
        "revoke",
        "take back the certificates of a name: the list crl.pem is for the broker",
        "edge-runtime provision revoke atm-1 --ca bank-ca",
        _revoke,
    )
    parser.add_argument("name", metavar="NAME")
    _add_authority(parser)
    _add_passphrase(parser)
    _add_json(parser)


def _revoke(arguments: argparse.Namespace) -> int:
    from edge_runtime.provisioning.authority import REVOCATIONS

    with _opened(arguments) as authority:
        taken = authority.revoke(arguments.name)
    if arguments.json:
        print_json([_as_dict(each) for each in taken])
    else:
        print(
            f"{len(taken)} of {arguments.name} revoked. Bring {arguments.ca / REVOCATIONS} to the "
            "broker and restart it: a connection that is open outlives a reload."
        )
    return 0


def _add_list(commands: Commands) -> None:
    parser = command(
        commands,
        "list",
        "show what an authority issued",
        "edge-runtime provision list --ca bank-ca --expiring 30",
        _list,
    )
    _add_authority(parser)
    _add_expiring(parser, "only the newest of each name, if it expires within so many days")
    _add_json(parser)


def _list(arguments: argparse.Namespace) -> int:
    from edge_runtime.provisioning.authority import REVOCATIONS, Register

    register = Register(arguments.ca)
    shown = register.issued()
    if arguments.expiring is not None:
        shown = _chosen(register.current(), [], arguments.expiring)
    if arguments.json:
        print_json([_as_dict(each) for each in shown])
        return 0
    now = datetime.now(UTC)
    width = max((len(each.name) for each in shown), default=0)
    for each in shown:
        print(f"{each.name:{width}}  {each.kind:6}  {each.last:%Y-%m-%d}  {each.state(now)}")
    print(f"{REVOCATIONS} lasts until {register.revocations().next_update_utc:%Y-%m-%d}")
    return 0


def _chosen(current: list[Issued], names: list[str], days: int | None) -> list[Issued]:
    from edge_runtime.provisioning.files import ProvisioningError

    if days is not None:
        until = datetime.now(UTC) + timedelta(days=days)
        return [each for each in current if each.last <= until]
    by_name = {each.name: each for each in current}
    if unknown := [name for name in names if name not in by_name]:
        raise ProvisioningError(
            f"there is no certificate of {unknown[0]!r} to renew: `provision list` shows all"
        )
    return [by_name[name] for name in names]


def _add_install(commands: Commands) -> None:
    parser = command(
        commands,
        "install",
        "on a device: check a renewed certificate, and put it in the place of the old",
        "edge-runtime provision install atm-1.pem /etc/edge-runtime/edge-runtime.toml",
        _install,
    )
    parser.add_argument("certificate", type=Path, metavar="CERTIFICATE")
    parser.add_argument("config", type=Path, metavar="CONFIG")


def _install(arguments: argparse.Namespace) -> int:
    from edge_runtime.config import load
    from edge_runtime.provisioning.installing import install

    config = load(arguments.config, check_files=False)
    where = install(arguments.certificate, config)
    print(
        f"{where} is renewed; a daemon that runs takes it up by itself."
        if where
        else f"{arguments.certificate} is in place already."
    )
    return 0


# what several have


def _add_out(parser: argparse.ArgumentParser, default: Path | None, what: str) -> None:
    parser.add_argument("--out", type=Path, default=default, metavar="FOLDER", help=what)


def _add_expiring(parser: argparse.ArgumentParser, which: str) -> None:
    parser.add_argument("--expiring", type=int, metavar="DAYS", help=which)


def _add_authority(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ca", type=Path, required=True, metavar="FOLDER", help="the authority's folder"
    )


def _add_passphrase(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--passphrase-file",
        type=Path,
        metavar="FILE",
        help="the passphrase of the authority's key in its first line; else it is asked for",
    )


def _add_days(parser: argparse.ArgumentParser, default: int | None) -> None:
    usual = f"default {default}" if default else "default: as long as before"
    parser.add_argument(
        "--days", type=_positive, default=default, help=f"for how long it is valid ({usual})"
    )


def _positive(text: str) -> int:
    days = int(text)
    if not 1 <= days <= 36500:
        raise argparse.ArgumentTypeError("a number of days from 1 to 36500 is asked for")
    return days


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="the outcome as JSON")


# what several do


def _opened(arguments: argparse.Namespace) -> AbstractContextManager[Authority]:
    from edge_runtime.provisioning.authority import opened
    from edge_runtime.provisioning.passphrase import passphrase

    return opened(arguments.ca, passphrase(arguments.passphrase_file))


def _hand_out(made: list[Issued], folder: Path, *, as_json: bool) -> None:
    """Write each certificate where it is asked for, and say so."""
    from edge_runtime.provisioning.files import PUBLIC, replace

    for each in made:
        path = folder / f"{each.name}.pem"
        replace(path, each.pem, PUBLIC)
        if not as_json:
            print(f"{path} is for the {each.kind} {each.name}, until {each.last:%Y-%m-%d}")
    if as_json:
        print_json([_as_dict(each, folder / f"{each.name}.pem") for each in made])
    elif not made:
        print("there is nothing to renew")


def _as_dict(issued: Issued, path: Path | None = None) -> dict[str, Any]:
    told = {
        "name": issued.name,
        "kind": issued.kind,
        "serial": f"{issued.serial:x}",
        "from": f"{issued.first:%Y-%m-%dT%H:%M:%SZ}",
        "until": f"{issued.last:%Y-%m-%dT%H:%M:%SZ}",
        "state": issued.state(datetime.now(UTC)),
    }
    return told if path is None else {**told, "file": str(path)}
