"""How much boxes have in common."""

from __future__ import annotations

from edge_runtime.tracks import Box


def common(a: Box, b: Box) -> float:
    """The area of what two boxes have in common."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0


def area(box: Box) -> float:
    """Width by height."""
    return (box[2] - box[0]) * (box[3] - box[1])


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0..1."""
    both = common(a, b)
    return both / (area(a) + area(b) - both) if both else 0.0


def covered(a: Box, b: Box) -> float:
    """The share of the smaller of two boxes that lies in the other, 0..1."""
    both = common(a, b)
    return both / min(area(a), area(b)) if both else 0.0
