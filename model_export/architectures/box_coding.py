"""Boxes relative to anchors, as TFLite_Detection_PostProcess decodes them.

Source: tensorflow/lite/kernels/detection_postprocess.cc; the coding itself is that of Faster R-CNN
(Ren et al. 2015, arXiv 1506.01497, equation 2) with scales.
"""

from __future__ import annotations

import numpy as np

from model_export.weights import Floats

SCALES = (10.0, 10.0, 5.0, 5.0)
"""Of y, x, height and width: the operator's options of these names."""

_TINY = 1e-6


def encode(boxes: Floats, anchors: Floats) -> Floats:
    """Boxes (... x 4: ymin, xmin, ymax, xmax) relative to anchors (... x 4: y, x, h, w)."""
    top_left, bottom_right = boxes[..., :2], boxes[..., 2:]
    centre, size = (top_left + bottom_right) / 2, np.maximum(bottom_right - top_left, _TINY)
    coded = np.concatenate(
        [(centre - anchors[..., :2]) / anchors[..., 2:], np.log(size / anchors[..., 2:])], axis=-1
    )
    return (coded * SCALES).astype(np.float32)


def decode(coded: Floats, anchors: Floats) -> Floats:
    """The boxes again."""
    plain = coded / np.array(SCALES, np.float32)
    centre = plain[..., :2] * anchors[..., 2:] + anchors[..., :2]
    half = np.exp(plain[..., 2:]) * anchors[..., 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=-1).astype(np.float32)
