"""What a device says besides its alerts: kept in memory, until the broker is there to take it."""

from __future__ import annotations

import logging
import threading
from collections import deque

from edge_runtime.messaging.connection import Answer, Connection, Message
from edge_runtime.messaging.delivery import FAILURE

_log = logging.getLogger(__name__)

_MOST_ANSWERS = 100


class Outgoing:
    """News, of which each topic's latest counts, and answers, which go out once.

    `tell`, `keep` and `answer` may be called from any thread, the rest from the publisher's own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._news: dict[str, Message] = {}
        self._kept: dict[str, Message] = {}
        self._answers: deque[Message] = deque(maxlen=_MOST_ANSWERS)
        """A broker that is away for long gets the latest."""
        self._in_flight: dict[int, Message] = {}

    def tell(self, message: Message) -> None:
        """Send `message`, unless a newer one of its topic comes before it could be sent."""
        with self._lock:
            self._news[message.topic] = message

    def keep(self, message: Message) -> None:
        """Send `message` now and over every new connection, instead of the one before it."""
        with self._lock:
            self._kept[message.topic] = self._news[message.topic] = message

    def answer(self, message: Message) -> None:
        """Send `message` once."""
        self._answers.append(message)

    @property
    def in_flight(self) -> int:
        """How many wait for the broker's answer."""
        return len(self._in_flight)

    def connected(self) -> None:
        """A new connection: of what went over the one before, nothing more will be heard."""
        self._in_flight.clear()
        with self._lock:
            self._news = {**self._kept, **self._news}

    def send(self, connection: Connection) -> None:
        """Send what there is, as long as the broker lets so much be in flight."""
        while self._news and connection.free:
            with self._lock:
                message = self._news.pop(next(iter(self._news)))
            self._send(connection, message)
        while self._answers and connection.free:
            self._send(connection, self._answers.popleft())

    def answered(self, answer: Answer) -> None:
        """The broker answered."""
        message = self._in_flight.pop(answer.message, None)
        if message is not None and answer.code >= FAILURE:
            _log.error("the broker refuses %s: %s", message.topic, answer.name)

    def _send(self, connection: Connection, message: Message) -> None:
        number = connection.publish(message)
        if number is None:
            _log.error("the broker takes no packet as large as that for %s", message.topic)
        else:
            self._in_flight[number] = message
