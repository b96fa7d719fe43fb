"""Which places of a detector stand for an object: those that see it best, as it learns.

A place inside of an object counts by how well its box overlaps and how high it scores; an object
gets the best of them, and each is to score as well as it overlaps, relative to the best. Sources:
Feng et al. 2021 (TOOD, arXiv 2108.07755, part 3.2) for the metric and the scores; Zhang et al. 2020
(VarifocalNet, 2008.13367, equation 2) for the loss of scores; Rezatofighi et al. 2019 (1902.09630)
for that of boxes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from model_export.architectures.box_coding import SCALES
from model_export.training.boxes import CROWD

_BEST = 10
"""Places that may stand for one object."""

_SCORE_POWER, _OVERLAP_POWER = 0.5, 6.0
_BACKGROUND = 0.75
_MOST = 4.0
"""A place without an object loses no more than this: objects without a box are no background."""

_BOXES = 2.5
"""How much boxes count beside scores."""

_NOTICED = 0.005
"""Of a picture's area: an object above it makes it a picture with one."""

_FAR = 1e3
_TINY = 1e-7


class Targets(NamedTuple):
    """What each of A places should say.

    Attributes:
        scores: A x classes, 0..1.
        boxes: A x 4 (ymin, xmin, ymax, xmax); of meaning where a score is above 0.
        counts: A, whether the score counts: not within a crowd.
    """

    scores: Any
    boxes: Any
    counts: Any


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """What a detector looks from.

    Attributes:
        anchors: A x 4 (y, x, height, width).
        reach: an object counts as at least twice this wide and high: no place would be in it.
    """

    anchors: Any
    reach: float


def decoded(coded: Any, anchors: Any) -> Any:
    """As `box_coding.decode`."""
    plain = coded / jnp.array(SCALES)
    centre = plain[..., :2] * anchors[..., 2:] + anchors[..., :2]
    # Beyond e^4 times its anchor no box is right, and a gradient is infinite.
    half = jnp.exp(jnp.clip(plain[..., 2:], -4, 4)) * anchors[..., 2:] / 2
    return jnp.concatenate([centre - half, centre + half], axis=-1)


def assign(places: Places, scores: Any, boxes: Any, wanted: Any, labels: Any) -> Targets:
    """What the places of one picture should say.

    Args:
        places: of the detector.
        scores: A x classes in 0..1, of the detector or its teacher.
        boxes: A x 4 (ymin, xmin, ymax, xmax), likewise.
        wanted: M x 4, the objects' boxes.
        labels: M classes; below 0 it is no object.
    """
    inside = _inside(places, wanted)
    objects = labels >= 0
    overlap = jnp.maximum(overlaps(wanted[:, None], boxes[None]), 0)
    said = scores.T[jnp.maximum(labels, 0)]
    metric = said**_SCORE_POWER * overlap**_OVERLAP_POWER + _TINY
    metric = jnp.where(inside & objects[:, None], metric, 0)
    least = jax.lax.top_k(metric, _BEST)[0][:, -1:]
    chosen = (metric >= least) & (metric > 0)
    # A place that several objects want stands for the one that it overlaps most.
    nearest = jnp.argmax(jnp.where(chosen, overlap, -1), axis=0)
    chosen &= jnp.arange(len(wanted))[:, None] == nearest[None]
    metric = jnp.where(chosen, metric, 0)
    most = jnp.max(jnp.where(chosen, overlap, 0), axis=1, keepdims=True)
    score = metric / jnp.maximum(jnp.max(metric, axis=1, keepdims=True), _TINY / 2) * most
    of_place = jnp.max(score, axis=0)
    classes = jax.nn.one_hot(labels[nearest], scores.shape[1])
    crowd = jnp.any(_within(places, wanted) & (labels == CROWD)[:, None], axis=0)
    return Targets(of_place[:, None] * classes, wanted[nearest], ~crowd | jnp.any(chosen, axis=0))


def _inside(places: Places, wanted: Any) -> Any:
    """M x A: whether the place is in the object, or near the middle of a small one."""
    centre = (wanted[:, None, :2] + wanted[:, None, 2:]) / 2
    half = jnp.maximum((wanted[:, None, 2:] - wanted[:, None, :2]) / 2, places.reach)
    return jnp.all(jnp.abs(places.anchors[None, :, :2] - centre) < half, axis=-1)


def _within(places: Places, wanted: Any) -> Any:
    """M x A: whether the place is in the box, or beside a small one."""
    middle = places.anchors[None, :, :2]
    low, high = wanted[:, None, :2] - places.reach, wanted[:, None, 2:] + places.reach
    return jnp.all((middle > low) & (middle < high), axis=-1)


def overlaps(one: Any, other: Any) -> Any:
    """Intersection over union of boxes (ymin, xmin, ymax, xmax)."""
    return _shared(one, other)[0]


