"""Reads bundles: what is not proven is not parsed.

In this order: the size of the file, the signature's fixed bytes, the manifest's length, the
signature over the manifest's bytes; only then the manifest's JSON, and the hash of each file.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle import manifest as manifests
from edge_runtime.bundle.container import (
    MANIFEST,
    MAX_BUNDLE,
    MAX_MANIFEST,
    SIGNATURE,
    SIGNATURE_SIZE,
    Cursor,
)
from edge_runtime.bundle.errors import (
    HashMismatchError,
    ManifestError,
    NotABundleError,
    TooLargeError,
)
from edge_runtime.bundle.manifest import FileEntry, Manifest
from edge_runtime.bundle.trust import Signature, TrustedKeys

Content = bytes | memoryview


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A bundle that is whole and signed by a trusted key.

    Attributes:
        manifest: what it says of itself.
        manifest_bytes: the same as it was signed. It holds the hash of every file, so that two
            bundles are the same if these are.
        signature: of a trusted key over them.
        files: the content of each file by its name, in the manifest's order.
    """

    manifest: Manifest
    manifest_bytes: bytes
    signature: Signature
    files: Mapping[str, Content]

    def members(self) -> Mapping[str, Content]:
        """All that the container holds by its name: signature and manifest, too."""
        return {
            SIGNATURE: self.signature.content(),
            MANIFEST: self.manifest_bytes,
            **self.files,
        }


def read(path: Path, trusted: TrustedKeys) -> Bundle:
    """Read and verify the bundle at `path`; its bytes are read once, and those are verified.

    Raises:
        BundleError: it is no bundle, cut short, damaged, not signed by a trusted key, too large,
            of a newer format ...; see `errors`.
    """
    content = _limited(path, MAX_BUNDLE, "bundle")
    return parse(str(path), content, trusted)


def parse(where: str, content: bytes, trusted: TrustedKeys) -> Bundle:
    """The same for bytes that are called `where` in errors."""
    cursor = Cursor(where, memoryview(content))
    signature = Signature.parse(where, bytes(cursor.signature()))
    manifest_bytes = bytes(cursor.manifest())
    manifest = _verified(where, signature, manifest_bytes, trusted)
    files: dict[str, Content] = {
        file.name: cursor.member(file.name, file.size) for file in manifest.files
    }
    cursor.end()
    return _whole(where, Bundle(manifest, manifest_bytes, signature, files))


def read_folder(folder: Path, trusted: TrustedKeys) -> Bundle:
    """The same for a bundle that lies in a folder, each member as a file.

    Raises:
        BundleError: as `read` does.
    """
    where = str(folder)
    signature_bytes = _limited(folder / SIGNATURE, SIGNATURE_SIZE, "signature")
    signature = Signature.parse(where, signature_bytes)
    manifest_bytes = _limited(folder / MANIFEST, MAX_MANIFEST, "manifest")
    manifest = _verified(where, signature, manifest_bytes, trusted)
    files: dict[str, Content] = {
        file.name: _limited(folder / file.name, file.size, "file") for file in manifest.files
    }
    return _whole(where, Bundle(manifest, manifest_bytes, signature, files))


def _verified(
    where: str, signature: Signature, manifest_bytes: bytes, trusted: TrustedKeys
) -> Manifest:
    trusted.verify(where, signature, manifest_bytes)
    manifest = manifests.parse(where, manifest_bytes)
    if manifest.key_id != signature.key_id:
        raise ManifestError(
            f"the manifest of bundle {where} names the key {manifest.key_id}, "
            f"and {signature.key_id} signed it"
        )
    return manifest


def _whole(where: str, bundle: Bundle) -> Bundle:
    for file in bundle.manifest.files:
        _check(where, file, bundle.files[file.name])
    if bundle.files[manifests.LABELS] != bundle.manifest.labels_text():
        raise ManifestError(
            f"{manifests.LABELS} in bundle {where} does not hold the labels of its manifest"
        )
    return bundle


def _check(where: str, file: FileEntry, content: Content) -> None:
    if len(content) != file.size or hashlib.sha256(content).hexdigest() != file.sha256:
        raise HashMismatchError(
            f"{file.name} in bundle {where} is not the file that was signed: "
            "get the bundle again and install it"
        )


def _limited(path: Path, limit: int, what: str) -> bytes:
    """All bytes of a plain file that has no more than `limit`."""
    try:
        # Without O_NONBLOCK, opening a pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise NotABundleError(f"{what} {path} is not a plain file")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                content = file.read(limit + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise NotABundleError(f"{what} {path} does not exist") from error
    except OSError as error:
        raise NotABundleError(f"{what} {path} cannot be read: {error.strerror}") from error
    if len(content) > limit:
        raise TooLargeError(f"{what} {path} is larger than {limit} bytes, and no more are read")
    return content
