"""Classifiers: one score a class for the whole picture.

Each class above its threshold becomes a detection whose box is the whole picture, so that the
rules treat "a person is in this picture" as they treat a person.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.engine import Tensor
from edge_runtime.inference.outputs.kind import (
    VALUE_TYPES,
    Candidates,
    Decoder,
    Labels,
    ModelOutputs,
    Selection,
    enough,
)
from edge_runtime.inference.preprocess import Range, Resize

NAME = "classifier"
RESIZE = Resize.STRETCH
RANGE: Range | None = None
LOCATES = False

_WHOLE = np.array([[0, 0, 1, 1]], np.float32)


def matches(outputs: ModelOutputs) -> bool:
    """One output with all values in its last dimension."""
    if len(outputs.specs) != 1 or outputs.specs[0].dtype not in VALUE_TYPES:
        return False
    shape = outputs.shapes[0]
    return len(shape) >= 2 and int(np.prod(shape[:-1])) == 1


def labels(outputs: ModelOutputs, given: Labels | None) -> Labels:
    """One label a value; more do no harm."""
    return enough(outputs.file, given, outputs.shapes[0][-1])


def decoder(outputs: ModelOutputs, labels: Labels, selection: Selection) -> Decoder:
    """Read the scores; logits are normalised first."""
    spec = outputs.specs[0]
    classes = spec.shape[-1]
    normalised = _normalised(outputs)
    thresholds, most = selection.thresholds[:classes], selection.most

    def decode(tensors: Sequence[Tensor]) -> Candidates:
        scores = spec.real(tensors[0].reshape(classes))
        if not normalised:
            scores = _normalise(scores)
        above = np.flatnonzero(scores >= thresholds)
        best = above[np.argsort(-scores[above], kind="stable")][:most]
        boxes = np.repeat(_WHOLE, len(best), axis=0)
        return Candidates(boxes, scores[best], best.astype(np.int32))

    return decode


def _normalised(outputs: ModelOutputs) -> bool:
    """Whether the values are probabilities: made by softmax or logistic, or adding up to 1."""
    if outputs.file.scores[:1] == (True,):
        return True
    spec = outputs.specs[0]
    sample = spec.real(outputs.sample[0])
    # Each value may be half a step of quantization off.
    tolerance = 0.01 + sample.size * spec.scale / 2
    return bool(
        sample.size > 1 and sample.min() >= 0 and abs(float(sample.sum()) - 1) <= tolerance < 1
    )


def _normalise(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Softmax; of a single logit, the logistic function."""
    count = len(logits)
    if count == 1:
        logits = np.append(logits, np.float32(0))  # softmax over x and 0 is the logistic of x
    powers: NDArray[np.float32] = np.exp(logits - logits.max())
    powers /= powers.sum()
    return powers[:count]