def _shared(one: Any, other: Any) -> tuple[Any, Any]:
    """Intersection over union, and the union."""
    low = jnp.maximum(one[..., :2], other[..., :2])
    high = jnp.minimum(one[..., 2:], other[..., 2:])
    shared = jnp.prod(jnp.maximum(high - low, 0), axis=-1)
    areas = jnp.prod(one[..., 2:] - one[..., :2], axis=-1)
    areas = areas + jnp.prod(other[..., 2:] - other[..., :2], axis=-1)
    union = jnp.maximum(areas - shared, _TINY)
    return shared / union, union


def generalised(one: Any, other: Any) -> Any:
    """Generalised intersection over union, -1..1."""
    share, union = _shared(one, other)
    low = jnp.minimum(one[..., :2], other[..., :2])
    high = jnp.maximum(one[..., 2:], other[..., 2:])
    around = jnp.maximum(jnp.prod(high - low, axis=-1), _TINY)
    return share - (around - union) / around


# Losses, of a batch


def loss(logits: Any, boxes: Any, targets: Targets) -> Any:
    """What a batch loses.

    Args:
        logits: B x A x (1 + classes), the background first.
        boxes: B x A x 4.
        targets: of each picture.
    """
    wanted = targets.scores
    counts = targets.counts[..., None]
    objects = jnp.maximum(jnp.sum(wanted), 1.0)
    seen = logits[..., 1:]
    weight = jnp.where(wanted > 0, wanted, _BACKGROUND * jax.nn.sigmoid(seen) ** 2)
    entropy = _entropy(seen, wanted)
    weight = jax.lax.stop_gradient(weight)
    score = jnp.where(wanted > 0, weight * entropy, jnp.minimum(weight * entropy, _MOST))
    share = jnp.max(wanted, axis=-1)
    box = share * (1 - generalised(boxes, targets.boxes))
    return (
        jnp.sum(score * counts)
        + _BOXES * jnp.sum(box)
        + jnp.sum(_background(logits[..., 0], 1 - share) * targets.counts)
    ) / objects


def taught(logits: Any, boxes: Any, teacher_scores: Any, teacher_boxes: Any) -> Any:
    """What a batch loses by not seeing what its teacher sees.

    Args:
        logits: B x A x (1 + classes), the background first.
        boxes: B x A x 4.
        teacher_scores: B x A x classes, 0..1.
        teacher_boxes: B x A x 4.
    """
    seen = logits[..., 1:]
    apart = jax.lax.stop_gradient(jnp.abs(jax.nn.sigmoid(seen) - teacher_scores))
    weight = jnp.maximum(teacher_scores, apart)
    objects = jnp.maximum(jnp.sum(teacher_scores**2), 1.0)
    share = jnp.max(teacher_scores, axis=-1)
    # Without the teacher's own doubt, so that it ends at 0.
    entropy = _entropy(seen, teacher_scores) - _doubt(teacher_scores)
    box = share**2 * (1 - generalised(boxes, teacher_boxes))
    background = _background(logits[..., 0], 1 - share)
    return (jnp.sum(weight * entropy) + _BOXES * jnp.sum(box) + jnp.sum(background)) / objects


def presence(logits: Any, targets: Targets, boxes: Any, labels: Any) -> Any:
    """What a batch loses by its best scores: whether a picture has an object at all.

    Of a picture with objects that is the best score among the places that stand for one, of one
    without the best of all. Pictures with none but small ones or crowds do not count.

    Args:
        logits: B x A x (1 + classes), the background first.
        targets: of each picture.
        boxes: B x M x 4, the objects'.
        labels: B x M classes; below 0 it is no object.
    """
    areas = jnp.prod(boxes[..., 2:] - boxes[..., :2], axis=-1)
    stands = jnp.any(targets.scores > 0, axis=-1)
    some = jnp.any((labels >= 0) & (areas > _NOTICED), axis=-1) & jnp.any(stands, axis=-1)
    none = jnp.all(labels < CROWD, axis=-1)
    seen = logits[..., 1:]
    best = jnp.max(jnp.where((stands | none[:, None])[..., None], seen, -_FAR), axis=(1, 2))
    entropy = jnp.where(some | none, _entropy(best, some), 0)
    return jnp.mean(entropy)


def witnessed(logits: Any, seen: Any) -> Any:
    """What a batch loses where its best scores are not those of a witness.

    Args:
        logits: B x A x (1 + classes), the background first.
        seen: B, the witness's best scores, 0..1.
    """
    best = jnp.max(logits[..., 1:].astype(jnp.float32), axis=(1, 2))
    return jnp.mean(_entropy(best, seen))


def _background(logits: Any, wanted: Any) -> Any:
    """Readers expect a score of the background, and do not look at it."""
    apart = jax.lax.stop_gradient((jax.nn.sigmoid(logits) - wanted) ** 2)
    return apart * _entropy(logits, wanted)


def _entropy(logits: Any, wanted: Any) -> Any:
    """Cross entropy of a sigmoid's logits and values in 0..1."""
    return jnp.maximum(logits, 0) - logits * wanted + jnp.log1p(jnp.exp(-jnp.abs(logits)))


def _doubt(values: Any) -> Any:
    """The entropy of values in 0..1 themselves."""
    safe = jnp.clip(values, _TINY, 1 - _TINY)
    return -(safe * jnp.log(safe) + (1 - safe) * jnp.log1p(-safe))
