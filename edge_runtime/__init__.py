"""Watches a bank's cameras on the board beside them and tells what is worth telling.

The package imports nothing here, so that ``edge-runtime --help`` answers at once.
"""

__version__ = "0.1.0"
