from tests.shipped import person
from tests.visits import album, clip, detector, small_model, visits

__all__ = ["album", "clip", "detector", "person", "small_model", "visits"]
