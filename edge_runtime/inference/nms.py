"""Of boxes that show one object, the best."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.detections import Boxes

MOST = 300
"""Of more candidates than this only the best are looked at, so that a frame cannot take long."""


def suppress(
    boxes: Boxes, scores: NDArray[np.float32], class_ids: NDArray[np.int32], overlap: float
) -> NDArray[np.intp]:
    """Indexes of the boxes to keep, best score first.

    Greedy non-maximum suppression within each class: a box goes where its intersection over union
    with a better one of its class is above `overlap`.

    Args:
        boxes: N x 4 (x1, y1, x2, y2), in any unit.
        scores: N, above 0.
        class_ids: N.
        overlap: 0..1.
    """
    best = np.argsort(-scores, kind="stable")[:MOST]
    if len(best) < 2:
        return best
    corner_and_size = boxes[best]
    corner_and_size[:, 2:] -= corner_and_size[:, :2]
    # OpenCV takes arrays here, but its stubs say sequences only.
    batched: Any = cv2.dnn.NMSBoxesBatched
    kept = batched(corner_and_size, scores[best], class_ids[best], 0.0, overlap)
    return best[np.sort(np.asarray(kept, np.intp).ravel())]
