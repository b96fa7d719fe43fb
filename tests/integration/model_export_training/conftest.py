"""Parts that need Keras; without it there is nothing to test."""

from __future__ import annotations

import os
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session")
def keras() -> Any:
    return pytest.importorskip("keras", reason="needs the extra `export`: keras is not installed")


@pytest.fixture(scope="session")
def tf_keras() -> Any:
    return pytest.importorskip(
        "tf_keras", reason="needs the extra `export`: tf_keras is not installed"
    )
