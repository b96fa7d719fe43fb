"""What happens to a picture on the accelerator before a detector sees it.

Everything is arithmetic on arrays of fixed shapes, so that it compiles into the training step:
resampling is a product with one matrix for the rows and one for the columns, which also mirrors,
cuts, shrinks and blurs. A key decides what happens: the same key, the same picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from model_export.errors import ExportError
from model_export.training.boxes import CROWD
from model_export.training.scene_arrays import NOTHING

_LEAST = 0.01
"""Of a side of the picture: smaller objects count as nothing, and are no background either."""

_WHOLE, _PART = 0.45, 0.1
"""The share of an object that has to be visible for it to be one; below it, down to the other, it
counts as a crowd does, and below that not at all."""

_CANDIDATES = 16
"""Windows among which that with the least of all objects is taken for an empty one."""

_CLOSER = 1.3, 4.0
"""How far such a window is enlarged: what stands behind persons has to be seen as large as they."""

_MARGIN = 0.12
"""Of an object's sides: so much around it is covered with it."""

_EDGE = 4.0
"""Pixels: over so many, what covers becomes what is covered."""

_GREY = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True)
class Views:
    """How far pictures are changed.

    Attributes:
        mixing: the share of a batch that is made of four pictures each.
        empty: how often a part with as little as possible of all objects is shown.
        covered: how often all objects of a picture that is not mixed lie under pieces of another
            one, and how often such a piece lies anywhere.
        zoom: the least and the greatest factor by which a picture is enlarged.
        stretch: the greatest factor between height and width that is added.
        coarse: how often a picture has been seen by fewer pixels, and the fewest a side.
        light: how often brightness, contrast, gamma and colours change.
        grey: how often colours are gone.
        noise: how often there is some, and the largest standard deviation as a share of white.
        hidden: how often something stands before a part of the picture.
        closing: the share of the training, at its end, in which no pictures are mixed.
    """

    mixing: float = 0.5
    empty: float = 0.06
    zoom: tuple[float, float] = (0.6, 2.2)
    stretch: float = 1.35
    coarse: tuple[float, int] = (0.3, 72)
    light: float = 0.8
    grey: float = 0.12
    noise: tuple[float, float] = (0.3, 0.08)
    hidden: float = 0.15
    closing: float = 0.0
    covered: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        chances = (
            *(self.mixing, self.closing, self.empty, self.light, self.grey, self.hidden),
            *self.covered,
        )
        if not all(0 <= chance <= 1 for chance in (*chances, self.coarse[0], self.noise[0])):
            raise ExportError(f"how often something happens is in 0..1, unlike in {self}")
        if not 0 < self.zoom[0] <= self.zoom[1] or self.stretch < 1 or self.coarse[1] < 1:
            raise ExportError(
                "a picture is enlarged by a factor above 0 and stretched by one from 1 on, and "
                f"has at least 1 pixel, unlike in {self}"
            )


CAMERAS = Views()
UNCHANGED = Views(0, 0, (1, 1), 1, (0, 1), 0, 0, (0, 0), 0)


class Data(NamedTuple):
    """All pictures; as `scene_arrays.SceneArrays`, on the accelerator."""

    pixels: Any
    boxes: Any
    labels: Any


class Seen(NamedTuple):
    """What a detector sees, and what is true of it.

    Attributes:
        picture: size x size x channels, 0..1.
        boxes, labels: as in `Data`.
        clear: the same picture before light, noise and blur changed it and something stood before
            it: what is asked for its opinion should see well.
    """

    picture: Any
    boxes: Any
    labels: Any
    clear: Any


class _Place(NamedTuple):
    """Where a picture goes: its upper left corner and its extent (y, x), as shares of the view."""

    start: Any
    extent: Any
    mirrored: Any


