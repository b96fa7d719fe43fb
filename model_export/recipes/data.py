"""A recipe's data: read, checked, grouped, split, and hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_export.datasets.checks import check_boxed, check_labelled, require
from model_export.datasets.coco import BoxedPictures, read_coco
from model_export.datasets.duplicates import group, perceptual_hashes
from model_export.datasets.folders import read_folders
from model_export.datasets.samples import LabelledPictures, Sample
from model_export.datasets.splits import split_by_group
from model_export.errors import ExportError
from model_export.recipes.outcome import DataOutcome

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class ClassifierData:
    """Pictures of classes, none of which is nearly the same as one of another part.

    Attributes:
        train, validation, test: the parts.
        test_groups: for each test picture the number of its group of near-duplicates.
        sha256: over names and contents of all files.
    """

    train: LabelledPictures
    validation: LabelledPictures
    test: LabelledPictures
    test_groups: NDArray[np.int64]
    sha256: str

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names."""
        return self.train.classes

    def outcome(self) -> DataOutcome:
        """What a report says of it."""
        parts = (self.train, self.validation, self.test)
        counts = {name: dict(part.counts()) for name, part in zip(PARTS, parts, strict=True)}
        return DataOutcome(self.sha256, self.classes, counts)


@dataclass(frozen=True, slots=True)
class DetectorData:
    """Pictures with boxes; attributes as those of `ClassifierData`."""

    train: BoxedPictures
    validation: BoxedPictures
    test: BoxedPictures
    sha256: str

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names."""
        return self.train.classes

    def outcome(self) -> DataOutcome:
        """What a report says of it: pictures, and boxes by class."""
        parts = (self.train, self.validation, self.test)
        counts = {name: _boxes(part) for name, part in zip(PARTS, parts, strict=True)}
        return DataOutcome(self.sha256, self.classes, counts)


Data = ClassifierData | DetectorData


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where data lie, and how they are split.

    Attributes:
        folder: of one folder a class; with `annotations` of the pictures that these list.
        annotations: COCO JSON with boxes, to train a detector; None: a classifier.
        shares: of train, validation and test, together 1.
        train_only: patterns of file names: such pictures are trained on and never tested, as what
            was drawn or rendered.
        exclude: a text file with the name of a picture a line, of pictures with boxes: they are
            in no part.
        seed: for the split.
    """

    folder: Path
    annotations: Path | None
    shares: Mapping[str, float]
    train_only: tuple[str, ...] = ()
    exclude: Path | None = None
    seed: int = 0


def load_data(source: DataSource, progress: Callable[[float], None] = lambda _: None) -> Data:
    """Read, check and split.

    What the COCO JSON says under ``split`` counts: pictures of ``test`` are tested on, where there
    are none those of ``val``, and where ``val`` is needed for that, validation is split off train.

    Raises:
        EdgeRuntimeError: the data will not do; all problems at once.
    """
    if source.annotations is None:
        return _classifier(source, progress)
    return _detector(source, source.annotations, progress)


def _classifier(source: DataSource, progress: Callable[[float], None]) -> ClassifierData:
    data = read_folders(source.folder)
    require(check_labelled(data, lambda done: progress(done / 2)))
    hashes = perceptual_hashes(data.samples, lambda done: progress((1 + done) / 2))
    groups = group(hashes)
    labels = [sample.label for sample in data.samples]
    chosen = split_by_group(labels, groups, source.shares, source.seed)
    drawn = np.array([_matches(sample.path, source.train_only) for sample in data.samples])
    kept = {
        name: indexes if name == "train" else indexes[~drawn[indexes]]
        for name, indexes in chosen.items()
    }
    parts = {name: data.at(indexes) for name, indexes in kept.items()}
    for name, part in parts.items():
        _require_all(name, part, source)
    return ClassifierData(
        parts["train"],
        parts["validation"],
        parts["test"],
        groups[kept["test"]],
        _sha256(source.folder, (sample.path for sample in data.samples)),
    )


