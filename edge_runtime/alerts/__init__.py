"""The alert, which is the public contract, and the outbox that keeps it on disk."""
