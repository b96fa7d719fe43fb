"""The chain of hashes over the alerts of one epoch, and its head.

Every alert carries the hash of the one before it and its own. Its own is SHA-256 over its
canonical JSON without the attribute `hash`: RFC 8785 (https://www.rfc-editor.org/rfc/rfc8785), so
that it stays the same however a broker, a database or a subscriber formats the JSON in between.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edge_runtime.dsse import pae

BEGINNING = "0" * 64
"""What the first alert of a chain carries in the place of the hash of the one before it."""
HEAD_TYPE = "application/vnd.edge-runtime.chain-head+json"

_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


@dataclass(frozen=True, slots=True)
class ChainName:
    """Whose chain it is: one epoch of one device."""

    site: str
    device: str
    epoch: int

    def __str__(self) -> str:
        return f"{self.site}/{self.device}, epoch {self.epoch}"


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain stands: it vouches for every alert of the epoch up to `sequence`.

    Attributes:
        site: the device's site.
        device: its name.
        epoch: the outbox's.
        first: the number of the first alert in the chain: 1, or more where an outbox of a version
            that knew no chain was taken over.
        sequence: the number of the last alert that was committed; 0 before any.
        hash: the `hash` of that alert; `BEGINNING` while there is none in the chain.
    """

    site: str
    device: str
    epoch: int
    first: int
    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class Links:
    """What joins an alert to its neighbours; None in one that is in no chain.

    Attributes:
        previoushash: the hash of the alert before it.
        hash: its own.
    """

    previoushash: str | None
    hash: str | None


def canonical(document: Mapping[str, Any]) -> bytes:
    """The JSON of `document` in the form of RFC 8785.

    It is that for what alerts and heads hold: keys in ASCII, and numbers that are whole or have at
    most four decimals, which Python and JavaScript write alike.
    """
    return _text(_whole_numbers(document))


def digest(document: Mapping[str, Any]) -> str:
    """The hash that the alert `document` has to carry, whatever it says itself."""
    return _digest(_whole_numbers({k: v for k, v in document.items() if k != "hash"}))


def digest_as_made(document: Mapping[str, Any]) -> str:
    """The same for an alert that has no hash yet, and whose whole numbers are integers already."""
    return _digest(document)


def links(payload: str, epoch: int, number: int, *, hashed: bool) -> Links | None:
    """The links of an alert that is as it was committed; None of one that is not.

    Args:
        payload: its JSON.
        epoch: the alert's.
        number: the same.
        hashed: whether it must have a hash; those before a chain have none, and are believed.
    """
    try:
        document = json.loads(payload)
        found = Links(document.get("previoushash"), document.get("hash"))
        if found.hash is None:
            return None if hashed else found
        made = digest_as_made({key: document[key] for key in document if key != "hash"})
        whole = found.hash == made and document["id"].endswith(f"/{epoch}/{number}")
    except (ValueError, AttributeError, KeyError, RecursionError):
        return None
    return found if whole else None


def to_sign(head: Head, time: str) -> bytes:
    """What a device signs: DSSE's PAE(type, body) of the head and of the moment, RFC 3339.

    The type in it keeps a signature over a head from being taken for one over something else
    (https://github.com/secure-systems-lab/dsse/blob/master/protocol.md).
    """
    return pae(HEAD_TYPE, canonical({**asdict(head), "time": time}))


def _digest(document: Any) -> str:
    return hashlib.sha256(_text(document)).hexdigest()


def _text(document: Any) -> bytes:
    return _ENCODER.encode(document).encode()


def _whole_numbers(value: Any) -> Any:
    """`value` with 1.0 as 1: JSON makes no difference, and RFC 8785 writes the latter."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _whole_numbers(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_whole_numbers(each) for each in value]
    return value
