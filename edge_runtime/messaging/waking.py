"""Wakes a thread that waits for the network."""

from __future__ import annotations

import socket
from contextlib import suppress


class Waker:
    """A pair of sockets: whoever polls one of them is woken from any thread."""

    def __init__(self) -> None:
        self._waker, self._wakened = socket.socketpair()
        self._waker.setblocking(False)
        self._wakened.setblocking(False)

    def fileno(self) -> int:
        """What becomes readable when it is time to wake."""
        return self._wakened.fileno()

    def wake(self) -> None:
        """Wake the thread, now or as soon as it waits; from any thread."""
        # Where so many wakes wait already, one more says nothing new.
        with suppress(BlockingIOError):
            self._waker.send(b"\0")

    def clear(self) -> None:
        """Forget the wakes so far."""
        with suppress(BlockingIOError):
            while len(self._wakened.recv(4096)) == 4096:
                pass

    def close(self) -> None:
        """Close both; nobody can be woken any more."""
        self._waker.close()
        self._wakened.close()

    def wait(self, seconds: float) -> None:
        """Wait so long, or until a wake."""
        self._wakened.settimeout(seconds)
        try:
            self._wakened.recv(4096)
        except TimeoutError:
            pass
        finally:
            self._wakened.setblocking(False)