def _require_all(name: str, part: LabelledPictures, source: DataSource) -> None:
    lacking = [label for label, count in part.counts().items() if not count]
    if lacking:
        raise ExportError(
            f"the part {name} of the data in {source.folder} has no picture of {lacking[0]}: more "
            "pictures, a larger share, or fewer that are for training only are needed"
        )


def _detector(
    source: DataSource, annotations: Path, progress: Callable[[float], None]
) -> DetectorData:
    data = _without(read_coco(annotations, source.folder), source.exclude)
    require(check_boxed(data, lambda done: progress(done / 2)))
    parts = _stated(data) or _drawn(
        data, source.shares, source.seed, lambda done: progress((1 + done) / 2)
    )
    only = source.train_only
    kept = {
        name: part
        if name == "train"
        else part.where(lambda picture: not _matches(picture.path, only))
        for name, part in parts.items()
    }
    for name, part in kept.items():
        if not any(picture.boxes for picture in part.pictures):
            raise ExportError(
                f"the part {name} of the data in {annotations} has no box: more pictures or a "
                "larger share are needed"
            )
    paths = [picture.path for picture in data.pictures]
    listed = [annotations, *([source.exclude] if source.exclude else [])]
    sha256 = _sha256(source.folder, [*paths, *listed])
    return DetectorData(kept["train"], kept["validation"], kept["test"], sha256)


def _without(data: BoxedPictures, listed: Path | None) -> BoxedPictures:
    """The data without the pictures that a file names."""
    if listed is None:
        return data
    try:
        names = {line.strip() for line in listed.read_text(encoding="utf-8").splitlines()} - {""}
    except OSError as error:
        raise ExportError(
            f"the list of pictures to exclude {listed} cannot be read: {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        raise ExportError(f"the list of pictures to exclude {listed} is not UTF-8") from error
    if unknown := names - {picture.path.name for picture in data.pictures}:
        raise ExportError(
            f"{listed} excludes {min(unknown)}, which the annotations do not "
            "list: name pictures as they do"
        )
    return data.where(lambda picture: picture.path.name not in names)


def _stated(data: BoxedPictures) -> dict[str, BoxedPictures] | None:
    """The parts that the JSON states; None: it states none."""
    by_name = {
        name: data.where(lambda picture, name=name: picture.split == name)  # type: ignore[misc]
        for name in ("train", "val", "test")
    }
    if not len(by_name["train"]) or not len(by_name["val"]):
        return None
    test = by_name["test"] if len(by_name["test"]) else by_name["val"]
    return {"train": by_name["train"], "validation": by_name["val"], "test": test}


def _drawn(
    data: BoxedPictures,
    shares: Mapping[str, float],
    seed: int,
    progress: Callable[[float], None],
) -> dict[str, BoxedPictures]:
    """Parts without near-duplicates across them, each with its share of pictures with boxes."""
    samples = [Sample(picture.path, 0) for picture in data.pictures]
    groups = group(perceptual_hashes(samples, progress))
    labels = [int(bool(picture.boxes)) for picture in data.pictures]
    chosen = split_by_group(labels, groups, shares, seed)
    return {name: data.at(indexes) for name, indexes in chosen.items()}


def _matches(path: Path, patterns: Iterable[str]) -> bool:
    return any(fnmatch(path.name, pattern) for pattern in patterns)


def _boxes(part: BoxedPictures) -> dict[str, int]:
    found = {"pictures": len(part), **dict.fromkeys(part.classes, 0)}
    for picture in part.pictures:
        for box in picture.boxes:
            found[part.classes[box.label]] += not box.crowd
    return found


def _sha256(root: Path, paths: Iterable[Path]) -> str:
    """Over names and contents, in the order of the names."""
    whole = hashlib.sha256()
    for path in sorted(set(paths)):
        name = path.relative_to(root) if path.is_relative_to(root) else path.name
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{name}\0{content}\n".encode())
    return whole.hexdigest()
