"""Fixture: the person detector that comes with the package."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_runtime.bundle.shipped import PERSON, shipped


@pytest.fixture(scope="session")
def person() -> Path:
    """The bundle of the person detector."""
    paths = shipped()
    if PERSON not in paths:
        lacking = "this test needs the person detector that ships, and there is none: `make models`"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(lacking)
    return paths[PERSON]
