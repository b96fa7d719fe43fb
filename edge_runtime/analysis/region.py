"""A part of a frame that the detector sees once more, and what it sees there, put into the frame.

Lengths are pixels of the frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_runtime.analysis.boxes import area, covered, iou
from edge_runtime.detections import Detections
from edge_runtime.frame import Image
from edge_runtime.tracks import Box

_CUT = 0.02
"""What comes so near to the region's border, by its side, is cut off by it."""
_ALIKE = 0.5
"""So much of the smaller of two boxes lies in the other: they may be of one object."""
_PART = 0.75
"""So much of a box lies in a larger one: it may be a part of the object there."""


@dataclass(frozen=True, slots=True)
class Region:
    """The square whose upper left corner is (`x`, `y`)."""

    x: int
    y: int
    side: int

    def cut(self, image: Image) -> Image:
        """That part of `image`: a view, no copy."""
        return image[self.y : self.y + self.side, self.x : self.x + self.side]

    def contains(self, box: Box) -> bool:
        """Whether all of `box` lies in it."""
        x1, y1, x2, y2 = box
        return (
            self.x <= x1 and self.y <= y1 and x2 <= self.x + self.side and y2 <= self.y + self.side
        )


def shifted(near: Detections, region: Region) -> Detections:
    """What was seen in `region`, `near` in its pixels, in pixels of the frame."""
    boxes = near.boxes + np.array([region.x, region.y] * 2, np.float32)
    return Detections(boxes, near.scores, near.class_ids, near.labels)


def uncut(near: Detections, region: Region, size: tuple[int, int]) -> Detections:
    """`near` (`shifted`) without what the border of `region` has cut off.

    Args:
        near: in pixels of the frame.
        region: where it was seen.
        size: the frame's width and height; its border is where everything ends, and cuts off
            nothing.
    """
    margin = max(_CUT * region.side, 1.0)
    boxes = near.boxes
    first = np.array([region.x, region.y])
    last = first + region.side
    whole = ((boxes[:, :2] > first + margin) | (first == 0)) & (
        (boxes[:, 2:] < last - margin) | (last == size)
    )
    return near.where(whole.all(axis=1))


def merged(whole: Detections, near: Detections, region: Region) -> Detections:
    """Each object once: `whole` was seen in the whole frame, `near` (`uncut`) in `region`.

    What lies in the region was seen better there: one box around two people, or around half a
    person, gives way. A part of somebody who is larger than the region does not count.
    """
    if not len(near):
        return whole
    keep_whole, keep_near = np.ones(len(whole), bool), np.ones(len(near), bool)
    near_boxes = near.boxes.tolist()
    for row, far_box in enumerate(whole.boxes.tolist()):
        for column, near_box in enumerate(near_boxes):
            if whole.class_ids[row] != near.class_ids[column]:
                continue
            share = covered(far_box, near_box)
            if share <= _ALIKE:
                continue
            if region.contains(far_box) or iou(far_box, near_box) > _ALIKE:
                keep_whole[row] = False
            elif share > _PART and area(near_box) < area(far_box):
                keep_near[column] = False
    return _joined(whole.where(keep_whole), near.where(keep_near))


def _joined(a: Detections, b: Detections) -> Detections:
    scores = np.concatenate([a.scores, b.scores])
    order = np.argsort(-scores, kind="stable")
    boxes = np.concatenate([a.boxes, b.boxes])
    class_ids = np.concatenate([a.class_ids, b.class_ids])
    return Detections(boxes[order], scores[order], class_ids[order], a.labels)