def batch(
    key: Any, data: Data, chosen: Any, views: Views, size: tuple[int, int], *, done: Any = 0.0
) -> Seen:
    """The views of the pictures `chosen` (B indexes); the first of them are mixed.

    What happens to a picture depends on the key and its index, not on its place.

    Args:
        done: the share of the training that lies behind, 0..1.
    """
    keys = jax.vmap(partial(jax.random.fold_in, key))(chosen)
    mixed = round(len(chosen) * views.mixing)
    parts = []
    if mixed:
        alone = jnp.asarray(done) >= 1 - views.closing if views.closing else jnp.zeros((), bool)
        mosaic = partial(_mosaic, data, views, size, alone=alone)
        parts.append(jax.vmap(mosaic)(keys[:mixed], chosen[:mixed]))
    if mixed < len(chosen):
        parts.append(jax.vmap(partial(_single, data, views, size))(keys[mixed:], chosen[mixed:]))
    return Seen(*(jnp.concatenate(each) for each in zip(*parts, strict=True)))


def plain(data: Data, chosen: Any, size: tuple[int, int]) -> Seen:
    """The pictures as they are, stretched to the size."""
    place = _Place(jnp.zeros(2), jnp.ones(2), jnp.zeros((), bool))

    def one(index: Any) -> Seen:
        picture = _resampled(data.pixels[index], place, size)
        return Seen(picture, *_moved(data.boxes[index], data.labels[index], place), picture)

    seen: Seen = jax.vmap(one)(chosen)
    return seen


def _single(data: Data, views: Views, size: tuple[int, int], key: Any, index: Any) -> Seen:
    where, look, background = jax.random.split(key, 3)
    boxes, labels = data.boxes[index], data.labels[index]
    place = _shown(where, views, (jnp.zeros(2), jnp.ones(2)), boxes, labels)
    picture = _resampled(data.pixels[index], place, size)
    covered = _inside(place.start, place.start + place.extent, size)
    shade = jax.random.uniform(background, (data.pixels.shape[-1],))
    picture = jnp.where(covered, picture, shade)
    seen = Seen(picture, *_moved(boxes, labels, place), picture)
    if any(views.covered):
        corners = jnp.where((labels == NOTHING)[:, None], 0, _corners(boxes, place))
        seen = _covered(jax.random.fold_in(key, 1), data, views, seen, corners)
    return seen._replace(picture=_changed(look, seen.clear, views))


def _covered(key: Any, data: Data, views: Views, seen: Seen, objects: Any) -> Seen:
    """The view with pieces of another picture over its objects (M x 4), or one anywhere.

    What is left is the surroundings of objects without them, and where such pieces lie tells
    nothing.
    """
    which, where, happens, one = jax.random.split(key, 4)
    other = jax.random.randint(which, (), 0, len(data.pixels))
    boxes, labels = data.boxes[other], data.labels[other]
    place = _emptiest(where, views, (jnp.zeros(2), jnp.ones(2)), boxes, labels)
    size = seen.picture.shape[:2]
    over = _resampled(data.pixels[other], place, size)
    share, (gone, anywhere) = jax.random.uniform(happens, ()), views.covered
    all_gone, lies = share < gone, share < gone + anywhere
    # Shadows and what is held go along.
    margin = _MARGIN * jnp.tile(objects[:, 2:] - objects[:, :2], 2)
    grown = objects + margin * jnp.array([-1, -1, 1, 1])
    middle, half = jax.random.uniform(one, (2, 2)) * jnp.array([[1.0], [0.2]])
    piece = jnp.concatenate([middle - half - 0.05, middle + half + 0.05])
    pieces = jnp.where(all_gone, grown, jnp.zeros_like(grown).at[0].set(piece))
    shown = jnp.where(lies, _soft(pieces, size), 0)[..., None]
    picture = shown * over + (1 - shown) * seen.picture
    # What is left of objects in the other picture is neither an object nor background.
    rest, of_rest = _moved(boxes, labels, place)
    of_rest = jnp.where(of_rest == NOTHING, NOTHING, CROWD)
    low, high = jnp.maximum(seen.boxes[:, :2], piece[:2]), jnp.minimum(seen.boxes[:, 2:], piece[2:])
    hidden = _area(jnp.concatenate([low, high], axis=1)) / jnp.maximum(_area(seen.boxes), 1e-9)
    left = jnp.where(lies & (hidden > 1 - _WHOLE) & (seen.labels != NOTHING), CROWD, seen.labels)
    return Seen(
        picture,
        jnp.where(all_gone, rest, seen.boxes),
        jnp.where(all_gone, of_rest, left),
        picture,
    )


