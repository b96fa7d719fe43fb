"""Recipes: what is to become of a model, step by step, and what came of it."""
