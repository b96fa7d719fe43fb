"""Log lines for people, or as JSON for journald and whoever collects it.

Every line passes `redact`, as a last net: a password must not reach a log, whoever forgot it.
"""

from __future__ import annotations

import json
import logging
import sys
from enum import StrEnum

from edge_runtime.alerts.alert import rfc3339
from edge_runtime.redaction import redact


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
        return redact(json.dumps(line, default=str))


def configure(form: LogFormat, *, verbose: bool = False) -> None:
    """Send the log to standard error in the form asked for."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if form is LogFormat.JSON else _TextFormatter())
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True
    )
