"""What can go wrong while a model is made ready for the boards."""

from __future__ import annotations

from edge_runtime.errors import EdgeRuntimeError


class ExportError(EdgeRuntimeError):
    """A failure of the toolchain, in one sentence for the person who runs it."""
