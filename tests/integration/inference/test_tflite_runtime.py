"""Where only tflite-runtime is installed, everything works the same."""

from __future__ import annotations

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.integration.inference.conftest import TWINS

ROOT = Path(__file__).parents[3]
PYTHON = Path(os.environ.get("EDGE_TFLITE_PYTHON", ROOT / ".venv-tflite" / "bin" / "python"))


@pytest.mark.timeout(300)
@pytest.mark.skipif(not find_spec("ai_edge_litert"), reason="this is tflite-runtime already")
def test_the_same_tests_pass_on_tflite_runtime(twins: Path, data_dir: Path) -> None:
    if PYTHON.parent.parent.is_dir() and not PYTHON.exists():
        pytest.skip("there is no Python 3.11 here, the last one that tflite-runtime has wheels for")
    if not PYTHON.exists():
        pytest.fail(
            f"{PYTHON} does not exist: `make test` makes it, a virtual environment with "
            "tflite-runtime and without ai-edge-litert; EDGE_TFLITE_PYTHON may name another"
        )
    # OpenCV is an older one there, too: what it reads is tested with it.
    tests = ["tests/unit/inference", "tests/integration/inference", "tests/unit/capture"]
    run = subprocess.run(
        [PYTHON, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        env=os.environ | {TWINS: str(twins), "EDGE_TEST_DATA": str(data_dir)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]
    name = "import edge_runtime.inference.litert as l; print(l.runtime()[0])"
    used = subprocess.run(
        [PYTHON, "-c", name], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert used.stdout.strip() == "tflite"
