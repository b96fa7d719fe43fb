"""The passphrase of an authority's key, from whoever has it."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

from edge_runtime.provisioning.files import ProvisioningError, read


def passphrase(file: Path | None, *, confirm: bool = False) -> str:
    """From the file's first line, else from whoever sits at the terminal.

    Raises:
        ProvisioningError: the file cannot be read, there is no terminal, or it was typed wrong.
    """
    if file is not None:
        try:
            lines = read(file, "passphrase file").decode().splitlines()
        except UnicodeDecodeError as error:
            raise ProvisioningError(f"the passphrase file {file} is not text in UTF-8") from error
        return lines[0] if lines else ""
    if not sys.stdin.isatty():
        raise ProvisioningError(
            "there is no terminal to ask for a passphrase at: use --passphrase-file"
        )
    typed = getpass.getpass("passphrase of the authority's key: ")
    if confirm and getpass.getpass("again: ") != typed:
        raise ProvisioningError("that was not the same passphrase twice")
    return typed
