"""What is signed wherever something is signed: DSSE's pre-authentication encoding.

The type in it keeps a signature over one kind of thing from being taken for one over another.
Source: https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
"""

from __future__ import annotations


def pae(kind: str, body: bytes) -> bytes:
    """PAE(type, body): the bytes that a signature over `body`, a thing of type `kind`, is over."""
    name = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(body), body)
