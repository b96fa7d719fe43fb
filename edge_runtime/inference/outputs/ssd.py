"""Detectors that end in TFLite_Detection_PostProcess (SSD, EfficientDet-Lite ...).

The operator has done threshold and suppression already and gives boxes [1, N, 4] as (ymin, xmin,
ymax, xmax) in 0..1, classes [1, N] from 0 without the background, scores [1, N] and the count [1].
Source: tensorflow/lite/kernels/detection_postprocess.cc.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_runtime.inference.engine import Tensor
from edge_runtime.inference.outputs.kind import (
    Candidates,
    Decoder,
    Labels,
    ModelOutputs,
    Selection,
    enough,
)
from edge_runtime.inference.preprocess import Range, Resize
from edge_runtime.inference.tflite_file import DetectionOp

NAME = "ssd"
RESIZE = Resize.STRETCH
RANGE: Range | None = None
LOCATES = True

_BACKGROUND = frozenset({"background", "__background__", "???"})


def matches(outputs: ModelOutputs) -> bool:
    """Four outputs: the operator's own, or of their shapes."""
    return _order(outputs) is not None


def labels(outputs: ModelOutputs, given: Labels | None) -> Labels:
    """The labels; a leading one for the background goes, for the operator does not count it."""
    classes = outputs.file.detection.class_count if outputs.file.detection else 1
    given = enough(outputs.file, given, classes)
    if len(given) == classes + 1 and given[0].lower() in _BACKGROUND:
        return given[1:]
    return given


def decoder(outputs: ModelOutputs, labels: Labels, selection: Selection) -> Decoder:
    """Read the operator's outputs; `selection` can only be stricter than the operator was.

    There are some ten rows. For so few, lists are twice as fast as arrays: right after an
    inference each function of numpy has to be fetched into the processor's caches again.
    """
    order = _order(outputs)
    assert order is not None
    thresholds, most = selection.thresholds.tolist(), selection.most
    classes = len(labels)
    nothing = Candidates(
        np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32)
    )

    def decode(tensors: Sequence[Tensor]) -> Candidates:
        boxes = tensors[order.boxes][0].tolist()
        class_ids = [int(class_id) for class_id in tensors[order.classes][0].tolist()]
        scores = tensors[order.scores][0].tolist()
        found = [
            row
            for row in range(int(tensors[order.count].item()))
            # An id that no label is for can only come from labels that are not the model's.
            if 0 <= class_ids[row] < classes and scores[row] >= thresholds[class_ids[row]]
        ]
        if not found:
            return nothing
        found = sorted(found, key=scores.__getitem__, reverse=True)[:most]
        corners = [(x1, y1, x2, y2) for y1, x1, y2, x2 in map(boxes.__getitem__, found)]
        return Candidates(
            np.array(corners, np.float32),
            np.array([scores[row] for row in found], np.float32),
            np.array([class_ids[row] for row in found], np.int32),
        )

    return decode


def _order(outputs: ModelOutputs) -> DetectionOp | None:
    """Which output is which: as the operator says, else by name, else by shape."""
    if outputs.file.detection:
        return outputs.file.detection
    shapes = outputs.shapes
    boxes = [i for i, shape in enumerate(shapes) if len(shape) == 3 and shape[2] == 4]
    count = [i for i, shape in enumerate(shapes) if int(np.prod(shape)) == 1]
    if len(shapes) != 4 or len(boxes) != 1 or len(count) != 1:
        return None
    pair = [i for i in range(4) if i not in (boxes[0], count[0])]
    if any(shapes[i] != shapes[boxes[0]][:2] for i in pair):
        return None
    # Classes come before scores, as the operator has them, where the names do not say otherwise.
    if "score" in outputs.specs[pair[0]].name.lower():
        pair.reverse()
    return DetectionOp(boxes[0], pair[0], pair[1], count[0], class_count=1)
