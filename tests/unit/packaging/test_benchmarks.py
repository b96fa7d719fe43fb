"""Benchmarks are run by hand, and seldom: what they use may have moved since."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

import benchmarks

OTHERS = {"norfair", "supervision", "motmetrics"}
"""What `make tracking-benchmark` installs for itself."""

MODULES = sorted(path.stem for path in Path(benchmarks.__path__[0]).glob("[a-z]*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_a_benchmark_finds_all_that_it_uses(module: str) -> None:
    try:
        import_module(f"benchmarks.{module}")
    except ModuleNotFoundError as error:
        if error.name not in OTHERS:
            raise
        pytest.skip(f"{error.name} is not installed")
