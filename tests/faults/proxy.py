"""A TCP proxy that is the network between a device and its broker, and can be a bad one.

`tc netem` below a real TCP would be the real thing; it asks for root and for a kernel that has it,
so this does what TCP makes of such a network, as the two ends see it: bytes are never lost or
turned round in a connection, they come late. A lost segment is one that holds up all that come
after it until it has been sent again: a retransmission timeout (RFC 6298; Linux: 200 ms or more),
taken here as 200 ms and the round trip, twice as long each time that it is lost again. What this
leaves out: the congestion window, which also shrinks; and loss of what opens a connection.
"""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.broker import free_port

_SEGMENT = 1448
_LEAST_TIMEOUT = 0.2


class Way(StrEnum):
    """How the way to the broker is."""

    OPEN = "open"
    CUT = "cut"
    """All connections are reset and new ones refused."""
    DARK = "dark"
    """Nothing arrives and nothing closes; TCP sends it again when it is light."""


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens to what passes.

    Attributes:
        delay: seconds, in each direction.
        loss: the part of all segments that is lost and sent again, 0..1.
    """

    delay: float = 0.0
    loss: float = 0.0

    def lateness(self, size: int, dice: random.Random) -> float:
        """How late, in seconds, `size` bytes come."""
        late = self.delay
        for _ in range(0, size, _SEGMENT):
            timeout = _LEAST_TIMEOUT + 2 * self.delay
            while dice.random() < self.loss:
                late += timeout
                timeout *= 2
        return late


class Proxy:
    """Takes connections on 127.0.0.1 and makes one to the target for each; a context manager.

    All methods may be called from any thread, and return when it is so.

    Attributes:
        port: where it listens.
        connections: how many were ever taken.
    """

    def __init__(self, host: str, port: int, seed: int = 1) -> None:
        self.port = free_port()
        self.connections = 0
        self._target = host, port
        self._dice = random.Random(seed)
        self._way = Way.OPEN
        self._weather = Weather()
        self._loop = asyncio.new_event_loop()
        self._light = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._orphans: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def set_way(self, way: Way) -> None:
        """Cut the way, darken it, or open it again."""
        self._do(self._set_way(way))

    def set_weather(self, weather: Weather) -> None:
        """Delay and lose what comes from now on."""
        self._weather = weather

    def forget_connections(self) -> None:
        """Leave the device half-open: the broker's side is gone, and nobody tells the device."""
        self._do(self._forget_connections())

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._do(self._set_way(Way.OPEN))
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10.0)

    async def _set_way(self, way: Way) -> None:
        self._way = way
        if way is Way.DARK:
            self._light.clear()
        else:
            self._light.set()
        if way is Way.CUT:
            if self._server is not None:
                self._server.close()
                self._server = None
            for writer in self._writers:
                writer.transport.abort()
        elif self._server is None:
            self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port)

    async def _forget_connections(self) -> None:
        self._orphans |= self._writers

    async def _close(self) -> None:
        await self._set_way(Way.CUT)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await self._light.wait()
        try:
            other_reader, other_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        for each in (writer, other_writer):
            each.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = {writer, other_writer}
        self._writers |= pair
        pumps = [
            asyncio.create_task(self._pump(reader, other_writer)),
            asyncio.create_task(self._pump(other_reader, writer)),
        ]
        self._tasks.update(pumps)
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        if self._orphans & pair:
            # The broker's end closes; the device's stays open, and is listened to in vain.
            other_writer.transport.abort()
            await asyncio.wait(pumps)
        for each in pair:
            each.transport.abort()
        self._writers -= pair
        self._orphans -= pair
        self._tasks.difference_update(pumps)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Bring what `reader` has to `writer`, late if the weather is so."""
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        bringer = asyncio.create_task(self._bring(late, writer))
        due = 0.0
        try:
            while data := await reader.read(65536):
                await self._light.wait()
                if writer in self._orphans:
                    continue  # Swallowed.
                now = self._loop.time()
                due = max(due, now + self._weather.lateness(len(data), self._dice))
                late.put_nowait((due, data))
        except OSError:
            return
        finally:
            late.put_nowait((due, b""))
            with suppress(OSError):
                await bringer

    async def _bring(
        self, late: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        while True:
            due, data = await late.get()
            await asyncio.sleep(max(due - self._loop.time(), 0.0))
            await self._light.wait()
            if not data:
                return
            if writer not in self._orphans:
                writer.write(data)
                await writer.drain()
