"""The container: an uncompressed tar of which every byte is determined by its members.

A reader does not interpret headers: it knows which member has to come, makes the header that this
member has, and compares. What `tar` would also take (links, paths, owners, duplicates, extensions)
is therefore no special case; it is just not equal.
Source: POSIX.1-1988 "ustar" (https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html,
ustar Interchange Format).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from edge_runtime.bundle.errors import (
    DamagedError,
    NewerFormatError,
    NotABundleError,
    TooLargeError,
    TruncatedError,
)

FORMAT: Final = 1
"""The container's and the manifest's version. It stands in the first member's name."""
SIGNATURE = f"edge-bundle-{FORMAT}.sig"
MANIFEST = "manifest.json"
SIGNATURE_SIZE = 146
"""Bytes: 16 hexadecimal digits of the key id, a newline, 128 of the signature, a newline."""
MAX_MANIFEST = 1 << 20
MAX_BUNDLE = 64 << 20
"""Bytes. A MobileNet has a few millions; a board must not be filled by what nobody signed."""

_BLOCK = 512
_END = bytes(2 * _BLOCK)
_SIZE_FIELD = slice(124, 136)
_FIRST_NAME = re.compile(rb"edge-bundle-(\d{1,4})\.sig\0")


def pack(signature: bytes, manifest: bytes, files: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """The bytes of a bundle, piece by piece; `files` as (name, content)."""
    for name, content in ((SIGNATURE, signature), (MANIFEST, manifest), *files):
        yield _header(name, len(content))
        yield content
        yield bytes(_padding(len(content)))
    yield _END


@dataclass(slots=True)
class Cursor:
    """Walks through a bundle's bytes, and refuses the first that is not as it has to be.

    Attributes:
        where: what the bytes are called in errors.
        content: the whole bundle.
    """

    where: str
    content: memoryview
    _at: int = 0

    def signature(self) -> memoryview:
        """The signature; raises NotABundleError, NewerFormatError and what `member` raises."""
        name = _FIRST_NAME.match(self.content)
        if name is None:
            raise NotABundleError(
                f"{self.where} is not a model bundle: it does not begin with {SIGNATURE}"
                if self.content
                else f"{self.where} is empty"
            )
        if int(name[1]) > FORMAT:
            raise NewerFormatError(
                f"bundle {self.where} has format {int(name[1])} and this software reads up to "
                f"{FORMAT}: update edge-runtime first"
            )
        return self.member(SIGNATURE, SIGNATURE_SIZE)

    def manifest(self) -> memoryview:
        """The manifest; raises TooLargeError and what `member` raises."""
        field = bytes(self._peek(_BLOCK)[_SIZE_FIELD])
        if not re.fullmatch(rb"[0-7]{11}\0", field):
            raise self._damaged()
        size = int(field[:-1], 8)
        if size > MAX_MANIFEST:
            raise TooLargeError(
                f"the manifest of bundle {self.where} has {size} bytes, "
                f"and at most {MAX_MANIFEST} are read"
            )
        return self.member(MANIFEST, size)

    def member(self, name: str, size: int) -> memoryview:
        """The content of the next member, which has to be this one.

        Raises:
            TruncatedError: the file ends before it does.
            DamagedError: another header, or padding that is not empty.
        """
        if self._peek(_BLOCK) != _header(name, size):
            raise self._damaged()
        self._at += _BLOCK
        content = self._peek(size)
        self._at += size
        self._zeros(_padding(size))
        return content

    def end(self) -> None:
        """Nothing but the end may follow."""
        self._zeros(len(_END))
        if self._at != len(self.content):
            raise DamagedError(
                f"bundle {self.where} has {len(self.content) - self._at} bytes after its end: "
                "copy it again"
            )

    def _peek(self, size: int) -> memoryview:
        part = self.content[self._at : self._at + size]
        if len(part) < size:
            raise TruncatedError(
                f"bundle {self.where} is cut short: it ends after {len(self.content)} bytes, and "
                f"at least {self._at + size} are needed; copy it again"
            )
        return part

    def _zeros(self, size: int) -> None:
        if self._peek(size) != bytes(size):
            raise self._damaged()
        self._at += size

    def _damaged(self) -> DamagedError:
        return DamagedError(f"bundle {self.where} is damaged near byte {self._at}: copy it again")


def _header(name: str, size: int) -> bytes:
    """The one header that a member of this name and size has: mode 0644, nobody's, no date."""
    fields = struct.pack(
        "100s8s8s8s12s12s8sc100s6s2s247x",
        name.encode(),
        b"0000644",
        b"0000000",
        b"0000000",
        b"%011o" % size,
        b"%011o" % 0,
        b" " * 8,  # the checksum is taken with blanks in its place
        b"0",
        b"",
        b"ustar",
        b"00",
    )
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]


def _padding(size: int) -> int:
    return -size % _BLOCK
