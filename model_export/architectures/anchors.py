"""Where a detector's anchors stand.

Source: Liu et al. 2016 (SSD, arXiv 1512.02325, part 2.2), with what TensorFlow's object detection
models do on the finest map; a test compares with the anchors inside a published model.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model_export.architectures.channels import feature_maps
from model_export.architectures.spec import Anchors, Detector, SingleAnchors
from model_export.errors import ExportError
from model_export.weights import Floats

_FINEST = ((0.1, 1.0), (None, 2.0), (None, 0.5))
"""Side and ratio of those on the finest map; None: the smallest side of the scheme."""


def anchors_of(network: Detector) -> Floats:
    """N x 4 float32 (y centre, x centre, height, width) in 0..1, in the order of its outputs."""
    return anchor_boxes(network.anchors, [found.size for found in feature_maps(network)])


def anchor_boxes(scheme: SingleAnchors | Anchors, sizes: Sequence[tuple[int, int]]) -> Floats:
    """The same for maps of these rows and columns, the finest first.

    Raises:
        ExportError: the scheme is for another number of maps.
    """
    if isinstance(scheme, SingleAnchors):
        if len(scheme.shapes) != len(sizes):
            raise ExportError(
                f"there are anchors for {len(scheme.shapes)} maps, and the detector has "
                f"{len(sizes)}: each needs one"
            )
        single = zip(scheme.shapes, sizes, strict=True)
        return np.concatenate([_on_map([shape], size) for shape, size in single])
    # A last side, of the whole picture, for what stands between the last two.
    sides = [*np.linspace(scheme.smallest, scheme.largest, len(sizes)), 1.0]
    made = []
    for number, size in enumerate(sizes):
        if number == 0:
            shapes = [(side or scheme.smallest, ratio) for side, ratio in _FINEST]
        else:
            shapes = [(float(sides[number]), ratio) for ratio in scheme.ratios]
            shapes.append((float(np.sqrt(sides[number] * sides[number + 1])), 1.0))
        roots = [(side / float(np.sqrt(r)), side * float(np.sqrt(r))) for side, r in shapes]
        made.append(_on_map(roots, size))
    return np.concatenate(made)


def _on_map(shapes: Sequence[tuple[float, float]], size: tuple[int, int]) -> Floats:
    """Each place of the map has all shapes (height, width), one after the other."""
    rows, columns = size
    found = np.empty((rows, columns, len(shapes), 4), np.float32)
    found[..., 0] = ((np.arange(rows) + 0.5) / rows)[:, np.newaxis, np.newaxis]
    found[..., 1] = ((np.arange(columns) + 0.5) / columns)[:, np.newaxis]
    found[..., 2:] = np.array(shapes)
    return found.reshape(-1, 4)
