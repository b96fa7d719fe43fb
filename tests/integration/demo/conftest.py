from tests.shipped import person
from tests.visits import album, clip, small_model, visits

__all__ = ["album", "clip", "person", "small_model", "visits"]
