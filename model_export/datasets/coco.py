"""Pictures with boxes, as COCO writes them in JSON.

Source: https://cocodataset.org/#format-data, object detection: images (id, file_name, width,
height), annotations (image_id, category_id, bbox as x, y, width, height in pixels from 0, iscrowd)
and categories (id, name).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_runtime.capture.images import read_image
from edge_runtime.frame import Image
from model_export.errors import ExportError


@dataclass(frozen=True, slots=True)
class Box:
    """One object.

    Attributes:
        x, y, width, height: in pixels of the picture, from its upper left corner.
        label: index into the data's classes.
        crowd: whether it stands for a group, which detectors are not held to.
    """

    x: float
    y: float
    width: float
    height: float
    label: int
    crowd: bool = False


@dataclass(frozen=True, slots=True)
class BoxedPicture:
    """A picture and the objects in it.

    Attributes:
        id: its number in the JSON.
        path: the file.
        width, height: in pixels, as the JSON says.
        boxes: the objects; none: nothing is in it.
        split, origin: what the JSON says under these keys, "" where it says nothing.
    """

    id: int
    path: Path
    width: int
    height: int
    boxes: tuple[Box, ...]
    split: str = ""
    origin: str = ""

    def read(self) -> Image:
        """The picture as H x W x 3 BGR.

        Raises:
            SourceError: the file is missing or is no picture.
        """
        return read_image(self.path)


@dataclass(frozen=True, slots=True)
class BoxedPictures:
    """Pictures with objects of several classes.

    Attributes:
        classes: their names, in the order of the JSON's category ids.
        pictures: in the order of the JSON.
    """

    classes: tuple[str, ...]
    pictures: tuple[BoxedPicture, ...]

    def __len__(self) -> int:
        return len(self.pictures)

    def at(self, indexes: Iterable[int]) -> BoxedPictures:
        """Those pictures only."""
        return replace(self, pictures=tuple(self.pictures[int(index)] for index in indexes))

    def where(self, keep: Callable[[BoxedPicture], bool]) -> BoxedPictures:
        """The pictures of which `keep` is true."""
        return replace(self, pictures=tuple(filter(keep, self.pictures)))


def read_coco(annotations: Path, images: Path) -> BoxedPictures:
    """The pictures that the JSON file `annotations` lists, in the folder `images`.

    Pictures and boxes are not looked at: `checks` does that.

    Raises:
        ExportError: the file is missing, is no COCO JSON, or refers to what is not in it; or the
            folder is missing.
    """
    if not images.is_dir():
        raise ExportError(f"the folder of pictures {images} does not exist")
    document = _document(annotations)
    try:
        categories = sorted(document["categories"], key=lambda category: int(category["id"]))
        labels = {int(category["id"]): label for label, category in enumerate(categories)}
        boxes: dict[int, list[Box]] = {int(image["id"]): [] for image in document["images"]}
        for entry in document["annotations"]:
            _add(annotations, entry, labels, boxes)
        pictures = tuple(
            _picture(image, images, tuple(boxes[int(image["id"])])) for image in document["images"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ExportError(f"{annotations} is no COCO JSON: {_lack(error)}") from error
    if not pictures:
        raise ExportError(f"{annotations} lists no pictures")
    return BoxedPictures(tuple(str(category["name"]) for category in categories), pictures)


def _document(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ExportError(f"the annotations {path} do not exist") from error
    except OSError as error:
        raise ExportError(f"the annotations {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ExportError(f"the annotations {path} are not text in UTF-8") from error
    except json.JSONDecodeError as error:
        raise ExportError(
            f"the annotations {path} are no JSON: {error.msg} in line {error.lineno}"
        ) from error


def _add(path: Path, entry: Any, labels: dict[int, int], boxes: dict[int, list[Box]]) -> None:
    image, category = int(entry["image_id"]), int(entry["category_id"])
    if image not in boxes or category not in labels:
        what = f"image {image}" if image not in boxes else f"category {category}"
        raise ExportError(f"{path}: annotation {entry['id']} is for {what}, which is not in it")
    x, y, width, height = map(float, entry["bbox"])
    crowd = bool(entry.get("iscrowd", 0))
    boxes[image].append(Box(x, y, width, height, labels[category], crowd))


def _picture(image: Any, folder: Path, boxes: tuple[Box, ...]) -> BoxedPicture:
    path = folder / str(image["file_name"])
    size = int(image["width"]), int(image["height"])
    split, origin = (str(image.get(key, "")) for key in ("split", "origin"))
    return BoxedPicture(int(image["id"]), path, *size, boxes, split, origin)


def _lack(error: Exception) -> str:
    return f"{error} is missing in it" if isinstance(error, KeyError) else str(error)