def _soft(boxes: Any, size: tuple[int, int]) -> Any:
    """Height x width: 1 in the boxes, 0 outside, and between them a few pixels."""

    def along(side: int, axis: int) -> Any:
        at = (jnp.arange(side) + 0.5) / side
        inside = jnp.minimum(at - boxes[:, axis, None], boxes[:, axis + 2, None] - at)
        return jnp.clip(inside * side / _EDGE, 0, 1).astype(jnp.bfloat16)

    summed = jnp.einsum("mh,mw->hw", along(size[0], 0), along(size[1], 1))
    return jnp.minimum(summed.astype(jnp.float32), 1)


def _mosaic(
    data: Data, views: Views, size: tuple[int, int], key: Any, index: Any, *, alone: Any
) -> Seen:
    """Four pictures around a point; `alone`: the first of them takes all the room.

    Source: Bochkovskiy et al. 2020, arXiv 2004.10934, part 3.3.
    """
    others, middle, where, look = jax.random.split(key, 4)
    rest = jax.random.randint(others, (3,), 0, len(data.pixels))
    middle = jax.random.uniform(middle, (2,), minval=0.3, maxval=0.7)
    middle = jnp.where(alone, 1.0, middle)
    low = jnp.array([(0, 0), (0, 1), (1, 0), (1, 1)])
    starts, ends = jnp.where(low, middle, 0), jnp.where(low, 1, middle)

    def quarter(key: Any, which: Any, start: Any, end: Any) -> tuple[Any, Any, Any]:
        found = data.boxes[which], data.labels[which]
        place = _shown(key, views, (start, end - start), *found)
        part = _resampled(data.pixels[which], place, size)
        inside = _inside(start, end, size)
        inside &= _inside(place.start, place.start + place.extent, size)
        # Grey where there is nothing; what all four have of it adds up.
        grey = jnp.where(_inside(start, end, size), 0.5, 0)
        moved = _moved(*found, place, start, end)
        return jnp.where(inside, part, grey), *moved

    parts, boxes, labels = jax.vmap(quarter)(
        jax.random.split(where, 4), jnp.stack([index, *rest]), starts, ends
    )
    kept = _best_rows(boxes.reshape(-1, 4), labels.reshape(-1), data.boxes.shape[1])
    clear = jnp.sum(parts, axis=0)
    return Seen(_changed(look, clear, views), *kept, clear)


def _best_rows(boxes: Any, labels: Any, most: int) -> tuple[Any, Any]:
    """The largest boxes that are some."""
    areas = jnp.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    _, kept = jax.lax.top_k(jnp.where(labels == NOTHING, -1.0, areas), most)
    return boxes[kept], labels[kept]


# Where a picture goes


def _placed(key: Any, views: Views, start: Any, extent: Any) -> _Place:
    """Somewhere in a frame, at some size: none of the frame is empty that need not be."""
    zoom, stretch, at, mirrored = jax.random.split(key, 4)
    low, high = jnp.log(views.zoom[0]), jnp.log(views.zoom[1])
    factor = jnp.exp(jax.random.uniform(zoom, (), minval=low, maxval=high))
    most = jnp.log(views.stretch)
    ratio = jnp.exp(jax.random.uniform(stretch, (), minval=-most, maxval=most) / 2)
    scale = extent * factor * jnp.stack([ratio, 1 / ratio])
    offset = start + jax.random.uniform(at, (2,)) * (extent - scale)
    return _Place(offset, scale, jax.random.bernoulli(mirrored))


def _shown(key: Any, views: Views, frame: tuple[Any, Any], boxes: Any, labels: Any) -> _Place:
    """Somewhere in a frame (its corner and extent), sometimes with few objects."""
    place = _placed(key, views, *frame)
    if not views.empty:
        return place
    search, chance = jax.random.split(jax.random.fold_in(key, 1))
    found = _emptiest(search, views, frame, boxes, labels)
    taken = jax.random.bernoulli(chance, float(views.empty))
    return _Place(*(jnp.where(taken, f, p) for f, p in zip(found, place, strict=True)))


