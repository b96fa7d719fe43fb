"""The bundles that come with the package, by their names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "models"
SUFFIX = ".edgebundle"
PERSON = "person"
"""What is taken where no model is named at all."""

_FILE = re.compile(r"([a-z0-9][a-z0-9-]{0,62})-(\d{1,10})" + re.escape(SUFFIX))


def shipped() -> Mapping[str, Path]:
    """Each name's bundle: where there are several, that of the highest version."""
    found = sorted(
        (match[1], int(match[2]), path)
        for path in FOLDER.glob(f"*{SUFFIX}")
        if (match := _FILE.fullmatch(path.name))
    )
    return {name: path for name, _, path in found}
