"""YOLO heads with one row (or column) an anchor.

YOLOv5: [1, N, 5 + C] of (cx, cy, w, h, objectness, a score a class).
YOLOv8 and later: [1, 4 + C, N] of (cx, cy, w, h, a score a class).
With a single class the objectness is the score: YOLOv5 does not train the other then (its
utils/loss.py), and what stands there can be anything.
Either may be transposed, and in 0..1 of the input or in its pixels, with scores in 0..1 or 0..100.
Sources: https://github.com/ultralytics/yolov5 and https://github.com/ultralytics/ultralytics.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.detections import Boxes
from edge_runtime.inference.engine import ModelError, Tensor, TensorSpec
from edge_runtime.inference.nms import suppress
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

NAME = "yolo"
RESIZE = Resize.LETTERBOX
RANGE: Range | None = (0.0, 1.0)
LOCATES = True

_OVERLAP = 0.45


def matches(outputs: ModelOutputs) -> bool:
    """One output of three dimensions: 1, at least 5 values an anchor, and more anchors."""
    shapes = outputs.shapes
    if len(shapes) != 1 or len(shapes[0]) != 3 or shapes[0][0] != 1:
        return False
    values, anchors = sorted(shapes[0][1:])
    return 5 <= values < anchors and outputs.specs[0].dtype in VALUE_TYPES


def labels(outputs: ModelOutputs, given: Labels | None) -> Labels:
    """Exactly as many labels as classes: that tells a head with objectness from one without."""
    values = min(outputs.shapes[0][1:])
    enough(outputs.file, given, max(1, values - 5))
    assert given is not None
    if len(given) not in (values - 5, values - 4):
        raise ModelError(
            f"model {outputs.file.path} gives {values} values an anchor, which is {values - 5} "
            f"classes with objectness or {values - 4} without, and there are {len(given)} labels"
        )
    return given


def decoder(outputs: ModelOutputs, labels: Labels, selection: Selection) -> Decoder:
    """Read the head; units are settled now, from the quantization or from the sample."""
    spec = outputs.specs[0]
    by_anchor = spec.shape[1] >= spec.shape[2]
    with_objectness = min(spec.shape[1:]) - 5 == len(labels)
    first_only = len(labels) == 1
    to_unit, score_unit = _units(outputs, by_anchor)
    thresholds, most = selection.thresholds, selection.most
    least = _least(spec, float(thresholds.min()) * score_unit)

    def decode(tensors: Sequence[Tensor]) -> Candidates:
        head = tensors[0][0].T if by_anchor else tensors[0][0]  # values x anchors
        # In the tensor's own type and before anything else: nearly all anchors end here.
        strongest = head[4] if with_objectness or first_only else head[4:].max(axis=0)
        found = spec.real(head[:, strongest >= least])
        by_class = found[4:] / score_unit
        if first_only:
            by_class = by_class[:1]
        elif with_objectness:
            by_class = by_class[1:] * by_class[0]
        class_ids = by_class.argmax(axis=0).astype(np.int32)
        scores = by_class[class_ids, np.arange(len(class_ids))]
        wanted = np.flatnonzero(scores >= thresholds[class_ids])
        boxes = _corners(found[:4, wanted]) * to_unit
        scores, class_ids = scores[wanted], class_ids[wanted]
        kept = suppress(boxes, scores, class_ids, _OVERLAP)[:most]
        return Candidates(boxes[kept], np.minimum(scores[kept], 1), class_ids[kept])

    return decode


def _corners(centred: NDArray[np.float32]) -> Boxes:
    """4 x N (cx, cy, w, h) as N x 4 (x1, y1, x2, y2)."""
    centres, halves = centred[:2], centred[2:] * np.float32(0.5)
    corners: Boxes = np.concatenate((centres - halves, centres + halves)).T
    return corners


def _units(outputs: ModelOutputs, by_anchor: bool) -> tuple[NDArray[np.float32], float]:
    """What boxes are multiplied with to be in 0..1, and what scores are divided by.

    A head of one quantized tensor holds boxes and scores with one step: where that step is coarser
    than 0.1, neither can be in 0..1. Otherwise the sample tells: boxes in pixels are far larger
    than 1, and scores in percent are above 1.
    """
    spec = outputs.specs[0]
    if spec.scale > 0.1:
        pixels, score_unit = True, 100.0
    else:
        sample = spec.real(outputs.sample[0][0])
        head = sample.T if by_anchor else sample
        pixels = bool(head[:4].max() > 4)
        score_unit = 100.0 if head[4:].max() > 1.5 else 1.0
    width, height = outputs.input_size if pixels else (1, 1)
    return np.array([1 / width, 1 / height] * 2, np.float32), score_unit


def _least(spec: TensorSpec, real: float) -> float:
    """The least value of the tensor's own type that stands for `real` or more."""
    return np.ceil(real / spec.scale + spec.zero_point - 1e-6) if spec.scale else real
