"""Takes what devices tell from the broker into the database, and answers them.

The broker's message is acknowledged when the database has it, and not before: what a kill takes
away in between comes again. A database that is away stops all, and nothing is lost by that.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic

from edge_runtime.backoff import Backoff
from edge_runtime.centre.asking import Asker, acknowledgement
from edge_runtime.centre.database import DatabaseUrlError, StoreError, printable
from edge_runtime.centre.incoming import read_batch
from edge_runtime.centre.pacing import AcknowledgementPacer
from edge_runtime.centre.receiving import Recorded
from edge_runtime.centre.store import Store
from edge_runtime.messaging.connection import (
    NETWORK_SECONDS,
    Connection,
    Received,
    Session,
)
from edge_runtime.messaging.delivery import FAILURE
from edge_runtime.messaging.failures import MqttError, silent
from edge_runtime.messaging.settings import MqttSettings
from edge_runtime.messaging.tls_files import TlsFiles
from edge_runtime.messaging.waking import Waker

_log = logging.getLogger(__name__)

_ROOT = "edge/v1/+/+"
_SHARED = ("alert/#", "dropped", "response/#")
_ALL = ("status", "health")
"""Each centre hears these: the broker gives what it keeps to no shared subscription."""
_RECEIVE_MAXIMUM = 500
_MOST_AT_ONCE = 1000
"""Messages in one transaction, and those of QoS 0 that may wait for it."""
_LONGEST_TURN = 0.5
_RECONNECT = Backoff(0.2, 5.0)
"""There are few centres: they need not spare a broker that returns as a thousand boards do."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient a centre is, in seconds.

    Attributes:
        patience: for which a gap may last before the device is asked to fill it.
        ask_every: until it is asked for the same again; doubled each time.
        ask_longest: at most so many.
    """

    patience: float = 3.0
    ask_every: float = 5.0
    ask_longest: float = 300.0


class Centre:
    """One of the processes that share a broker's alerts and a database; used by one thread."""

    def __init__(
        self,
        settings: MqttSettings,
        store: Store,
        *,
        group: str = "centre",
        session_expiry: int = 20,
        asker: Asker | None = None,
        pace: Pace | None = None,
    ) -> None:
        """Prepare; nothing is opened before `run`.

        Args:
            settings: where the broker is; the client id has to be the same after a restart.
            store: the database.
            group: that of the shared subscription.
            session_expiry: seconds for which the broker keeps what comes while we are away.
            asker: makes the commands; by default unsigned ones.
            pace: how patient it is.
        """
        self._settings = settings
        self._store = store
        self._shared = [f"$share/{group}/{_ROOT}/{each}" for each in _SHARED]
        self._all = [f"{_ROOT}/{each}" for each in _ALL]
        self._session = Session(session_expiry, _RECEIVE_MAXIMUM)
        self._asker = asker or Asker()
        self._pace = pace or Pace()
        self._files = TlsFiles(settings)
        self._acknowledgements = AcknowledgementPacer()
        self._waiting: list[Received] = []
        self._pauses: Iterator[float] | None = None
        """Those between tries of a database that is away; None while it is there."""
        self._next_try = 0.0
        self._next_asks = 0.0
        self._told: set[str] = set()
        self._trouble: str | None = None
        self._stopping = False
        self._waker = Waker()

    def stop(self) -> None:
        """Let `run` end; from any thread, or from a signal handler."""
        self._stopping = True
        self._waker.wake()

    def run(self) -> None:
        """Serve until `stop`, over as many connections as it takes."""
        delays = _RECONNECT.delays()
        while not self._stopping:
            began = monotonic()
            try:
                self._connect_and_serve()
            except MqttError as error:
                if str(error) != self._trouble:
                    self._trouble = str(error)
                    _log.warning("%s", error)
            # What was not acknowledged comes again with the next connection.
            self._waiting.clear()
            if monotonic() - began > 10.0:
                delays = _RECONNECT.delays()
            self._rest(next(delays))

    def _connect_and_serve(self) -> None:
        self._files.used()
        with Connection(self._settings, session=self._session) as connection:
            connection.open()
            deadline = monotonic() + NETWORK_SECONDS
            while not connection.accepted:
                if monotonic() >= deadline:
                    raise silent(self._settings.address)
                self._turn(connection, 0.1)
            connection.subscribe(self._shared)
            connection.subscribe(self._all, as_published=False)
            self._trouble = None
            _log.info("listening at the broker %s", self._settings.address)
            while not self._stopping:
                self._serve(connection)
                if self._files.replaced(monotonic()):
                    _log.info("certificate or key were replaced: connecting anew")
                    break
            connection.disconnect(1.0)

    def _serve(self, connection: Connection) -> None:
        """One turn: take what came, store it, answer."""
        self._gather(connection)
        now = monotonic()
        if self._waiting and now >= self._next_try:
            self._record(connection)
        for chain, told in self._acknowledgements.due(now, connection.room):
            connection.publish(acknowledgement(chain, told))
        if now >= self._next_asks and connection.free:
            self._next_asks = now + max(self._pace.patience / 3, 0.05)
            self._ask(connection)

    def _gather(self, connection: Connection) -> None:
        """Wait for messages, and take all that are there, up to a limit."""
        self._turn(connection, self._longest_wait(connection.free))
        count = 0
        while count < len(connection.received) < _MOST_AT_ONCE:
            count = len(connection.received)
            self._turn(connection, 0.0)
        for received in connection.received:
            # The broker stops by itself at what waits for our word; at QoS 0 it does not.
            if received.number is not None or len(self._waiting) < _MOST_AT_ONCE:
                self._waiting.append(received)
        connection.received.clear()
        for topic_filter, reason in connection.refusals:
            _log.error("the broker lets this centre not subscribe to %s: %s", topic_filter, reason)
        connection.refusals.clear()
        for answer in connection.answers:
            if answer.code >= FAILURE:
                self._tell_once(f"the broker refuses what is sent to devices: {answer.name}")
        connection.answers.clear()

    def _longest_wait(self, free: bool) -> float:
        """Seconds until there is something to do; what is to be sent waits for answers first."""
        now = monotonic()
        waits = [_LONGEST_TURN]
        if free:
            waits.append(self._next_asks - now)
        if self._waiting:
            waits.append(self._next_try - now)
        if free and (pause := self._acknowledgements.wait(now)) is not None:
            waits.append(pause)
        return max(min(waits), 0.0)

    def _record(self, connection: Connection) -> None:
        try:
            recorded = self._store.record(read_batch(self._waiting), time.time())
        except StoreError as error:
            self._database_failed(error)
            return
        self._database_works()
        connection.acknowledge(self._waiting)
        self._waiting.clear()
        self._acknowledgements.add(recorded.acknowledgements)
        self._tell(recorded)

    def _ask(self, connection: Connection) -> None:
        now, pace = time.time(), self._pace
        try:
            asks = self._store.asks(
                now, pace.patience, pace.ask_every, pace.ask_longest, connection.room
            )
        except StoreError as error:
            self._database_failed(error)
            return
        self._database_works()
        for ask in asks:
            _log.info("%s is asked for the alerts from %d to %d", ask.chain, ask.first, ask.last)
            connection.publish(self._asker.resend(ask.chain, ask.id, ask.first, ask.last, now))

    def _database_failed(self, error: StoreError) -> None:
        if isinstance(error, DatabaseUrlError):
            raise error
        if self._pauses is None:
            _log.error("%s; what comes waits at the broker", error)
            self._pauses = Backoff(0.2, 5.0).delays()
        self._next_try = monotonic() + next(self._pauses)
        self._next_asks = self._next_try

    def _database_works(self) -> None:
        if self._pauses is not None:
            _log.info("the database works again")
            self._pauses = None

    def _turn(self, connection: Connection, timeout: float) -> None:
        if connection.turn(self._waker.fileno(), timeout):
            self._waker.clear()
        if connection.failure is not None:
            raise connection.failure

    def _rest(self, seconds: float) -> None:
        if not self._stopping:
            self._waker.wait(seconds)

    def _tell(self, recorded: Recorded) -> None:
        for conflict in recorded.conflicts:
            _log.error(
                "%s: alert %d came a second time with another content: one of the two is forged; "
                "both are kept",
                *(conflict.chain, conflict.sequence),
            )
        for broken in recorded.breaks:
            _log.error(
                "%s: alert %d does not follow the one before it: nothing is acknowledged from "
                "there on until edge-centre accept %s/%s",
                *(broken.chain, broken.sequence, broken.chain.site, broken.chain.device),
            )
        for chain, first, last in recorded.missing:
            _log.error(
                "%s: the alerts from %d to %d are lost: the device has them no more",
                *(chain, first, last),
            )
        for chain, first, last in recorded.dropped:
            _log.warning("%s: the device gave up the alerts from %d to %d", *(chain, first, last))
        for kind, (count, reason) in recorded.refused.items():
            self._tell_once(
                f"a message that is no {kind} is refused", f" ({count}): {printable(reason)}"
            )

    def _tell_once(self, what: str, more: str = "") -> None:
        if what not in self._told:
            self._told.add(what)
            _log.warning("%s%s; more of these are counted only", what, more)
