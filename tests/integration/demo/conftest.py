from tests.shipped import person
from tests.visits import clip

__all__ = ["clip", "person"]
