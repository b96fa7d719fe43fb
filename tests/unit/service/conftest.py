from tests.visits import small_model

__all__ = ["small_model"]
