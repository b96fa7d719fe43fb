"""Pictures with boxes, and batches of them: augmented, mixed and matched with anchors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edge_runtime.frame import Image
from edge_runtime.inference.engine import TensorSpec
from edge_runtime.inference.preprocess import Colour, Preprocessor, Resize
from model_export.architectures.anchors import anchors_of
from model_export.architectures.box_coding import decode, encode
from model_export.architectures.spec import Detector, Input
from model_export.datasets.coco import BoxedPictures
from model_export.errors import ExportError
from model_export.training.augmentation import NOTHING, Augmentation, Effect, Pixels
from model_export.training.batches import Batch, batches_an_epoch, order
from model_export.training.pictures import as_input
from model_export.weights import Floats

CROWD = -1
"""The label of a box around a group: what is in it is neither an object nor background."""

_OBJECT, _BACKGROUND = 0.5, 0.4
"""An anchor stands for an object above this intersection over union, and for background below the
other. Source: Lin et al. 2017, arXiv 1708.02002, part 4.1."""

_LEAST = 0.01
"""Of a side of the picture: objects that are smaller after cutting and mixing are left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One picture.

    Attributes:
        pixels: height x width x channels uint8.
        boxes: M x 4 float32 (ymin, xmin, ymax, xmax) in 0..1.
        labels: M classes, or `CROWD`.
    """

    pixels: Pixels
    boxes: Floats
    labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Scenes:
    """Pictures of a detector's size.

    Raises:
        ExportError: there are none, or none has an object.
    """

    scenes: tuple[Scene, ...]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if not any((scene.labels != CROWD).any() for scene in self.scenes):
            raise ExportError("there is no picture with an object in it: a detector needs some")

    def __len__(self) -> int:
        return len(self.scenes)


def load_scenes(
    data: BoxedPictures, picture: Input, progress: Callable[[float], None] = lambda _: None
) -> Scenes:
    """Read and scale all pictures as boards do, stretched to the network's size.

    Raises:
        SourceError: a file is missing or is no picture.
        ExportError: there is no object in any.
    """
    scale = scaler(picture)
    scenes = []
    for number, found in enumerate(data.pictures):
        corners = [(box.y, box.x, box.y + box.height, box.x + box.width) for box in found.boxes]
        size = np.array([found.height, found.width] * 2, np.float32)
        boxes = np.array(corners, np.float32).reshape(-1, 4) / size
        labels = np.array([CROWD if box.crowd else box.label for box in found.boxes], np.int64)
        scenes.append(_seen(scale(found.read()), boxes, labels))
        progress((number + 1) / len(data))
    return Scenes(tuple(scenes), data.classes)


def scaler(picture: Input) -> Callable[[Image], Pixels]:
    """What stretches a picture (H x W x 3 BGR) to the network's size and colours, as boards do."""
    shape = (picture.height, picture.width, picture.channels)
    colour = Colour.RGB if picture.channels == 3 else Colour.GREY
    spec = TensorSpec("picture", (1, *shape), np.dtype(np.uint8))
    preprocessor = Preprocessor(spec, Resize.STRETCH, colour, None)

    def scaled(image: Image) -> Pixels:
        pixels = np.empty(shape, np.uint8)
        preprocessor.write(image, pixels)
        return pixels

    return scaled


def nobody(pixels: Pixels) -> Scene:
    """A picture without any object."""
    return Scene(pixels, np.empty((0, 4), np.float32), np.empty(0, np.int64))


# Mixing and moving


def mirrored(scene: Scene) -> Scene:
    """Left becomes right."""
    ymin, xmin, ymax, xmax = scene.boxes.T
    boxes = np.stack([ymin, 1 - xmax, ymax, 1 - xmin], axis=1)
    return Scene(scene.pixels[:, ::-1], boxes, scene.labels)


def window(scene: Scene, rng: Generator) -> Scene:
    """A part of the picture, at least half of each side, as large as the whole."""
    height, width = scene.pixels.shape[:2]
    size = rng.uniform(0.5, 1, 2)
    start = rng.uniform(0, 1 - size)
    top, left = (start * (height, width)).astype(int)
    bottom, right = ((start + size) * (height, width)).astype(int)
    part = scene.pixels[top:bottom, left:right]
    zoomed = np.asarray(cv2.resize(part, (width, height)), np.uint8).reshape(scene.pixels.shape)
    origin = np.array([top / height, left / width] * 2)
    extent = np.array([(bottom - top) / height, (right - left) / width] * 2)
    return _inside(zoomed, (scene.boxes - origin) / extent, scene.labels)