def _emptiest(key: Any, views: Views, frame: tuple[Any, Any], boxes: Any, labels: Any) -> _Place:
    """Somewhere in a frame with as little as possible of all objects."""
    start, extent = frame
    closer = Views(zoom=_CLOSER, stretch=views.stretch)
    keys = jax.random.split(key, _CANDIDATES)
    found = jax.vmap(lambda k: _placed(k, closer, start, extent))(keys)

    def visible(candidate: _Place) -> Any:
        cut = jnp.clip(_corners(boxes, candidate), jnp.tile(start, 2), jnp.tile(start + extent, 2))
        return jnp.sum(jnp.where(labels == NOTHING, 0, _area(cut)))

    best = jnp.argmin(jax.vmap(visible)(found))
    return _Place(*(each[best] for each in found))


def _corners(boxes: Any, place: _Place) -> Any:
    """Boxes of the picture in the view."""
    ymin, xmin, ymax, xmax = (boxes[:, number] for number in range(4))
    left, right = (
        jnp.where(place.mirrored, 1 - xmax, xmin),
        jnp.where(place.mirrored, 1 - xmin, xmax),
    )
    rows = jnp.stack([ymin, left, ymax, right], axis=1)
    return rows * jnp.tile(place.extent, 2) + jnp.tile(place.start, 2)


def _moved(
    boxes: Any, labels: Any, place: _Place, start: Any = 0.0, end: Any = 1.0
) -> tuple[Any, Any]:
    """The boxes in the view, cut off at the borders of the frame, and what they now are."""
    whole = _corners(boxes, place)
    low, high = jnp.broadcast_to(start, 2), jnp.broadcast_to(end, 2)
    cut = jnp.clip(whole, jnp.tile(low, 2), jnp.tile(high, 2))
    visible = _area(cut) / jnp.maximum(_area(whole), 1e-9)
    small = jnp.min(cut[:, 2:] - cut[:, :2], axis=1) < _LEAST
    found = jnp.where((visible < _WHOLE) | small, CROWD, labels)
    found = jnp.where((visible < _PART) | (labels == NOTHING), NOTHING, found)
    return cut, found


def _area(boxes: Any) -> Any:
    return jnp.prod(jnp.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)


def _inside(start: Any, end: Any, size: tuple[int, int]) -> Any:
    """Height x width x 1: which pixels of the view lie between two corners."""
    sides = [(jnp.arange(side) + 0.5) / side for side in size]
    rows, columns = ((side >= start[axis]) & (side < end[axis]) for axis, side in enumerate(sides))
    return (rows[:, None] & columns[None])[..., None]


# Resampling


def _resampled(pixels: Any, place: _Place, size: tuple[int, int]) -> Any:
    """The picture at its place, 0..1; its borders go on where it does not reach."""
    height, width, _ = pixels.shape
    rows = _weights(size[0], height, place.start[0], place.extent[0])
    columns = _weights(size[1], width, place.start[1], place.extent[1])
    columns = jnp.where(place.mirrored, columns[:, ::-1], columns)
    return _product(rows, pixels, columns) / 255


def _product(rows: Any, picture: Any, columns: Any) -> Any:
    # A bfloat16 holds the 8 bits of a pixel.
    numbers = (values.astype(jnp.bfloat16) for values in (rows, picture, columns))
    return jnp.einsum("oh,hwc,pw->opc", *numbers, preferred_element_type=jnp.float32)


def _weights(out: int, given: int, start: Any, extent: Any) -> Any:
    """out x given: how much each pixel of a side counts for each one of the view.

    A triangle, as wide as a pixel of whichever is coarser.
    """
    centre = ((jnp.arange(out) + 0.5) / out - start) / extent * given - 0.5
    centre = jnp.clip(centre, 0, given - 1)
    reach = jnp.maximum(1.0, given / (out * extent))
    away = jnp.abs(centre[:, None] - jnp.arange(given)[None]) / reach
    weights = jnp.maximum(0, 1 - away)
    return weights / jnp.sum(weights, axis=1, keepdims=True)


def _coarser(out: int, pixels: Any) -> Any:
    """out x out: what is left of a side that was seen by so many pixels, at most `out`."""
    numbers = jnp.arange(out)
    centre = (numbers + 0.5) / pixels * out - 0.5
    away = jnp.abs(centre[:, None] - numbers[None]) / (out / pixels)
    down = jnp.maximum(0, 1 - away)
    down = down / jnp.maximum(jnp.sum(down, axis=1, keepdims=True), 1e-6)
    back = jnp.clip((numbers + 0.5) / out * pixels - 0.5, 0, pixels - 1)
    up = jnp.maximum(0, 1 - jnp.abs(back[:, None] - numbers[None]))
    return up @ down


