"""MediaPipe's BlazeFace: one regressor row and one logit for each of its anchors.

Short range: input 128, 896 anchors; full range: input 192, 2304 anchors. A regressor row has the
box's centre and size in pixels of the input, relative to its anchor's centre, and six points.
Source: mediapipe/modules/face_detection (anchor and decoding options of its graphs).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.engine import Tensor
from edge_runtime.inference.nms import suppress
from edge_runtime.inference.outputs.kind import (
    Candidates,
    Decoder,
    Labels,
    ModelOutputs,
    Selection,
    enough,
)
from edge_runtime.inference.preprocess import Range, Resize

NAME = "blazeface"
RESIZE = Resize.LETTERBOX
RANGE: Range | None = (-1.0, 1.0)
LOCATES = True

_OVERLAP = 0.3
# For each number of anchors, the grids: cells along a side, and anchors in each cell.
_GRIDS = {896: ((16, 2), (8, 6)), 2304: ((48, 1),)}


def matches(outputs: ModelOutputs) -> bool:
    """[1, N, 16] and [1, N, 1], for an N that a BlazeFace has."""
    first, *rest = sorted(outputs.shapes, key=lambda shape: shape[-1:], reverse=True)
    anchors = first[1] if len(first) == 3 else 0
    return anchors in _GRIDS and first == (1, anchors, 16) and rest == [(1, anchors, 1)]


def labels(outputs: ModelOutputs, given: Labels | None) -> Labels:
    """It knows one class."""
    return ("face",) if given is None else enough(outputs.file, given, 1)


def decoder(outputs: ModelOutputs, labels: Labels, selection: Selection) -> Decoder:
    """Read the anchors whose logit is high enough."""
    boxes_at = 0 if outputs.shapes[0][2] == 16 else 1
    logits_at = 1 - boxes_at
    box_spec, logit_spec = outputs.specs[boxes_at], outputs.specs[logits_at]
    centres = _anchors(box_spec.shape[1])
    to_unit = np.array(outputs.input_size, np.float32)
    least = _logit(float(selection.thresholds[0]))
    most = selection.most

    def decode(tensors: Sequence[Tensor]) -> Candidates:
        logits = logit_spec.real(tensors[logits_at][0, :, 0])
        found = np.flatnonzero(logits >= least)
        rows = box_spec.real(tensors[boxes_at][0, found, :4])
        middle = centres[found] + rows[:, :2] / to_unit
        half = rows[:, 2:] / (2 * to_unit)
        boxes = np.concatenate((middle - half, middle + half), axis=1)
        scores = np.reciprocal(1 + np.exp(-logits[found]))
        class_ids = np.zeros(len(found), np.int32)
        kept = suppress(boxes, scores, class_ids, _OVERLAP)[:most]
        return Candidates(boxes[kept], scores[kept], class_ids[kept])

    return decode


def _anchors(count: int) -> NDArray[np.float32]:
    """The centres of all anchors in 0..1, row by row: count x 2 (x, y)."""
    grids = []
    for cells, repeats in _GRIDS[count]:
        steps = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        y, x = np.meshgrid(steps, steps, indexing="ij")
        grids.append(np.repeat(np.stack((x.ravel(), y.ravel()), axis=1), repeats, axis=0))
    return np.concatenate(grids)


def _logit(probability: float) -> float:
    """The logit of `probability`, for values strictly between 0 and 1 and at their limits."""
    with np.errstate(divide="ignore"):
        return float(np.log(probability) - np.log1p(-probability))
