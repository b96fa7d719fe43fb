"""Loads a model in a child process first, for a damaged file can crash an interpreter.

``python -m edge_runtime.inference.trial MODEL.tflite`` is that child: it loads the file, and runs
it once on grey.
"""

from __future__ import annotations

import sys
from pathlib import Path

from edge_runtime.inference import child, litert
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
    child.ask(__name__, path, what=f"model {path}", failed=ModelError, timeout=timeout)


def _tried(path: Path) -> str:
    try:
        litert.LiteRtEngine(path)
    except (ModelError, InvokeError) as error:
        return "" if EDGETPU_OP in str(error) else str(error)
    return ""


if __name__ == "__main__":
    sys.exit(child.answer(_tried))