# What light, lens and sensor do


def _changed(key: Any, picture: Any, views: Views) -> Any:
    lens, light, colour, noise, hidden = jax.random.split(key, 5)
    picture = _hidden(hidden, picture, views.hidden)
    picture = _seen_coarsely(lens, picture, *views.coarse)
    picture = _lit(light, picture, views.light)
    picture = _coloured(colour, picture, views)
    return jnp.clip(_noisy(noise, picture, *views.noise), 0, 1)


def _seen_coarsely(key: Any, picture: Any, chance: float, fewest: int) -> Any:
    if not chance:
        return picture
    happens, pixels, moves = jax.random.split(key, 3)
    sides = jnp.array(picture.shape[:2], jnp.float32)
    low = jnp.log(jnp.minimum(fewest, sides))
    seen = jnp.exp(low + jax.random.uniform(pixels, ()) * (jnp.log(sides) - low))
    # Along one side only, it has moved.
    along = jax.random.bernoulli(moves, 0.15, (2,))
    seen = jnp.where(jax.random.bernoulli(happens, float(chance)) & ~along, seen, sides)
    rows, columns = (_coarser(picture.shape[axis], seen[axis]) for axis in (0, 1))
    return _product(rows, picture, columns)


def _lit(key: Any, picture: Any, chance: float) -> Any:
    """Brightness, contrast, gamma, and light that falls from one side."""
    if not chance:
        return picture
    happens, gamma, contrast, brightness, ramp, side = jax.random.split(key, 6)
    height, width = picture.shape[:2]
    slope = jax.random.normal(side, (2,)) * 0.5
    fall = slope[0] * (jnp.arange(height)[:, None] / height - 0.5)
    fall = fall + slope[1] * (jnp.arange(width)[None] / width - 0.5)
    fall = jnp.where(jax.random.bernoulli(ramp, 0.3), fall, 0)
    lit = jnp.clip(picture, 1e-3, 1) ** jnp.exp(_between(gamma, -0.5, 0.6))
    mean = jnp.mean(lit)
    lit = (lit - mean) * jnp.exp(_between(contrast, -0.5, 0.3)) + mean
    lit = lit * (1 + fall[..., None]) + _between(brightness, -0.15, 0.15)
    return jnp.where(jax.random.bernoulli(happens, float(chance)), lit, picture)


def _coloured(key: Any, picture: Any, views: Views) -> Any:
    if not views.light or picture.shape[-1] != len(_GREY):
        return picture
    happens, cast, saturation, gone = jax.random.split(key, 4)
    grey = jnp.sum(picture * jnp.array(_GREY), axis=-1, keepdims=True)
    coloured = picture * jnp.exp(jax.random.normal(cast, (len(_GREY),)) * 0.1)
    coloured = grey + (coloured - grey) * _between(saturation, 0.3, 1.6)
    picture = jnp.where(jax.random.bernoulli(happens, float(views.light)), coloured, picture)
    return jnp.where(jax.random.bernoulli(gone, float(views.grey)), grey, picture)


def _noisy(key: Any, picture: Any, chance: float, most: float) -> Any:
    if not chance:
        return picture
    happens, level, values = jax.random.split(key, 3)
    level = jnp.where(jax.random.bernoulli(happens, float(chance)), _between(level, 0, most), 0)
    return picture + level * jax.random.normal(values, picture.shape)


def _hidden(key: Any, picture: Any, chance: float) -> Any:
    """A plain rectangle, of at most a ninth of the picture."""
    if not chance:
        return picture
    happens, where, extent, colour = jax.random.split(key, 4)
    centre = jax.random.uniform(where, (2,))
    half = jax.random.uniform(extent, (2,), minval=0.03, maxval=0.165)
    half = jnp.where(jax.random.bernoulli(happens, float(chance)), half, -1)
    cover = jax.random.uniform(colour, (picture.shape[-1],))
    return jnp.where(_inside(centre - half, centre + half, picture.shape[:2]), cover, picture)


def _between(key: Any, low: float, high: float) -> Any:
    return jax.random.uniform(key, (), minval=low, maxval=high)
