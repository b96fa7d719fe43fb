"""`python -m edge_runtime.contract docs/contract` writes the contract's files."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_runtime.contract.files import write


def main() -> None:
    """Write the files into the folder that is named."""
    parser = argparse.ArgumentParser(description="Write the contract's files.")
    parser.add_argument("folder", type=Path, help="docs/contract")
    write(parser.parse_args().folder)


main()
