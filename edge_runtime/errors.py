"""Failures that a person can act on.

Every error that a user can cause is an `EdgeRuntimeError` whose text is one sentence for that
person: what is wrong, where, and what would be right. The command line prints it without a
traceback. Packages derive their own (`ModelError`, `SourceError` ...), so that each failure has a
name.
"""


class EdgeRuntimeError(Exception):
    """A failure whose message is meant for the person who runs the software."""
