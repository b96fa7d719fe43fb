"""Alerts for a program of your own that keeps them: an iterator of alerts with `ack()`.

    with Subscriber(MqttSettings("mqtt.bank.example", "my-store", tls=True)) as alerts:
        for alert in alerts:
            keep(alert.payload)     # once it returns, it is kept
            alert.ack()

Nothing is kept here: what was acknowledged is known from the broker, which keeps the latest
acknowledgement of each device, or from `held`. So an alert may come more than once, as long as not
all before it are acknowledged; `alert.event.id` tells.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from time import monotonic

from edge_runtime.alerts.alert import AlertEvent
from edge_runtime.alerts.chain import ChainName
from edge_runtime.backoff import Backoff
from edge_runtime.centre.asking import acknowledgement
from edge_runtime.centre.incoming import Arrival, Device, read_arrival, read_dropped
from edge_runtime.centre.pacing import AcknowledgementPacer
from edge_runtime.centre.standing import Gone, Link, Reason, Standing, advanced
from edge_runtime.messaging.connection import NETWORK_SECONDS, Connection, Received, Session
from edge_runtime.messaging.failures import BrokerRefusedError, MqttError, silent
from edge_runtime.messaging.settings import MqttSettings
from edge_runtime.messaging.waking import Waker
from edge_runtime.messaging.wire import Acknowledgement, Range, WireError

_log = logging.getLogger(__name__)

_FILTERS = ("alert/#", "dropped", "ack")
_SESSION = Session(expires=300, receive_maximum=100)
_LONGEST_TURN = 1.0

Dropped = Callable[[ChainName, Range], None]


def _tell(chain: ChainName, told: Range) -> None:
    _log.warning("%s: the device gave up the alerts %d to %d", chain, told.first, told.last)


@dataclass(frozen=True, slots=True)
class ReceivedAlert:
    """An alert, to be kept and then acknowledged.

    Attributes:
        event: the alert.
        payload: the same as it came, byte for byte.
        chain: whose it is, and of which epoch.
        sequence: its number in it.
    """

    event: AlertEvent
    payload: bytes
    chain: ChainName
    sequence: int
    _acknowledge: Callable[[], None] = field(repr=False, compare=False)

    def ack(self) -> None:
        """It is kept: the device may forget it, as soon as all before it are kept, too."""
        self._acknowledge()


@dataclass(slots=True)
class _Position:
    """How far a chain is acknowledged, and what of it beyond that."""

    standing: Standing = field(default_factory=Standing)
    links: dict[int, Link] = field(default_factory=dict)
    gone: list[Gone] = field(default_factory=list)

    def advance(self) -> bool:
        """Go as far as it goes: whether that is further."""
        before = self.standing
        self.standing = advanced(before, self.links, self.gone)
        self._forget()
        return self.standing.sequence > before.sequence

    def begin_at(self, sequence: int, digest: str | None) -> None:
        """All up to `sequence` are held, as the last acknowledgement says."""
        if sequence > self.standing.sequence:
            self.standing = Standing(sequence, digest)
            self._forget()

    def _forget(self) -> None:
        done = self.standing.sequence
        self.links = {number: link for number, link in self.links.items() if number > done}
        self.gone = [each for each in self.gone if each.last > done]


class Subscriber:
    """The alerts of a broker, one after another; a context manager, used by one thread.

    What goes on at the broker is seen to while the iterator is asked for the next alert: who takes
    longer than the keepalive for one loses the connection, and gets the alert again.
    """

    def __init__(
        self,
        settings: MqttSettings,
        *,
        site: str = "+",
        device: str = "+",
        held: Mapping[ChainName, int] | None = None,
        on_dropped: Dropped = _tell,
    ) -> None:
        """Prepare; nothing is opened before the first alert is asked for.

        Args:
            settings: where the broker is; the client id has to be the same after a restart.
            site: of which alerts are asked for; by default all.
            device: the same.
            held: what you hold of each chain without a gap, where you know it better than the
                broker.
            on_dropped: is told what devices gave up; by default the log is.
        """
        self._settings = settings
        self._filters = [f"edge/v1/{site}/{device}/{each}" for each in _FILTERS]
        self._on_dropped = on_dropped
        self._positions = {
            key: _Position(Standing(number, None)) for key, number in (held or {}).items()
        }
        self._connection: Connection | None = None
        self._pacer = AcknowledgementPacer()
        self._refused: set[str] = set()
        self._stopping = False
        self._waker = Waker()

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *_: object) -> None:
        self._waker.close()

    def stop(self) -> None:
        """Let the iteration end; from any thread, or from a signal handler."""
        self._stopping = True
        with suppress(OSError):  # it may be over already
            self._waker.wake()

    def accept(self, chain: ChainName) -> None:
        """Go on with a chain that is broken: an alert that does not follow the one before it."""
        position = self._positions.get(chain)
        if position is not None and position.standing.broken:
            number = position.standing.sequence + 1
            position.gone.append(Gone(number, number, Reason.ACCEPTED))
            self._advance(chain, position)

    def __iter__(self) -> Iterator[ReceivedAlert]:
        """Alerts as they come, over as many connections as it takes.

        Raises:
            BrokerRefusedError: somebody has to change something.
        """
        delays = Backoff().delays()
        while not self._stopping:
            began = monotonic()
            try:
                with Connection(self._settings, session=_SESSION) as connection:
                    self._open(connection)
                    try:
                        yield from self._serve(connection)
                    finally:
                        self._close(connection)
            except BrokerRefusedError:
                raise
            except MqttError as error:
                _log.warning("%s", error)
            if monotonic() - began > 10.0:
                delays = Backoff().delays()
            self._rest(next(delays))

    def _open(self, connection: Connection) -> None:
        connection.open()
        deadline = monotonic() + NETWORK_SECONDS
        while not connection.accepted:
            if monotonic() >= deadline:
                raise silent(self._settings.address)
            self._turn(connection, 0.1)
        connection.subscribe(self._filters)
        self._connection = connection

    def _close(self, connection: Connection) -> None:
        """End a connection; what was acknowledged still goes out, if it lives."""
        self._flush(connection, inf)
        self._connection = None
        if connection.failure is None:
            connection.disconnect(1.0)

    def _serve(self, connection: Connection) -> Iterator[ReceivedAlert]:
        while not self._stopping:
            now = monotonic()
            self._flush(connection, now)
            pause = self._pacer.wait(now) if connection.free else None
            self._turn(connection, _LONGEST_TURN if pause is None else min(pause, _LONGEST_TURN))
            for topic_filter, why in connection.refusals:
                raise BrokerRefusedError(
                    f"the broker {self._settings.address} lets this client not subscribe to "
                    f"{topic_filter}: {why}"
                )
            connection.answers.clear()
            received, connection.received = connection.received, []
            for message in received:
                try:
                    alert = self._taken(connection, message)
                except WireError as error:
                    self._refuse(message, error)
                    connection.acknowledge([message])
                    continue
                if alert is not None:
                    yield alert

    def _taken(self, connection: Connection, message: Received) -> ReceivedAlert | None:
        _, _, site, device, kind, *_ = message.topic.split("/")
        if kind == "alert":
            return self._alert(connection, message, read_arrival(message))
        if kind == "ack":
            told = Acknowledgement.read(message.payload)
            chain = ChainName(site, device, told.epoch)
            position = self._position(chain)
            position.begin_at(told.sequence, told.hash)
            self._advance(chain, position)
        elif kind == "dropped":
            dropped = read_dropped(Device(site, device), message.payload)
            chain = ChainName(site, device, dropped.epoch)
            for each in dropped.ranges:
                self._give_up(chain, each)
        connection.acknowledge([message])
        return None

    def _alert(
        self, connection: Connection, message: Received, arrival: Arrival
    ) -> ReceivedAlert | None:
        position = self._position(arrival.chain)
        number = arrival.sequence
        if number <= position.standing.sequence or number in position.links:
            connection.acknowledge([message])
            self._acknowledge(arrival.chain, position)
            return None

        def kept() -> None:
            if self._connection is connection:
                connection.acknowledge([message])
            position.links[number] = Link(arrival.event.previoushash, arrival.event.hash)
            self._advance(arrival.chain, position)

        return ReceivedAlert(arrival.event, arrival.payload, arrival.chain, number, kept)

    def _give_up(self, chain: ChainName, told: Range) -> None:
        position = self._position(chain)
        gone = Gone(told.first, told.last, Reason.DROPPED, told.previoushash, told.hash)
        if told.last <= position.standing.sequence:
            self._acknowledge(chain, position)
        elif gone not in position.gone:
            position.gone.append(gone)
            self._on_dropped(chain, told)
            self._advance(chain, position)

    def _advance(self, chain: ChainName, position: _Position) -> None:
        was_broken = position.standing.broken
        if position.advance():
            self._acknowledge(chain, position)
        if position.standing.broken and not was_broken:
            _log.error(
                "%s: alert %d does not follow the one before it: nothing is acknowledged from "
                "there on until it is accepted",
                *(chain, position.standing.sequence + 1),
            )

    def _acknowledge(self, chain: ChainName, position: _Position) -> None:
        standing = position.standing
        if standing.sequence > 0:
            told = Acknowledgement(
                epoch=chain.epoch, sequence=standing.sequence, hash=standing.hash
            )
            self._pacer.add({chain: told})
            if self._connection is not None:
                self._flush(self._connection, monotonic())

    def _flush(self, connection: Connection, now: float) -> None:
        """Send the acknowledgements that are due at `now`, monotonic seconds."""
        for chain, told in self._pacer.due(now, connection.room):
            connection.publish(acknowledgement(chain, told))

    def _position(self, chain: ChainName) -> _Position:
        return self._positions.setdefault(chain, _Position())

    def _refuse(self, message: Received, error: WireError) -> None:
        kind = message.topic.split("/")[4]
        if kind not in self._refused:
            self._refused.add(kind)
            _log.warning("a message that is no %s is refused: %s", kind, error)

    def _turn(self, connection: Connection, timeout: float) -> None:
        if connection.turn(self._waker.fileno(), timeout):
            self._waker.clear()
        if connection.failure is not None:
            raise connection.failure

    def _rest(self, seconds: float) -> None:
        if not self._stopping:
            self._waker.wait(seconds)
