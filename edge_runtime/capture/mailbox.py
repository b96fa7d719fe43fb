"""The one slot between the thread that captures and the thread that analyses."""

from __future__ import annotations

import threading
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class Delivery(StrEnum):
    """What happens to an item that nobody has taken when the next one comes."""

    NEWEST = "newest"
    """It is replaced, and counted as dropped."""
    EVERY = "every"
    """The writer waits until it is taken."""


class Mailbox(Generic[T]):
    """Holds at most one item. Any number of threads may write, read and close."""

    def __init__(self, delivery: Delivery = Delivery.NEWEST) -> None:
        self._delivery = delivery
        self._changed = threading.Condition()
        self._items: list[T] = []
        self._dropped = 0
        self._closed = False

    def put(self, item: T) -> bool:
        """Leave `item`; False if the mailbox is closed and the item was not accepted."""
        with self._changed:
            if self._delivery is Delivery.EVERY:
                self._changed.wait_for(lambda: self._closed or not self._items)
            if self._closed:
                return False
            self._dropped += len(self._items)
            self._items = [item]
            self._changed.notify_all()
            return True

    def take(self, timeout: float | None = None) -> T | None:
        """The item, waiting for it up to `timeout` seconds (None: for ever).

        None when the time is over, or when the mailbox is closed and empty. What was left before
        it was closed can still be taken.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._items), timeout)
            if not self._items:
                return None
            item = self._items.pop()
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """Accept nothing more and wake everybody who waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def finished(self) -> bool:
        """Whether it is closed and nothing is left to take."""
        with self._changed:
            return self._closed and not self._items

    @property
    def dropped(self) -> int:
        """How many items were replaced before anybody took them."""
        return self._dropped