def mosaic(scenes: tuple[Scene, Scene, Scene, Scene]) -> Scene:
    """Four pictures in one, each half as large: more and smaller objects, on other grounds.

    Source: Bochkovskiy et al. 2020, arXiv 2004.10934, part 3.3.
    """
    height, width, channels = scenes[0].pixels.shape
    middle = height // 2, width // 2
    pixels = np.empty((height, width, channels), np.uint8)
    boxes = []
    for number, scene in enumerate(scenes):
        row, column = divmod(number, 2)
        part = pixels[
            middle[0] if row else 0 : height if row else middle[0],
            middle[1] if column else 0 : width if column else middle[1],
        ]
        size = part.shape[1], part.shape[0]
        small = cv2.resize(scene.pixels, size, interpolation=cv2.INTER_AREA)
        part[...] = np.asarray(small, np.uint8).reshape(part.shape)
        start = np.array([middle[0] / height * row, middle[1] / width * column] * 2)
        extent = np.array([size[1] / height, size[0] / width] * 2)
        boxes.append(scene.boxes * extent + start)
    labels = np.concatenate([scene.labels for scene in scenes])
    return _seen(pixels, np.concatenate(boxes), labels)


def _inside(pixels: Pixels, boxes: NDArray[np.floating], labels: NDArray[np.int64]) -> Scene:
    """The boxes whose middle is in the picture, cut off at its borders."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    kept = ((centre > 0) & (centre < 1)).all(axis=1)
    return _seen(pixels, boxes[kept], labels[kept])


def _seen(pixels: Pixels, boxes: NDArray[np.floating], labels: NDArray[np.int64]) -> Scene:
    boxes = boxes.clip(0, 1).astype(np.float32)
    large = (boxes[:, 2:] - boxes[:, :2] >= _LEAST).all(axis=1)
    return Scene(pixels, boxes[large], labels[large])


# What each anchor should say


def overlaps(boxes: Floats, others: Floats) -> Floats:
    """Intersection over union of N boxes and M others (ymin, xmin, ymax, xmax): N x M."""
    top_left = np.maximum(boxes[:, np.newaxis, :2], others[:, :2])
    bottom_right = np.minimum(boxes[:, np.newaxis, 2:], others[:, 2:])
    shared = np.prod(np.maximum(bottom_right - top_left, 0), axis=2)
    areas = (np.prod(each[:, 2:] - each[:, :2], axis=1) for each in (boxes, others))
    area, other = areas
    return np.asarray(shared / (area[:, np.newaxis] + other - shared + 1e-9), np.float32)


def targets(scene: Scene, anchors: Floats, scores: int) -> Floats:
    """A x (4 + scores + 2): coded boxes, scores, whether the box counts and whether the score does.

    Each object has at least the anchor that is nearest to it.
    """
    corners = decode(np.zeros_like(anchors), anchors)
    truth = np.zeros((len(anchors), 4 + scores + 2), np.float32)
    truth[:, 4] = truth[:, -1] = 1
    if not len(scene.boxes):
        return truth
    shares = overlaps(corners, scene.boxes)
    nearest, share = shares.argmax(axis=1), shares.max(axis=1)
    objects = np.flatnonzero(scene.labels != CROWD)
    # The last of several objects that want one anchor gets it.
    wanted = shares[:, objects].argmax(axis=0)
    nearest[wanted], share[wanted] = objects, 1
    truth[share >= _BACKGROUND, -1] = 0
    labels = scene.labels[nearest]
    found = (share >= _OBJECT) & (labels != CROWD)
    truth[found, :4] = encode(scene.boxes[nearest[found]], anchors[found])
    truth[found, 4] = 0
    truth[found, 5 + labels[found]] = 1
    truth[found, -2:] = 1
    return truth


@dataclass(frozen=True, slots=True, eq=False)
class SceneBatches:
    """What an epoch is made of; attributes as those of `batches.Batches`.

    Attributes:
        mixing: how often a picture is one of four in a mosaic, 0..1.
    """

    scenes: Scenes
    network: Detector
    size: int
    seed: int = 0
    shuffled: bool = False
    augmentation: Augmentation = NOTHING
    mixing: float = 0.0

    def __len__(self) -> int:
        return batches_an_epoch(len(self.scenes), self.size, shuffled=self.shuffled)

    def batch(self, epoch: int, number: int) -> Batch:
        """The batch `number` of an epoch, both from 0: always the same one."""
        whole = order(len(self.scenes), self.seed, epoch, shuffled=self.shuffled)
        chosen = whole[number * self.size : (number + 1) * self.size]
        found = [self._scene(epoch, int(index)) for index in chosen]
        anchors, scores = anchors_of(self.network), self.network.scores
        inputs = as_input(np.stack([scene.pixels for scene in found]), self.network.backbone.input)
        truth = np.stack([targets(scene, anchors, scores) for scene in found])
        return inputs, truth, np.ones(len(found), np.float32)

    def _scene(self, epoch: int, index: int) -> Scene:
        rng = np.random.default_rng((self.seed, epoch, index))
        chances = dict(self.augmentation.probabilities)
        flip, shift = chances.pop(Effect.FLIP, 0), chances.pop(Effect.SHIFT, 0)
        scene = self.scenes.scenes[index]
        if rng.random() < self.mixing:
            others = rng.integers(0, len(self.scenes), 3)
            first, second, third = (self.scenes.scenes[int(other)] for other in others)
            scene = mosaic((scene, first, second, third))
        elif rng.random() < shift:
            scene = window(scene, rng)
        if rng.random() < flip:
            scene = mirrored(scene)
        pixels = Augmentation(chances)(scene.pixels, rng)
        return Scene(pixels, scene.boxes, scene.labels)
