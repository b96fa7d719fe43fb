"""Log lines for people, or as JSON for journald and whoever collects it.

Every line passes `redact`, as a last net: a password must not reach a log, whoever forgot it.

As JSON, every line on standard error is an object. Native libraries write there on their own
(LiteRT greets with "INFO: Created ..."): what they write is read from a pipe in its place, and
logged.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from types import TracebackType
from typing import TextIO

from edge_runtime.alerts.alert import rfc3339
from edge_runtime.redaction import redact

logger = logging.getLogger(__name__)


class LogFormat(StrEnum):
    """How log lines look."""

    TEXT = "text"
    JSON = "json"


_PLAIN_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        camera = getattr(record, "camera", None)
        where = f" [{camera}]" if camera else ""
        line = f"{rfc3339(record.created)} {record.levelname}{where} {record.getMessage()}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return redact(line)


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": rfc3339(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {k: v for k, v in record.__dict__.items() if k not in _PLAIN_FIELDS}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        clean = {k: redact(v) if isinstance(v, str) else v for k, v in line.items()}
        return json.dumps(clean, default=lambda value: redact(str(value)))


@contextmanager
def configured(form: LogFormat, *, verbose: bool = False) -> Iterator[None]:
    """Send the log to standard error in the form asked for; what nobody caught goes there too."""
    level = logging.DEBUG if verbose else logging.INFO
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    if form is LogFormat.TEXT:
        _send(sys.stderr, _TextFormatter(), level)
        yield
    else:
        with _own_standard_error() as stream:
            _send(stream, _JsonFormatter(), level)
            yield


def _send(stream: TextIO, formatter: logging.Formatter, level: int) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)


_STDERR = 2
_LAST_WORDS_SECONDS = 0.1
_LEVELS = {"WARNING": logging.WARNING, "ERROR": logging.ERROR, "FATAL": logging.CRITICAL}
_native = logging.getLogger("native")


@contextmanager
def _own_standard_error() -> Iterator[TextIO]:
    """Standard error for the log alone; what others write to it is logged.

    The words of a library that ends the process get lost in the pipe; Python's own traceback of
    such an end does not.
    """
    own = os.fdopen(os.dup(_STDERR), "w", buffering=1)
    reader, writer = os.pipe()
    os.dup2(writer, _STDERR)
    os.close(writer)
    thread = threading.Thread(target=_log_lines, args=(reader,), name="native-output", daemon=True)
    thread.start()
    faulthandler.enable(own)
    # A log that cannot be written would say so on standard error, which is the log.
    logging.raiseExceptions = False
    try:
        yield own
    finally:
        # The pipe has no writer any more: the thread logs what is left in it and ends.
        sys.stderr.flush()
        os.dup2(own.fileno(), _STDERR)
        thread.join(_LAST_WORDS_SECONDS)


def _log_lines(reader: int) -> None:
    with os.fdopen(reader, errors="replace") as lines:
        for line in lines:
            level = _LEVELS.get(line.partition(":")[0], logging.INFO)
            _native.log(level, "%s", line.rstrip())


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    logging.critical("this should not have happened: %r", error, exc_info=(kind, error, trace))


def _log_uncaught_in_thread(failure: threading.ExceptHookArgs) -> None:
    name = failure.thread.name if failure.thread else "unknown"
    logging.critical(
        "this should not have happened, and ends the thread %s: %r",
        *(name, failure.exc_value),
        exc_info=failure.exc_value,
    )
