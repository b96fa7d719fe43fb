"""How good a detector is on pictures with boxes, counted by pycocotools.

Source: https://cocodataset.org/#detection-eval for what the figures are.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from edge_runtime.detections import Detections
from edge_runtime.inference.model import ModelSettings, load_detector
from model_export.datasets.coco import BoxedPicture, BoxedPictures
from model_export.errors import ExportError

_LEAST_SCORE = 0.01
_MOST_BOXES = 100


@dataclass(frozen=True, slots=True)
class BoxQuality:
    """COCO's figures, 0..1; None: the data has no such boxes.

    Attributes:
        ap: the average precision, mean over overlaps of 0.5, 0.55 ... 0.95.
        ap50, ap75: at an overlap of 0.5 and of 0.75.
        ap_small, ap_medium, ap_large: of boxes below 32 x 32 pixels, below 96 x 96, and above.
        recall: with at most 100 boxes a picture, mean over the overlaps.
    """

    ap: float | None
    ap50: float | None
    ap75: float | None
    ap_small: float | None
    ap_medium: float | None
    ap_large: float | None
    recall: float | None


@dataclass(frozen=True, slots=True)
class DetectorQuality:
    """A detector on pictures with boxes.

    Attributes:
        model, sha256: the file and its hash.
        pictures, boxes: how many; crowds are not counted.
        overall: mean over the classes.
        classes: for each class of the data.
    """

    model: str
    sha256: str
    pictures: int
    boxes: int
    overall: BoxQuality
    classes: dict[str, BoxQuality]

    def as_dict(self) -> dict[str, Any]:
        """All of it for a machine."""
        return asdict(self)


def evaluate_detector(
    settings: ModelSettings,
    data: BoxedPictures,
    progress: Callable[[float], None] = lambda _: None,
) -> DetectorQuality:
    """Run the detector on all pictures as a board would, down to low scores, and count.

    The model's labels have to name the data's classes; what else it finds does not count.

    Raises:
        ExportError: pycocotools is missing, the model lacks a class of the data, or the data has
            no boxes.
        EdgeRuntimeError: the model cannot be run, or a picture not be read.
    """
    truth = _truth(data)
    detector = load_detector(
        replace(settings, device="cpu", threshold=_LEAST_SCORE, max_detections=_MOST_BOXES)
    )
    missing = sorted(set(data.classes) - set(detector.labels))
    if missing:
        raise ExportError(
            f"model {settings.path} has no class {missing[0]}, which the data has: it tells "
            f"{', '.join(detector.labels[:8])} apart"
        )
    category = {name: number for number, name in enumerate(data.classes, 1)}
    found: list[dict[str, Any]] = []
    for number, picture in enumerate(data.pictures, 1):
        found += _rows(picture, detector.detect(picture.read()), category)
        progress(number / len(data))
    return DetectorQuality(
        model=str(settings.path),
        sha256=detector.identity.sha256,
        pictures=len(data),
        boxes=sum(not box.crowd for picture in data.pictures for box in picture.boxes),
        overall=_counted(truth, found, list(category.values())),
        classes={name: _counted(truth, found, [number]) for name, number in category.items()},
    )


def _truth(data: BoxedPictures) -> Any:
    try:
        from pycocotools.coco import COCO
    except ModuleNotFoundError as error:
        raise ExportError(
            "pycocotools is not installed, and detectors are evaluated with it: "
            "pip install 'edge-runtime[export]'"
        ) from error
    boxes = [(picture, box) for picture in data.pictures for box in picture.boxes]
    if not boxes:
        raise ExportError(f"none of the {len(data)} pictures has a box: nothing can be evaluated")
    truth = COCO()
    truth.dataset = {
        "info": {},
        "images": [
            {"id": picture.id, "width": picture.width, "height": picture.height}
            for picture in data.pictures
        ],
        "categories": [{"id": n, "name": name} for n, name in enumerate(data.classes, 1)],
        "annotations": [
            {
                "id": number,
                "image_id": picture.id,
                "category_id": box.label + 1,
                "bbox": [box.x, box.y, box.width, box.height],
                "area": box.width * box.height,
                "iscrowd": int(box.crowd),
            }
            for number, (picture, box) in enumerate(boxes, 1)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
    return truth


def _rows(
    picture: BoxedPicture, found: Detections, category: dict[str, int]
) -> list[dict[str, Any]]:
    sizes = np.concatenate([found.boxes[:, :2], found.boxes[:, 2:] - found.boxes[:, :2]], axis=1)
    return [
        {
            "image_id": picture.id,
            "category_id": category[found.label(number)],
            "bbox": sizes[number].tolist(),
            "score": float(found.scores[number]),
        }
        for number in range(len(found))
        if found.label(number) in category
    ]


def _counted(truth: Any, found: list[dict[str, Any]], categories: list[int]) -> BoxQuality:
    from pycocotools.cocoeval import COCOeval

    if not found:
        return BoxQuality(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    # It prints what it does.
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluation.params.catIds = categories
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    ap, ap50, ap75, small, medium, large, _, _, recall, *_ = (
        # It says -1 for what there is none of.
        None if value < 0 else float(value)
        for value in evaluation.stats
    )
    return BoxQuality(ap, ap50, ap75, small, medium, large, recall)
