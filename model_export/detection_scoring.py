"""Runs a detector over pictures as a board would, down to low scores, and matches what it finds.

Matching is pycocotools': the best-scoring box first takes the object that it overlaps most.
Source: https://cocodataset.org/#detection-eval.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.model import ModelSettings, load_detector
from model_export.datasets.coco import BoxedPictures
from model_export.errors import ExportError
from model_export.scoring import brightness_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

OVERLAPS = tuple(float(share) for share in np.linspace(0.5, 0.95, 10))
"""From which intersection over union a box meets an object: COCO's ten."""

MOST_BOXES = 100
"""Of a picture and class that are counted."""

_LEAST_SCORE = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a detector found in pictures with boxes.

    Attributes:
        sha256: of the model file.
        classes: C names, the data's.
        pictures: M numbers of pictures.
        labels: M numbers of classes.
        boxes: M x 4 (x1, y1, x2, y2) in pixels.
        scores: M, 0..1.
        brightness: of each of N pictures the mean, 0..255.
    """

    sha256: str
    classes: tuple[str, ...]
    pictures: Integers
    labels: Integers
    boxes: Floats
    scores: Floats
    brightness: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """The boxes and objects of one class in N pictures; boxes in COCO's order.

    Attributes:
        pictures: D numbers of pictures, of the boxes.
        boxes: D x 4 (x1, y1, x2, y2) in pixels.
        scores: D.
        hit: 10 x D, whether the box meets an object at each of `OVERLAPS`.
        ignored: 10 x D, whether it does not count, for it lies in a crowd.
        object_pictures: G numbers of pictures, of the objects; crowds are none.
        object_boxes: G x 4 (x1, y1, x2, y2) in pixels.
        object_scores: G, of the box that meets the object at an overlap of 0.5; 0: none does.
        with_any: N, whether there is anything of the class in the picture, crowds included.
    """

    pictures: Integers
    boxes: Floats
    scores: Floats
    hit: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    object_pictures: Integers
    object_boxes: Floats
    object_scores: Floats
    with_any: NDArray[np.bool_]

    def best_scores(self) -> NDArray[np.float32]:
        """Of each of N pictures the score of the best box; 0 where there is none."""
        best = np.zeros(len(self.with_any))
        np.maximum.at(best, self.pictures, self.scores)
        return best.astype(np.float32)

    def objects(self) -> Integers:
        """How many there are in each of N pictures."""
        return np.bincount(self.object_pictures, minlength=len(self.with_any))


def find(
    settings: ModelSettings,
    data: BoxedPictures,
    progress: Callable[[float], None] = lambda _: None,
) -> Found:
    """Run the detector on all pictures as a board would, down to low scores.

    The model's labels have to name the data's classes; what else it finds does not count.

    Raises:
        ExportError: the model lacks a class of the data, or the data has no boxes.
        EdgeRuntimeError: the model cannot be run, or a picture not be read.
    """
    if not any(picture.boxes for picture in data.pictures):
        raise ExportError(f"none of the {len(data)} pictures has a box: nothing can be evaluated")
    detector = load_detector(
        replace(
            settings,
            device="cpu",
            threshold=_LEAST_SCORE,
            thresholds={},
            max_detections=MOST_BOXES * len(data.classes),
        )
    )
    missing = sorted(set(data.classes) - set(detector.labels))
    if missing:
        raise ExportError(
            f"model {settings.path} has no class {missing[0]}, which the data has: it tells "
            f"{', '.join(detector.labels[:8])} apart"
        )
    # By the model's numbers; a class that the data lacks is -1.
    numbers = np.array([_index(data.classes, label) for label in detector.labels])
    parts = []
    brightness = np.empty(len(data), np.float32)
    for number, picture in enumerate(data.pictures):
        image = picture.read()
        seen = detector.detect(image)
        brightness[number] = brightness_of(image)
        parts.append((np.full(len(seen), number), numbers[seen.class_ids], seen.boxes, seen.scores))
        progress((number + 1) / len(data))
    pictures, labels, boxes, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
    known = labels >= 0
    return Found(
        sha256=detector.identity.sha256,
        classes=data.classes,
        pictures=pictures[known].astype(np.int64),
        labels=labels[known].astype(np.int64),
        boxes=boxes[known].astype(np.float64),
        scores=scores[known].astype(np.float64),
        brightness=brightness,
    )


def _index(classes: tuple[str, ...], label: str) -> int:
    return classes.index(label) if label in classes else -1


class Evaluated:
    """pycocotools' evaluation of what was found, gone through once.

    Raises:
        ExportError: pycocotools is not installed.
    """

    def __init__(self, found: Found, data: BoxedPictures) -> None:
        self._found = found
        self._data = data
        self._pictures = {picture.id: number for number, picture in enumerate(data.pictures)}
        # It prints what it does.
        with contextlib.redirect_stdout(io.StringIO()):
            results = _truth(data), _results(found, data)
            self._coco = _pycocotools("cocoeval").COCOeval(*results, "bbox")
            self._coco.evaluate()
            self._coco.accumulate()

    @property
    def precision(self) -> Floats:
        """10 overlaps x 101 recalls x classes x 4 areas (all, small, medium, large).

        With at most 100 boxes a picture; -1 where there are no such objects.
        """
        return np.asarray(self._coco.eval["precision"][..., -1])

    @property
    def recall(self) -> Floats:
        """10 overlaps x classes x 4 areas; the same."""
        return np.asarray(self._coco.eval["recall"][..., -1])

    def matches(self, label: int) -> Matches:
        """What was matched of one class."""
        pictures, areas = len(self._coco.params.imgIds), len(self._coco.params.areaRng)
        first = label * areas * pictures
        images = [image for image in self._coco.evalImgs[first : first + pictures] if image]
        boxes, objects = _Rows(), _Rows()
        for image in images:
            number = self._pictures[image["image_id"]]
            self._add_boxes(boxes, image, number)
            self._add_objects(objects, image, number)
        with_any = [
            any(box.label == label for box in picture.boxes) for picture in self._data.pictures
        ]
        none = np.empty((len(OVERLAPS), 0))
        return Matches(
            pictures=np.array(boxes.pictures, np.int64),
            boxes=boxes.corners(),
            scores=np.array(boxes.scores, np.float64),
            hit=np.concatenate([none, *(image["dtMatches"] for image in images)], axis=1) > 0,
            ignored=np.concatenate([none, *(image["dtIgnore"] for image in images)], axis=1) > 0,
            object_pictures=np.array(objects.pictures, np.int64),
            object_boxes=objects.corners(),
            object_scores=np.array(objects.scores, np.float64),
            with_any=np.array(with_any),
        )

    def _add_boxes(self, rows: _Rows, image: Any, picture: int) -> None:
        for identity, score in zip(image["dtIds"], image["dtScores"], strict=True):
            rows.add(picture, self._coco.cocoDt.anns[identity]["bbox"], score)

    def _add_objects(self, rows: _Rows, image: Any, picture: int) -> None:
        scores = dict(zip(image["dtIds"], image["dtScores"], strict=True))
        matched = zip(image["gtIds"], image["gtMatches"][0], image["gtIgnore"], strict=True)
        for identity, by, ignored in matched:
            if not ignored:
                box = self._coco.cocoGt.anns[identity]["bbox"]
                rows.add(picture, box, scores.get(int(by), 0.0))


class _Rows:
    """Boxes that are collected."""

    def __init__(self) -> None:
        self.pictures: list[int] = []
        self.scores: list[float] = []
        self._boxes: list[list[float]] = []

    def add(self, picture: int, box: list[float], score: float) -> None:
        self.pictures.append(picture)
        self._boxes.append(box)
        self.scores.append(float(score))

    def corners(self) -> Floats:
        """N x 4 (x1, y1, x2, y2)."""
        found = np.array(self._boxes, np.float64).reshape(-1, 4)
        return np.concatenate([found[:, :2], found[:, :2] + found[:, 2:]], axis=1)


def _pycocotools(module: str) -> Any:
    from importlib import import_module

    try:
        return import_module(f"pycocotools.{module}")
    except ModuleNotFoundError as error:
        raise ExportError(
            "pycocotools is not installed, and detectors are evaluated with it: "
            "pip install 'edge-runtime[export]'"
        ) from error


def _truth(data: BoxedPictures) -> Any:
    boxes = [(picture.id, box) for picture in data.pictures for box in picture.boxes]
    return _indexed(
        data,
        [
            {
                "image_id": picture,
                "category_id": box.label + 1,
                "bbox": [box.x, box.y, box.width, box.height],
                "iscrowd": int(box.crowd),
            }
            for picture, box in boxes
        ],
    )


def _results(found: Found, data: BoxedPictures) -> Any:
    sizes = np.concatenate([found.boxes[:, :2], found.boxes[:, 2:] - found.boxes[:, :2]], axis=1)
    return _indexed(
        data,
        [
            {
                "image_id": data.pictures[picture].id,
                "category_id": label + 1,
                "bbox": box,
                "score": score,
                "iscrowd": 0,
            }
            for picture, label, box, score in zip(
                found.pictures.tolist(),
                found.labels.tolist(),
                sizes.tolist(),
                found.scores.tolist(),
                strict=True,
            )
        ],
    )


def _indexed(data: BoxedPictures, annotations: list[dict[str, Any]]) -> Any:
    coco = _pycocotools("coco").COCO()
    for number, annotation in enumerate(annotations, 1):
        _, _, width, height = annotation["bbox"]
        annotation |= {"id": number, "area": width * height}
    coco.dataset = {
        "info": {},
        "images": [
            {"id": picture.id, "width": picture.width, "height": picture.height}
            for picture in data.pictures
        ],
        "categories": [{"id": n, "name": name} for n, name in enumerate(data.classes, 1)],
        "annotations": annotations,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco
