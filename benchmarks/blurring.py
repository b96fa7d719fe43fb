"""How many faces a snapshot leaves: those that a face detector still finds where it found one.

    python -m benchmarks.blurring FOLDER --faces face_detection_full_range_sparse.tflite

FOLDER holds photos. Each is blurred as the daemon does it, by what the model of `--config`, or the
shipped one, sees. A face counts as left where the face detector finds one again at the same place.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.analysis.blurring import blurred
from edge_runtime.analysis.boxes import iou
from edge_runtime.capture.images import list_images, read_image
from edge_runtime.config import ModelConfig, load
from edge_runtime.frame import Frame
from edge_runtime.inference.model import Detector, ModelSettings, load_detector
from edge_runtime.service import models, wiring
from edge_runtime.service.snapshots import people_in

_SAME = 0.3
"""The overlap from which two boxes are one face."""


@dataclass(frozen=True, slots=True)
class Left:
    """What blurring left.

    Attributes:
        photos: how many were blurred.
        faces: how many faces were found in them before.
        left: how many of these were found afterwards.
        unseen: how many of those that are left lie where the model saw nobody.
    """

    photos: int
    faces: int
    left: int
    unseen: int

    def __str__(self) -> str:
        return (
            f"{self.photos} photos, {self.faces} faces; {self.left} of them are left, "
            f"{self.unseen} where nobody was seen"
        )


def count(photos: list[Path], person: Detector, faces: Detector) -> Left:
    """Blur all `photos` by what `person` sees, and count by what `faces` finds."""
    before = left = unseen = 0
    for path in photos:
        image = read_image(path)
        people = people_in(Frame(image, 0.0, 0.0), (), (person.detect(image),))
        hidden = blurred(image, people)
        after = faces.detect(hidden).boxes.tolist()
        for box in faces.detect(image).boxes.tolist():
            before += 1
            found = any(iou(tuple(box), tuple(other)) >= _SAME for other in after)
            x1, y1, x2, y2 = (round(value) for value in box)
            untouched = bool((hidden[y1:y2, x1:x2] == image[y1:y2, x1:x2]).all())
            left += found
            unseen += found and untouched
    return Left(len(photos), before, left, unseen)


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--faces", type=Path, required=True, help="a BlazeFace .tflite file")
    parser.add_argument("--config", type=Path, help="the configuration whose model is used")
    arguments = parser.parse_args()
    model = load(arguments.config).model if arguments.config else ModelConfig(name="person")
    with models.borrowed(model) as ready:
        person = load_detector(wiring.sought(ready.settings, blurring=True))
        faces = load_detector(ModelSettings(arguments.faces))
        print(count(list_images(arguments.folder), person, faces))


if __name__ == "__main__":
    main()
