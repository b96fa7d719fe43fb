"""Thousands of MQTT 5 clients over TLS in one thread: connect, subscribe, publish, and stay.

They speak just as much of the protocol as that takes (MQTT 5.0, sections 3.1 to 3.14).
"""

from __future__ import annotations

import random
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.certificates import Identity

_CONNACK, _PUBACK, _SUBACK, _PING = 2, 4, 9, b"\xc0\x00"
_PING_SECONDS = 30.0
_RETRY_SECONDS = (0.5, 2.0)
_PATIENCE_SECONDS = 15.0
"""For a connection that comes to nothing."""


class Stage(StrEnum):
    """How far a client is."""

    RESTING = "resting"
    CONNECTING = "connecting"
    SHAKING_HANDS = "shaking hands"
    ASKING = "asking"
    THERE = "there"


@dataclass(slots=True, eq=False)
class Client:
    """One device as the broker sees it.

    Attributes:
        name: that of its certificate.
        context: with its certificate.
        stage: how far it is.
        due: when to try again, or to give up, in monotonic seconds.
    """

    name: str
    context: ssl.SSLContext
    stage: Stage = Stage.RESTING
    due: float = 0.0
    sock: socket.socket | None = None
    waits_for: set[int] = field(default_factory=set)
    received: bytearray = field(default_factory=bytearray)


class Herd:
    """Connects all as soon as `go` is called, and again whenever they lose the broker.

    Args:
        port: the broker's, on 127.0.0.1.
        ca: whom to trust.
        identities: one a client.

    Attributes:
        attempts: how many connections were begun.
        complete: since when all are there, in monotonic seconds; None while one is not.
    """

    def __init__(self, port: int, ca: Path, identities: Sequence[Identity]) -> None:
        self._address = ("127.0.0.1", port)
        authority = ca.read_text()
        self._clients = [
            Client(each.certificate.stem, _context(authority, each)) for each in identities
        ]
        self._poller = select.epoll()
        self._by_number: dict[int, Client] = {}
        self._going = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="herd")
        self.attempts = 0
        self.complete: float | None = None

    @property
    def there(self) -> int:
        """How many are connected and subscribed, and have published."""
        return sum(each.stage is Stage.THERE for each in self._clients)

    def hold(self) -> None:
        """Nobody connects from now on."""
        self._going.clear()

    def go(self) -> None:
        """All connect, now."""
        self._going.set()

    def __enter__(self) -> Herd:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        for client in self._clients:
            self._drop(client, 0.0)
        self._poller.close()

    def _run(self) -> None:
        looked = pinged = time.monotonic()
        while not self._ending.is_set():
            for number, _ in self._poller.poll(0.05, 512):
                if client := self._by_number.get(number):
                    self._advance(client)
            now = time.monotonic()
            if now - looked >= 0.05:
                looked = now
                self._look_after(now)
            if now - pinged >= _PING_SECONDS:
                pinged = now
                self._ping()

    def _look_after(self, now: float) -> None:
        """Begin, give up, and see whether all are there."""
        if self.there < len(self._clients):
            self.complete = None
        elif self.complete is None:
            self.complete = now
        for client in self._clients:
            if client.stage is Stage.RESTING:
                if self._going.is_set() and now >= client.due:
                    self._begin(client)
            elif client.stage is not Stage.THERE and now >= client.due:
                self._drop(client, random.uniform(*_RETRY_SECONDS))

    def _begin(self, client: Client) -> None:
        self.attempts += 1
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(self._address)
        client.sock = sock
        client.stage = Stage.CONNECTING
        client.due = time.monotonic() + _PATIENCE_SECONDS
        self._by_number[sock.fileno()] = client
        self._poller.register(sock, select.EPOLLOUT)

    def _advance(self, client: Client) -> None:
        try:
            for wanted in self._step(client):
                assert client.sock
                self._poller.modify(client.sock, wanted)
        except (OSError, EOFError):
            self._drop(client, random.uniform(*_RETRY_SECONDS))

    def _step(self, client: Client) -> Iterator[int]:
        """Go one step on; yields what to wait for, where that changes."""
        sock = client.sock
        assert sock
        match client.stage:
            case Stage.CONNECTING:
                if error := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    raise OSError(error, "connect")
                self._poller.unregister(sock)
                client.sock = client.context.wrap_socket(
                    sock, do_handshake_on_connect=False, server_hostname=self._address[0]
                )
                self._poller.register(client.sock, select.EPOLLOUT)
                client.stage = Stage.SHAKING_HANDS
            case Stage.SHAKING_HANDS:
                assert isinstance(sock, ssl.SSLSocket)
                try:
                    sock.do_handshake()
                except ssl.SSLWantReadError:
                    yield select.EPOLLIN
                except ssl.SSLWantWriteError:
                    yield select.EPOLLOUT
                else:
                    sock.send(_connect(client.name))
                    client.stage, client.waits_for = Stage.ASKING, {_CONNACK}
                    client.received.clear()
                    yield select.EPOLLIN
                    self._read(client)
            case Stage.ASKING | Stage.THERE:
                self._read(client)

    def _read(self, client: Client) -> None:
        sock = client.sock
        assert sock
        with suppress(ssl.SSLWantReadError):
            while True:
                if not (content := sock.recv(4096)):
                    raise EOFError
                client.received += content
        for kind in _packets(client.received):
            client.waits_for.discard(kind)
            if kind == _CONNACK:
                client.waits_for = {_SUBACK, _PUBACK}
                sock.send(_greetings(client.name))
        if client.stage is Stage.ASKING and not client.waits_for:
            client.stage = Stage.THERE

    def _ping(self) -> None:
        for client in self._clients:
            if client.stage is Stage.THERE and client.sock:
                with suppress(OSError):
                    client.sock.send(_PING)

    def _drop(self, client: Client, rest: float) -> None:
        client.stage = Stage.RESTING
        client.due = time.monotonic() + rest
        sock, client.sock = client.sock, None
        if sock is not None and sock.fileno() >= 0:
            self._by_number.pop(sock.fileno(), None)
            with suppress(OSError):
                self._poller.unregister(sock)
            sock.close()


def _context(authority: str, identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority)
    context.load_cert_chain(identity.certificate, identity.key)
    return context


def _connect(name: str) -> bytes:
    """Clean start, keepalive 60 s."""
    return _packet(
        0x10, _text("MQTT") + b"\x05\x02" + (60).to_bytes(2, "big") + b"\x00" + _text(name)
    )


def _greetings(name: str) -> bytes:
    """SUBSCRIBE to the device's commands, and a retained status with QoS 1."""
    root = f"edge/v1/herd/{name}"
    subscribe = _packet(0x82, b"\x00\x01\x00" + _text(f"{root}/command/+") + b"\x01")
    status = b'{"state":"online","version":"herd"}'
    return subscribe + _packet(0x33, _text(f"{root}/status") + b"\x00\x02\x00" + status)


def _packet(head: int, body: bytes) -> bytes:
    length, left = bytearray(), len(body)
    while True:
        left, digit = divmod(left, 128)
        if not left:
            return bytes([head, *length, digit]) + body
        length.append(digit | 0x80)


def _text(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


def _packets(received: bytearray) -> Iterator[int]:
    """The kinds of the packets that are whole, which are taken out."""
    while len(received) >= 2:
        size, at = 0, 1
        while True:
            if at >= len(received):
                return
            size |= (received[at] & 0x7F) << 7 * (at - 1)
            at += 1
            if received[at - 1] < 0x80:
                break
        if len(received) < at + size:
            return
        yield received[0] >> 4
        del received[: at + size]
