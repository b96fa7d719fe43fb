"""Loads a model in a child process first, for a damaged file can crash an interpreter.

``python -m edge_runtime.inference.trial MODEL.tflite`` is that child: it loads the file, runs it
once on grey and says on its standard output what became of it. The child imports what that needs
and nothing more.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from edge_runtime.inference import litert
from edge_runtime.inference.engine import InvokeError, ModelError
from edge_runtime.inference.tflite_file import EDGETPU_OP

TIMEOUT = 60.0
"""Seconds: loading a model and running it once is far faster on any board."""


def trial(path: Path, *, timeout: float = TIMEOUT) -> None:
    """Load and run `path` in a child process, on the CPU.

    A file for the Edge TPU cannot be run there; that it gets as far as its first TPU operator is
    all that is asked of it.

    Raises:
        ModelError: the child was killed, took longer than `timeout` seconds, or said no.
    """
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-m", __name__, str(path)],
            capture_output=True,
            text=True,
            timeout=timeout,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"model {path} was not loaded and run once within {timeout:g} s: "
            "it is damaged, or too large for this board"
        ) from error
    if child.returncode < 0:
        name = signal.Signals(-child.returncode).name
        raise ModelError(
            f"model {path} is damaged: loading it crashed the interpreter ({name}), "
            "in a trial process; copy it again"
        )
    problem = _problem(child.stdout)
    if problem is None:
        last = child.stderr.strip().rpartition("\n")[2]
        raise ModelError(f"the trial of model {path} ended with {child.returncode}: {last}")
    if problem:
        raise ModelError(problem)


def _problem(answer: str) -> str | None:
    """What the child said: a sentence, or "" for none; None where it said nothing."""
    try:
        return str(json.loads(answer)["problem"])
    except (ValueError, KeyError, TypeError):
        return None


def main() -> int:
    """The child's side."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    problem = ""
    try:
        litert.LiteRtEngine(Path(sys.argv[1]))
    except (ModelError, InvokeError) as error:
        problem = "" if EDGETPU_OP in str(error) else str(error)
    sys.stdout.write(json.dumps({"problem": problem}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
