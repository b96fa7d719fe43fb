"""Pruning: fewer channels, which boards are faster with, and zeros, which only compress well."""
