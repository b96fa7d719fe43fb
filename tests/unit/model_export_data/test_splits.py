from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_export.datasets.splits import choose_for_calibration, split_by_group
from model_export.errors import ExportError

SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30)), min_size=1), st.integers(0, 5))
def test_no_group_straddles_a_split_and_no_picture_is_lost(
    pictures: list[tuple[int, int]], seed: int
) -> None:
    labels = [label for label, _ in pictures]
    groups = np.array([number for _, number in pictures])
    parts = split_by_group(labels, groups, SHARES, seed)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(pictures)))
    seen = [set(groups[indexes]) for indexes in parts.values()]
    assert not seen[0] & seen[1] and not seen[0] & seen[2] and not seen[1] & seen[2]


def test_each_class_has_its_share_in_each_part() -> None:
    generator = np.random.default_rng(0)
    labels = (generator.random(3000) < 0.2).astype(int)
    groups = generator.integers(0, 1500, 3000)
    parts = split_by_group(labels.tolist(), groups, SHARES)
    for name, share in SHARES.items():
        for label in (0, 1):
            of_class = int((labels[parts[name]] == label).sum())
            assert of_class == pytest.approx(share * (labels == label).sum(), rel=0.03, abs=3)


def test_the_same_seed_splits_alike_and_another_one_not() -> None:
    labels, groups = [0, 1] * 50, np.arange(100)
    first = split_by_group(labels, groups, SHARES, seed=3)
    assert all(
        np.array_equal(first[name], part)
        for name, part in split_by_group(labels, groups, SHARES, seed=3).items()
    )
    other = split_by_group(labels, groups, SHARES, seed=4)
    assert not np.array_equal(first["train"], other["train"])


@pytest.mark.parametrize("shares", [{"a": 0.5}, {"a": 1.2, "b": -0.2}, {}])
def test_shares_that_are_none_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(ExportError, match="are above 0 and add up to 1, and not"):
        split_by_group([0, 1], np.arange(2), shares)


def test_nothing_cannot_be_split_or_chosen_from() -> None:
    with pytest.raises(ExportError, match="no pictures to split"):
        split_by_group([], np.empty(0, np.int64), SHARES)
    with pytest.raises(ExportError, match="no pictures to choose for calibration"):
        choose_for_calibration([])


def test_calibration_has_as_many_of_each_class() -> None:
    labels = np.array([0] * 900 + [1] * 150 + [2] * 10)
    chosen = choose_for_calibration(labels.tolist(), 200)
    assert len(set(chosen.tolist())) == 200
    assert np.bincount(labels[chosen]).tolist() == [95, 95, 10]


def test_calibration_takes_all_where_there_are_few() -> None:
    assert choose_for_calibration([0, 1, 1], 200).tolist() == [0, 1, 2]
