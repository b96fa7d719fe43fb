"""Keeps the passwords in URLs out of logs, errors, alerts and statuses."""

from __future__ import annotations

import re

# The user part of a URL ends at the last @ before the path: passwords with an @ in them are
# common in cameras, although the URL standard wants them percent-encoded.
_USER_PART = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/\s]*@")
_SECRET_QUERY = re.compile(
    r"(?i)(?P<key>[?&](?:password|passwd|pwd|pass|token|key|secret|auth)=)[^&\s'\"]*"
)


def redact(text: str) -> str:
    """`text` with user and password of every URL in it replaced by ``***``.

    >>> redact("cannot open rtsp://admin:s3cret@10.0.0.7/stream?token=abc&x=1")
    'cannot open rtsp://***@10.0.0.7/stream?token=***&x=1'
    """
    return _SECRET_QUERY.sub(r"\g<key>***", _USER_PART.sub(r"\g<scheme>***@", text))
