"""Waiting for a condition instead of sleeping."""

import time
from collections.abc import Callable


def until(condition: Callable[[], bool], seconds: float) -> float:
    """Wait until `condition` holds, `seconds` at most; how long it took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, f"it did not come about in {seconds} s"
        time.sleep(0.01)
    return time.monotonic() - start
