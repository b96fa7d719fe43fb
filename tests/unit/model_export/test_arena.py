from __future__ import annotations

from model_export.arena import covered


def test_the_arena_is_what_groups_of_tensors_cover() -> None:
    assert covered([]) == 0
    # Overlapping and nested places count once, the gap between two groups not at all.
    assert covered([(1000, 1100), (1050, 1300), (1060, 1070), (900_000, 900_500)]) == 300 + 500
