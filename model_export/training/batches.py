"""Batches of pictures, augmented anew in each epoch."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model_export.architectures.spec import Input
from model_export.training.augmentation import NOTHING, Augmentation
from model_export.training.pictures import Pictures, as_input
from model_export.weights import Floats

Batch = tuple[Floats, Floats, Floats]
"""Pictures; what is true of them, for classifiers N x classes, with what a teacher sees beside it
where there is one; N weights."""


class Imbalance(StrEnum):
    """What makes a class with few pictures count as much as one with many."""

    NONE = "none"
    """Nothing does."""
    WEIGHTS = "weights"
    """Each of its pictures counts more."""
    SAMPLING = "sampling"
    """Its pictures are drawn more often, each time changed in another way."""


class Source(Protocol):
    """Gives the batches of an epoch: the same ones for the same numbers, in any thread."""

    def __len__(self) -> int: ...

    def batch(self, epoch: int, number: int) -> Batch:
        """The batch `number` of an epoch, both from 0."""


def batches_an_epoch(pictures: int, size: int, *, shuffled: bool) -> int:
    """What fills no batch waits for another order, if there is one."""
    return max(1, pictures // size) if shuffled else -(-pictures // size)


def order(pictures: int, seed: int, epoch: int, *, shuffled: bool) -> NDArray[np.int64]:
    """The pictures of an epoch one after the other."""
    if not shuffled:
        return np.arange(pictures)
    return np.random.default_rng((seed, epoch)).permutation(pictures)


def sampled(labels: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    """As many pictures as there are, drawn with replacement: each class as often as any other."""
    counts = np.bincount(labels)
    chances = 1 / counts[labels]
    rng = np.random.default_rng((seed, epoch))
    return rng.choice(len(labels), len(labels), p=chances / chances.sum())


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """What an epoch is made of.

    Attributes:
        pictures: all of them.
        picture: what the network takes.
        size: pictures a batch.
        seed: together with epoch and place it decides what happens to a picture.
        shuffled: whether each epoch has another order; what then does not fill a batch waits for
            another epoch. Else the last batch has what is left.
        imbalance: how rare classes are made to count; only where it is shuffled.
        augmentation: what may happen to a picture.
        teacher: gives the probabilities that a larger network sees in a batch of inputs.
    """

    pictures: Pictures
    picture: Input
    size: int
    seed: int = 0
    shuffled: bool = False
    imbalance: Imbalance = Imbalance.NONE
    augmentation: Augmentation = NOTHING
    teacher: Callable[[Floats], Floats] | None = None

    def __len__(self) -> int:
        return batches_an_epoch(len(self.pictures), self.size, shuffled=self.shuffled)

    def batch(self, epoch: int, number: int) -> Batch:
        """The batch `number` of an epoch, both from 0: always the same one."""
        first = number * self.size
        chosen = self._order(epoch)[first : first + self.size]
        pixels = [self._picture(epoch, first + n, int(i)) for n, i in enumerate(chosen)]
        inputs = as_input(np.stack(pixels), self.picture)
        labels = self.pictures.labels[chosen]
        truth = np.eye(len(self.pictures.classes), dtype=np.float32)[labels]
        if self.teacher is not None:
            truth = np.concatenate([truth, self.teacher(inputs)], axis=1)
        weights = np.ones(len(chosen), np.float32)
        if self.imbalance is Imbalance.WEIGHTS:
            weights = balanced(self.pictures)[labels]
        return inputs, truth, weights

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if self.imbalance is Imbalance.SAMPLING:
            return sampled(self.pictures.labels, self.seed, epoch)
        return order(len(self.pictures), self.seed, epoch, shuffled=self.shuffled)

    def _picture(self, epoch: int, place: int, index: int) -> NDArray[np.uint8]:
        # By its place: one that is drawn twice changes in two ways.
        rng = np.random.default_rng((self.seed, epoch, place))
        return self.augmentation(self.pictures.pixels[index], rng)


def balanced(pictures: Pictures) -> Floats:
    """Weights of the classes that make each count the same; 1 on the average picture."""
    counts = pictures.counts()
    return (len(pictures) / (len(counts) * counts)).astype(np.float32)


def prefetched(batches: Source, epoch: int) -> Iterator[Batch]:
    """The batches of an epoch in their order, the next ones made in other threads meanwhile."""
    threads = min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[Future[Batch]] = deque()
        for number in range(len(batches)):
            ahead.append(pool.submit(batches.batch, epoch, number))
            if len(ahead) > 2 * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
