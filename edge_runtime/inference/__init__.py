"""Engines, what a model's outputs mean, and a picture's way into a tensor."""
