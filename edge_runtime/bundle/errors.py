"""What can be wrong with a bundle; each failure has a name."""

from __future__ import annotations

from edge_runtime.errors import EdgeRuntimeError


class BundleError(EdgeRuntimeError):
    """A bundle that cannot be used."""


class NotABundleError(BundleError):
    """The file is missing, unreadable, or something else."""


class TruncatedError(BundleError):
    """The file ends before the bundle does."""


class DamagedError(BundleError):
    """Bytes that are not part of any file are not what they have to be."""


class TooLargeError(BundleError):
    """The bundle is larger than any that is read."""


class NewerFormatError(BundleError):
    """The bundle's format is newer than this software."""


class UnknownKeyError(BundleError):
    """The key that signed it is not trusted here."""


class DemonstrationKeyError(BundleError):
    """It is signed with the demonstration key, and that one is not taken here."""


class SignatureError(BundleError):
    """The signature is not that of the key over this manifest."""


class ManifestError(BundleError):
    """The manifest is signed, and says something that cannot be."""


class HashMismatchError(BundleError):
    """A file is not the one that was signed."""


class VersionError(BundleError):
    """The version does not rise."""


class GoldenError(BundleError):
    """The model does not see on this board what it saw where the bundle was made."""


class TrustError(BundleError):
    """The trusted keys cannot be read, or are none."""


class StoreError(BundleError):
    """The place for installed bundles cannot be read or written."""


class NotInstalledError(StoreError):
    """There is no such bundle, or none before it."""
