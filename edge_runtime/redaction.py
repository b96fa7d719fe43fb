"""Keeps the passwords in URLs out of logs, errors, alerts and statuses."""

from __future__ import annotations

import re

# Cameras take their password in the query, and many in the path (/user=admin_password=x.sdp).
_SECRET_VALUE = re.compile(
    r"(?i)(?P<key>[?&;/_](?:[a-z]+[_-])?(?:password|passwd|pwd|psw|pass|token|key|apikey|secret|auth)=)"
    r"[^&\s'\"]*"
)
# By the standard the user part ends at the first @ and none of / ? # is in it. People write their
# camera's password as it is, so everything up to the last @ counts as the user part: rather a
# host name too few in a log than half a password too many. Only where that finds nothing may the
# user part hold a double quote, which otherwise ends the URL.
_USER_PART = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?:[^\s\"]*|[^/\s]*)@", flags=re.ASCII
)


def redact(text: str) -> str:
    """`text` with user and password of every URL in it replaced by ``***``.

    A URL ends at white space; a password with white space in it must be percent-encoded.

    >>> redact("cannot open rtsp://admin:s3cret@10.0.0.7/stream?token=abc&x=1")
    'cannot open rtsp://***@10.0.0.7/stream?token=***&x=1'
    """
    return _USER_PART.sub(r"\g<scheme>***@", _SECRET_VALUE.sub(r"\g<key>***", text))
