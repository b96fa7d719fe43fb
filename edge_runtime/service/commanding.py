"""Commands at work: taken in the publisher's thread, done in the daemon's, answered with a reason.

A command that is not done has an answer, too; whatever it held, nothing else is disturbed.
"""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.messaging.command_ids import CommandIds
from edge_runtime.messaging.commands import (
    Admission,
    Arguments,
    CommandName,
    RefusedError,
    Reply,
    Request,
    command_in,
    reply_to,
)
from edge_runtime.messaging.connection import Message, Received
from edge_runtime.messaging.wire import JSON_TYPE, Outcome, Response

logger = logging.getLogger(__name__)

Action = Callable[[Any], Mapping[str, Any] | None]
"""Does a command with its arguments: its result. Raises RefusedError if it was not begun, another
EdgeRuntimeError if it failed."""

_MOST_WAITING = 16
_RESPONSE_SECONDS = 300
"""An answer that comes later than this interests nobody."""
_LONGEST_NAME = 64


class CommandDesk:
    """Takes commands, has those done that may be, and answers all.

    `take` runs in the publisher's thread and is quick; `work` runs where the daemon's own work is
    done, one command after another.
    """

    def __init__(
        self,
        admission: Admission,
        remembered: Path,
        actions: Mapping[CommandName, Action],
        wake: Callable[[], None],
        send: Callable[[Message], None],
    ) -> None:
        """Prepare.

        Args:
            admission: which commands are done.
            remembered: the file of the ids of those that were done.
            actions: what each command does; one that is missing is refused.
            wake: tells the thread that calls `work` that there is something to do.
            send: sends a message to the broker.
        """
        self._admission = admission
        self._ids = CommandIds(remembered)
        self._actions = actions
        self._wake = wake
        self._send = send
        self._waiting: queue.SimpleQueue[Request] = queue.SimpleQueue()

    def take(self, received: Received) -> None:
        """A message came under ``command/+``."""
        now = time.time()
        try:
            request = self._admission.admit(received, now)
            if self._waiting.qsize() >= _MOST_WAITING:
                raise RefusedError(f"{_MOST_WAITING} commands wait already", request.id)
        except RefusedError as error:
            topics = self._admission.topics
            name = command_in(topics, received.topic)[:_LONGEST_NAME]
            self._answer(
                reply_to(topics, received, name),
                Response(
                    id=error.command_id, command=name, outcome=Outcome.REFUSED, reason=str(error)
                ),
            )
            return
        self._waiting.put(request)
        self._wake()

    def work(self) -> None:
        """Do what waits, and answer it."""
        while not self._waiting.empty():
            self._do(self._waiting.get())

    def _do(self, request: Request) -> None:
        outcome, reason, result = Outcome.DONE, None, None
        try:
            result = self._done(request)
        except RefusedError as error:
            outcome, reason = Outcome.REFUSED, str(error)
        except EdgeRuntimeError as error:
            outcome, reason = Outcome.FAILED, str(error)
        self._answer(
            request.reply,
            Response(
                id=request.id,
                command=request.name,
                outcome=outcome,
                reason=reason,
                result=None if result is None else dict(result),
            ),
        )

    def _done(self, request: Request) -> Mapping[str, Any] | None:
        now = time.time()
        if request.expires <= now:
            raise RefusedError("the command expired while it waited for those before it")
        action = self._actions.get(request.name)
        if action is None:
            raise RefusedError(f"this device cannot do {request.name}")
        if not self._ids.add(request.id, request.expires, now):
            raise RefusedError(f"a command with the id {request.id} was taken already")
        arguments: Arguments = request.arguments
        return action(arguments)

    def _answer(self, reply: Reply, response: Response) -> None:
        level = logging.INFO if response.outcome is Outcome.DONE else logging.WARNING
        reason = f": {response.reason}" if response.reason else ""
        logger.log(level, "command %s is %s%s", response.command, response.outcome, reason)
        self._send(
            Message(
                reply.topic,
                response.to_json(),
                JSON_TYPE,
                correlation=reply.correlation,
                expires=_RESPONSE_SECONDS,
            )
        )
