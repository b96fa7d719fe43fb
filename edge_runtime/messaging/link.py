"""How the way to the broker is: told once a change, and counted."""

from __future__ import annotations

import logging
import time
from collections import Counter
from enum import StrEnum

_log = logging.getLogger(__name__)


class LinkState(StrEnum):
    """How the way to the broker is."""

    CONNECTING = "connecting"
    """Trying for the first time, or again."""
    ONLINE = "online"
    """The broker has accepted us."""
    WAITING = "waiting"
    """It cannot be reached; waiting before the next try."""
    REFUSED = "refused"
    """Somebody has to change something: password, certificate, rights. Tried again all the same."""
    STOPPED = "stopped"
    """Not started yet, or stopped."""


class Link:
    """The state of the way to one broker. One thread writes, others may read.

    Attributes:
        state: how it is.
        since: Unix seconds when it became so.
        changes: how often each state was entered.
        last_error: the latest failure in words; None before the first.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._reported = ""
        self.state = LinkState.STOPPED
        self.since = time.time()
        self.changes: Counter[LinkState] = Counter()
        self.last_error: str | None = None

    def enter(self, state: LinkState) -> None:
        """The link is in `state` now, and all is well."""
        self._count(state)
        # To try is no news: how it ends is.
        if state is not LinkState.CONNECTING:
            self._report(logging.INFO, f"MQTT {state}: {self._address}")

    def fail(self, state: LinkState, reason: str) -> None:
        """The link is in `state` now because of `reason`, one sentence."""
        self._count(state)
        self.last_error = reason
        self._report(logging.WARNING, f"MQTT {state}: {reason}")

    def _count(self, state: LinkState) -> None:
        if state is not self.state:
            self.state, self.since = state, time.time()
            self.changes[state] += 1

    def _report(self, level: int, news: str) -> None:
        """Tell it, unless it was the last thing told: failing again and again is one piece."""
        if news != self._reported:
            self._reported = news
            _log.log(level, "%s", news)
