"""Identities of devices, centre and broker: an authority, and what it certifies."""
