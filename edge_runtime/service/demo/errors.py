"""What can be wrong with a demo."""

from __future__ import annotations

from edge_runtime.errors import EdgeRuntimeError


class DemoError(EdgeRuntimeError):
    """The demo cannot be shown."""
