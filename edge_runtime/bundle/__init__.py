"""The signed model bundle: read it, verify it, install it, roll it back.

The format is documented in docs/bundle.md. Nothing is imported here; see `reading.read` and
`store.install`.
"""
