"""Labelled pictures: read, checked, grouped, split, and chosen from."""
