"""What the sources of the package import, read from the text without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "edge_runtime"


def sources() -> Iterator[Path]:
    """Every module of the package."""
    return PACKAGE.rglob("*.py")


def imported(source: Path) -> set[str]:
    """The names of all modules that `source` imports, wherever in it, types included.

    What is imported from a package may be a module of it, so its name is there too.
    """
    names = set()
    for node in ast.walk(ast.parse(source.read_text())):
        match node:
            case ast.Import(names=aliases):
                names |= {alias.name for alias in aliases}
            case ast.ImportFrom(module=str(module), names=aliases):
                names |= {f"{module}.{alias.name}" for alias in aliases}
    return names
