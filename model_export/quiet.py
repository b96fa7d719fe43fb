"""Loads libraries whose native parts greet on standard error, which no setting of theirs stops."""

from __future__ import annotations

import os
import sys
import tempfile
from importlib import import_module
from typing import Any

_STDERR = 2


def load_quietly(name: str) -> Any:
    """The module; what is written to standard error while it is loaded shows only if that fails."""
    if name in sys.modules:
        return import_module(name)
    # TensorFlow reads it when it is loaded.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    own = os.dup(_STDERR)
    with tempfile.TemporaryFile() as said:
        try:
            os.dup2(said.fileno(), _STDERR)
            try:
                return import_module(name)
            finally:
                sys.stderr.flush()
                os.dup2(own, _STDERR)
        except BaseException:
            said.seek(0)
            os.write(_STDERR, said.read())
            raise
        finally:
            os.close(own)
