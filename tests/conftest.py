"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the real models, clip and images; it is not part of the project."""
    path = Path(os.environ.get("EDGE_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (path / "models").is_dir():
        lacking = (
            f"this test needs the real models and clip, and {path} has none: "
            "put them there or say where they are with EDGE_TEST_DATA"
        )
        # Where the data belongs to the machine, a missing test is a failed one.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(lacking)
    return path
