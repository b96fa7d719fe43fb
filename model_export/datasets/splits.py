"""Splits pictures for training and testing, and chooses some to calibrate with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from model_export.errors import ExportError

CALIBRATION_PICTURES = 200


def split_by_group(
    labels: Sequence[int],
    groups: NDArray[np.int64],
    shares: Mapping[str, float],
    seed: int = 0,
) -> dict[str, NDArray[np.int64]]:
    """Split pictures so that no group is on both sides, and each class has about its share.

    Groups are dealt out in a random order, large ones first, each to the part that lacks most of
    the group's most frequent class.

    Args:
        labels: N classes.
        groups: N groups, as `duplicates.group` numbers them.
        shares: for each part its share; together 1.
        seed: for the order.

    Returns:
        For each part the indexes of its pictures, rising.

    Raises:
        ExportError: the shares do not add up to 1, or there is nothing to split.
    """
    if abs(sum(shares.values()) - 1) > 1e-6 or min(shares.values(), default=0) <= 0:
        stated = ", ".join(f"{name} {share:g}" for name, share in shares.items())
        raise ExportError(f"the shares of a split are above 0 and add up to 1, and not {stated}")
    if not len(labels):
        raise ExportError("there are no pictures to split")
    of_group = _table(np.asarray(labels), groups)
    order = np.random.default_rng(seed).permutation(len(of_group))
    order = order[np.argsort(-of_group.sum(axis=1)[order], kind="stable")]
    wanted = np.outer(list(shares.values()), of_group.sum(axis=0)).astype(float)
    part_of = np.empty(len(of_group), np.int64)
    for number in order:
        label = int(of_group[number].argmax())
        part_of[number] = wanted[:, label].argmax()
        wanted[part_of[number]] -= of_group[number]
    parts = part_of[groups]
    return {name: np.flatnonzero(parts == place) for place, name in enumerate(shares)}


def _table(labels: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many pictures of each class (columns) each group (rows) has."""
    table = np.zeros((int(groups.max()) + 1, int(labels.max()) + 1), np.int64)
    np.add.at(table, (groups, labels), 1)
    return table


def choose_for_calibration(
    labels: Sequence[int], count: int = CALIBRATION_PICTURES, seed: int = 0
) -> NDArray[np.int64]:
    """Choose `count` pictures at random, as many of each class as there are of the others.

    A class that has fewer gives all of its pictures, and the others make up for them.

    Returns:
        Their indexes, rising; all where there are no more than `count`.

    Raises:
        ExportError: there are none.
    """
    if not len(labels):
        raise ExportError("there are no pictures to choose for calibration")
    all_labels = np.asarray(labels)
    generator = np.random.default_rng(seed)
    by_class = [
        generator.permutation(np.flatnonzero(all_labels == label))
        for label in np.unique(all_labels)
    ]
    chosen: list[NDArray[np.int64]] = []
    left = count
    for number, indexes in enumerate(sorted(by_class, key=len)):
        fair = -(-left // (len(by_class) - number))
        chosen.append(indexes[:fair])
        left -= len(chosen[-1])
    return np.sort(np.concatenate(chosen)[:count])
