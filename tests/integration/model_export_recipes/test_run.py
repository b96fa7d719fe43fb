"""edge-export run: from a recipe to a signed bundle, again, and not at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.bundle.reading import read
from edge_runtime.bundle.trust import TrustedKeys
from model_export.signing import demonstration_key
from tests.integration.model_export_recipes.conftest import RECIPE, SIZE, run

pytestmark = pytest.mark.timeout(300)

Write = Callable[..., Path]


@pytest.fixture(scope="module")
def done(
    root: Path, golden: bytes, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, Any]:
    """The recipe, the folder in which it was done once, and what it said of it as JSON."""
    folder = tmp_path_factory.mktemp("done")
    path, out = folder / "recipe.toml", folder / "out"
    path.write_text(RECIPE)
    (folder / "golden.jpg").write_bytes(golden)
    arguments = ("run", path, "--root", root, "--out", out, "--demonstration")
    assert run(*arguments) == 0
    return path, out, json.loads((out / "report.json").read_text())


def test_a_recipe_ends_in_a_bundle_that_boards_read(done: tuple[Path, Path, Any]) -> None:
    _, out, _ = done
    key = demonstration_key()
    trusted = TrustedKeys({key.key_id: key.public_key}, demonstration=True)
    bundle = read(out / "face-1.edgebundle", trusted)
    manifest = bundle.manifest
    assert manifest.labels == ("covered", "uncovered")
    assert manifest.input.shape == (1, SIZE, SIZE, 3)
    assert manifest.input.dtype == "uint8"
    assert 0 <= manifest.quality["accuracy"] <= 1
    assert "keras" in manifest.provenance.tools
    assert manifest.provenance.recipe_sha256 is not None


def test_the_report_has_all_steps_measured_in_one_run(done: tuple[Path, Path, Any]) -> None:
    _, out, report = done
    assert [step["name"] for step in report["steps"]] == ["whole", "half", "int8"]
    whole, half, int8 = report["steps"]
    assert whole["quality"]["pictures"] == half["quality"]["pictures"] >= 15
    assert half["figures"]["macs"] < 0.55 * whole["figures"]["macs"]
    assert int8["figures"]["bytes"] < 0.7 * half["figures"]["bytes"]
    assert (len(whole["epochs"]), len(int8["epochs"])) == (1, 0)
    assert whole["against_baseline"] is None
    assert 0 <= int8["against_baseline"]["agreement"] <= 1
    assert report["passed"] is True
    assert "<html" in (out / "report.html").read_text()


def test_what_did_not_change_is_not_done_again(
    done: tuple[Path, Path, Any], root: Path, recipe: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = done
    changed = RECIPE.replace("pictures = 20", "pictures = 30").replace('"half"', '"narrow"')
    path = recipe(changed.replace("version = 1", "version = 2"))
    capsys.readouterr()
    assert run("run", path, "--root", root, "--out", out, "--demonstration", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert [step["reused"] for step in said["steps"]] == [True, True, False]
    assert [step["name"] for step in said["steps"]] == ["whole", "narrow", "int8"]


def test_a_result_that_lost_too_much_gets_no_bundle(
    done: tuple[Path, Path, Any], root: Path, recipe: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = done
    path = recipe(
        RECIPE.replace("max_size = 600_000", "max_size = 20_000").replace(
            "version = 1", "version = 7"
        )
    )
    assert run("run", path, "--root", root, "--out", out, "--demonstration") == 1
    captured = capsys.readouterr()
    assert "max_size = 20000" in captured.out
    assert "MISSED" in captured.out
    assert "int8 does not pass the gate, and no bundle is written: max_size is 20000 and" in (
        captured.err
    )
    assert " won least: from " in captured.err
    assert not (out / "face-7.edgebundle").exists()
    assert json.loads((out / "report.json").read_text())["passed"] is False


def test_a_run_that_was_killed_goes_on_where_it_was(
    root: Path, recipe: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, path = tmp_path / "out", recipe()
    arguments = ["run", str(path), "--root", str(root), "--out", str(out), "--demonstration"]
    process = subprocess.Popen(
        [sys.executable, "-m", "model_export.cli", *arguments], stderr=subprocess.DEVNULL
    )
    steps = out / "steps"
    deadline = time.monotonic() + 100
    while not any(len(entry.name) == 16 for entry in steps.glob("*") if entry.name[0] != "."):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "report.json").exists()
    assert run(*arguments, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert [step["reused"] for step in said["steps"]] == [True, False, False]


@pytest.mark.parametrize(
    ("before", "after", "more", "sentence"),
    [
        ("", "", [], "the recipe face ends in a bundle: name the key that signs it (--key), or"),
        ("golden.jpg", "none.jpg", ["--demonstration"], "none.jpg does not exist"),
        ('folder = "faces"', 'folder = "none"', ["--demonstration"], "none does not exist"),
        (
            'family = "mobilenet_v1"',
            'start = "none.h5"',
            ["--demonstration"],
            "none.h5 does not exist",
        ),
        ("epochs = 1", "epochs = 0", ["--demonstration"], "steps[0].epochs: 0 is too small"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_and_leaves_nothing(
    before: str,
    after: str,
    more: list[str],
    sentence: str,
    *,
    root: Path,
    recipe: Write,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, out = recipe(RECIPE.replace(before, after)), tmp_path / "out"
    assert run("run", path, "--root", root, "--out", out, *more) == 1
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said
    assert not any(out.rglob("*.*"))
