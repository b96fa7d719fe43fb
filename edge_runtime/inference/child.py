"""Tries something in a child process first, for a damaged model can crash an interpreter.

A module that can be tried has a `main` that calls `answer`; ``python -m MODULE PATH`` is the child.
It says on its standard output what became of it, and imports what that needs and nothing more.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from edge_runtime.errors import EdgeRuntimeError


def ask(
    module: str, path: Path, *, what: str, failed: type[EdgeRuntimeError], timeout: float
) -> None:
    """Let a child process try what lies at `path`.

    Args:
        module: the name of the module whose `main` does it.
        path: its argument.
        what: how errors call it, e.g. ``model detector.tflite``.
        failed: the error that is raised.
        timeout: seconds that it may take.

    Raises:
        EdgeRuntimeError: as `failed`: the child was killed, took too long, broke, or said no.
    """
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-m", module, str(path)],
            capture_output=True,
            text=True,
            timeout=timeout,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise failed(
            f"{what} was not loaded and tried within {timeout:g} s: "
            "it is damaged, or too large for this board"
        ) from error
    if child.returncode < 0:
        name = signal.Signals(-child.returncode).name
        raise failed(
            f"{what} is damaged: it crashed the interpreter ({name}), in a trial process; "
            "get it again"
        )
    problem = _problem(child.stdout)
    if problem is None:
        last = child.stderr.strip().rpartition("\n")[2]
        raise failed(f"the trial of {what} ended with {child.returncode}: {last}")
    if problem:
        raise failed(problem)


def _problem(answer: str) -> str | None:
    """What the child said: a sentence, or "" for none; None where it said nothing."""
    try:
        return str(json.loads(answer)["problem"])
    except (ValueError, KeyError, TypeError):
        return None


def answer(tried: Callable[[Path], str]) -> int:
    """The child's side: its exit status.

    Args:
        tried: tries what lies at the path: what is wrong as one sentence, or "".
    """
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.write(json.dumps({"problem": tried(Path(sys.argv[1]))}))
    return 0
