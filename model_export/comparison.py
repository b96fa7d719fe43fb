"""Two models on the same pictures: how often they decide alike, and how far apart they are.

Both run on the interpreter and through the preprocessing that the boards use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.capture.images import read_image
from edge_runtime.detections import Boxes
from edge_runtime.frame import Image
from edge_runtime.inference import tflite_file
from edge_runtime.inference.engine import Engine
from edge_runtime.inference.labels import read_labels
from edge_runtime.inference.litert import LiteRtEngine
from edge_runtime.inference.model import ModelSettings
from edge_runtime.inference.outputs import classifier, kind_of, ssd
from edge_runtime.inference.outputs.kind import (
    Candidates,
    Decoder,
    Labels,
    ModelOutputs,
    OutputKind,
    Selection,
)
from edge_runtime.inference.preprocess import Colour, Preprocessor
from edge_runtime.inference.trial import trial
from model_export.errors import ExportError
from model_export.pictures import find_pictures

OVERLAP = 0.5
"""Two boxes of one class match from this intersection over union on."""

SHOWN = 10
"""How many pictures of disagreement are kept."""

# No list of classes is longer; an id without a name is dropped.
_MANY_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A picture that the two see differently.

    Attributes:
        picture: its file.
        a, b: what each sees in it.
        difference: between their outputs, as in `Comparison`.
    """

    picture: str
    a: str
    b: str
    difference: float


@dataclass(frozen=True, slots=True)
class BoxCounts:
    """The boxes of two detectors over all pictures.

    Attributes:
        a, b: how many each found above the threshold.
        matched: pairs of one class that overlap by at least `OVERLAP`.
        mean_overlap: the mean intersection over union of these pairs; None: there are none.
    """

    a: int
    b: int
    matched: int
    mean_overlap: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same pictures.

    Attributes:
        a, b: their files.
        kind: of their outputs, as `edge_runtime` names it.
        pictures: how many.
        agreement: 0..1. Classifiers: the share of pictures with the same first class (of one
            output: the same side of the threshold). Detectors: the share of boxes that match.
        largest_difference, mean_difference: classifiers: between scores, over all classes and
            pictures; detectors: between the scores of boxes that match. None: none match.
        boxes: of detectors.
        disagreements: the worst pictures, at most `SHOWN`.
    """

    a: Path
    b: Path
    kind: str
    pictures: int
    agreement: float
    largest_difference: float | None
    mean_difference: float | None
    boxes: BoxCounts | None
    disagreements: tuple[Disagreement, ...]

    def as_dict(self) -> dict[str, Any]:
        """All of it for a machine; the paths as texts."""
        return asdict(self) | {"a": str(self.a), "b": str(self.b)}


def compare(
    a: ModelSettings,
    b: ModelSettings,
    folder: Path,
    *,
    progress: Callable[[float], None] = lambda _: None,
) -> Comparison:
    """Run both models on all pictures below `folder`.

    Of the settings, path, labels, threads, threshold, resize, colour, range and output count.
    Without labels, classes go by their numbers.

    Raises:
        ExportError: there is nothing to compare, or the two do not do the same.
        ModelError: a model or its settings will not do.
        InvokeError: an inference fails.
        SourceError: a picture cannot be read.
    """
    pictures = [
        (str(path.relative_to(folder)), partial(read_image, path)) for path in find_pictures(folder)
    ]
    found = compare_pictures(a, b, pictures, progress=progress)
    if found.boxes and not found.boxes.a + found.boxes.b:
        raise ExportError(
            f"neither model finds anything in the {len(pictures)} pictures of {folder}: there is "
            "nothing to compare; take other pictures or a lower threshold"
        )
    return found


def compare_pictures(
    a: ModelSettings,
    b: ModelSettings,
    pictures: Sequence[tuple[str, Callable[[], Image]]],
    *,
    progress: Callable[[float], None] = lambda _: None,
) -> Comparison:
    """The same on `pictures`: what each is called, and what reads it."""
    left, right = _load(a), _load(b)
    if left.kind.NAME != right.kind.NAME:
        raise ExportError(
            f"{a.path} is a model of kind {left.kind.NAME} and {b.path} one of kind "
            f"{right.kind.NAME}: only models of one kind can be compared"
        )
    if len(left.labels) != len(right.labels):
        raise ExportError(
            f"{a.path} tells {len(left.labels)} classes apart and {b.path} {len(right.labels)}: "
            "only models with the same classes can be compared"
        )
    is_classifier = left.kind.NAME == classifier.NAME
    tally: _Scores | _Boxes = _Scores(left, a.threshold) if is_classifier else _Boxes(left)
    for number, (name, read) in enumerate(pictures, 1):
        image = read()
        tally.add(name, left.look(image), right.look(image))
        progress(number / len(pictures))
    return tally.result(a.path, b.path, len(pictures))


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    engine: Engine
    preprocessor: Preprocessor
    kind: OutputKind
    labels: Labels
    decode: Decoder

    def look(self, image: Image) -> Candidates:
        """What the model sees, boxes in pixels of the picture."""
        placement = self.preprocessor.write(image, self.engine.input_view())
        self.engine.invoke()
        seen = self.decode(self.engine.outputs())
        return seen._replace(boxes=placement.to_picture(seen.boxes))


def _load(settings: ModelSettings) -> _Model:
    file = tflite_file.read(settings.path)
    trial(settings.path)
    engine = LiteRtEngine(settings.path, settings.threads)
    size = engine.input.shape[2], engine.input.shape[1]
    sample = tuple(tensor.copy() for tensor in engine.outputs())
    outputs = ModelOutputs(file, engine.output_specs, sample, size)
    kind = kind_of(outputs, settings.output)
    labels = kind.labels(outputs, _labels(settings, kind, outputs))
    # Of a classifier all scores are compared, not only those above the threshold.
    of_classifier = kind.NAME == classifier.NAME
    least = -np.inf if of_classifier else settings.threshold
    most = len(labels) if of_classifier else settings.max_detections
    selection = Selection(np.full(len(labels), least, np.float32), most)
    is_float = engine.input.dtype == np.float32
    preprocessor = Preprocessor(
        engine.input,
        settings.resize or kind.RESIZE,
        Colour.GREY if engine.input.shape[3] == 1 else settings.colour,
        settings.range or file.input_range or (kind.RANGE if is_float else None),
    )
    return _Model(engine, preprocessor, kind, labels, kind.decoder(outputs, labels, selection))


def _labels(settings: ModelSettings, kind: OutputKind, outputs: ModelOutputs) -> Labels | None:
    """The labels; where none are given and the kind needs no names, the numbers of classes."""
    if isinstance(settings.labels, Path):
        return read_labels(settings.labels)
    if settings.labels is not None:
        return settings.labels
    if kind.NAME == classifier.NAME:
        return _numbers(outputs.shapes[0][-1])
    if kind.NAME == ssd.NAME:
        detection = outputs.file.detection
        return _numbers(detection.class_count if detection else _MANY_CLASSES)
    return None


def _numbers(count: int) -> Labels:
    return tuple(f"class {number}" for number in range(count))


class _Scores:
    """Counts what two classifiers say."""

    def __init__(self, model: _Model, threshold: float) -> None:
        self._labels = model.labels
        self._threshold = threshold
        self._agreed = 0
        self._largest = 0.0
        self._sum = 0.0
        self._count = 0
        self._disagreements: list[Disagreement] = []

    def add(self, picture: str, a: Candidates, b: Candidates) -> None:
        of_a, of_b = self._by_class(a), self._by_class(b)
        differences = np.abs(of_a - of_b)
        largest = float(differences.max())
        self._largest = max(self._largest, largest)
        self._sum += float(differences.sum())
        self._count += differences.size
        if self._decision(of_a) == self._decision(of_b):
            self._agreed += 1
        else:
            said = self._said(of_a), self._said(of_b)
            self._disagreements.append(Disagreement(picture, *said, largest))

    def result(self, a: Path, b: Path, pictures: int) -> Comparison:
        return Comparison(
            a=a,
            b=b,
            kind=classifier.NAME,
            pictures=pictures,
            agreement=self._agreed / pictures,
            largest_difference=self._largest,
            mean_difference=self._sum / self._count,
            boxes=None,
            disagreements=_worst(self._disagreements),
        )

    def _by_class(self, seen: Candidates) -> NDArray[np.float64]:
        scores = np.zeros(len(self._labels))
        known = seen.class_ids < len(scores)
        scores[seen.class_ids[known]] = seen.scores[known]
        return scores

    def _decision(self, scores: NDArray[np.float64]) -> int:
        """The first class; of a single one, whether it is there."""
        return int(scores.argmax()) if len(scores) > 1 else int(scores[0] >= self._threshold)

    def _said(self, scores: NDArray[np.float64]) -> str:
        best = int(scores.argmax())
        return f"{self._labels[best]} {scores[best]:.3f}"


class _Boxes:
    """Counts what two detectors find."""

    def __init__(self, model: _Model) -> None:
        self._kind = model.kind.NAME
        self._labels = model.labels
        self._found = [0, 0]
        self._overlaps: list[float] = []
        self._differences: list[float] = []
        self._disagreements: list[Disagreement] = []

    def add(self, picture: str, a: Candidates, b: Candidates) -> None:
        pairs = match(a, b)
        differences = [abs(float(a.scores[i] - b.scores[j])) for i, j, _ in pairs]
        self._found[0] += len(a.scores)
        self._found[1] += len(b.scores)
        self._overlaps += [overlap for _, _, overlap in pairs]
        self._differences += differences
        if len(pairs) < max(len(a.scores), len(b.scores)):
            # A box that only one of them sees differs by its whole score.
            alone = [
                *np.delete(a.scores, [i for i, _, _ in pairs]).tolist(),
                *np.delete(b.scores, [j for _, j, _ in pairs]).tolist(),
            ]
            said = self._said(a), self._said(b)
            self._disagreements.append(Disagreement(picture, *said, max(alone)))

    def result(self, a: Path, b: Path, pictures: int) -> Comparison:
        total = sum(self._found)
        matched = len(self._overlaps)
        return Comparison(
            a=a,
            b=b,
            kind=self._kind,
            pictures=pictures,
            # Two that find nothing agree.
            agreement=2 * matched / total if total else 1.0,
            largest_difference=max(self._differences) if matched else None,
            mean_difference=float(np.mean(self._differences)) if matched else None,
            boxes=BoxCounts(
                a=self._found[0],
                b=self._found[1],
                matched=matched,
                mean_overlap=float(np.mean(self._overlaps)) if matched else None,
            ),
            disagreements=_worst(self._disagreements),
        )

    def _said(self, seen: Candidates) -> str:
        rows = zip(seen.class_ids, seen.scores, strict=True)
        return ", ".join(f"{self._labels[int(i)]} {score:.2f}" for i, score in rows) or "nothing"


def _worst(disagreements: list[Disagreement]) -> tuple[Disagreement, ...]:
    return tuple(sorted(disagreements, key=lambda item: -item.difference)[:SHOWN])


def match(a: Candidates, b: Candidates) -> list[tuple[int, int, float]]:
    """Pairs of boxes of one class, those that overlap most first: index in a, in b, overlap.

    Each box is in one pair at most, and each pair overlaps by at least `OVERLAP`.
    """
    overlaps = _overlaps(a.boxes, b.boxes)
    overlaps[a.class_ids[:, None] != b.class_ids[None, :]] = 0
    pairs = []
    while overlaps.size and overlaps.max() >= OVERLAP:
        i, j = np.unravel_index(int(overlaps.argmax()), overlaps.shape)
        pairs.append((int(i), int(j), float(overlaps[i, j])))
        overlaps[i, :] = 0
        overlaps[:, j] = 0
    return pairs


def _overlaps(a: Boxes, b: Boxes) -> NDArray[np.float64]:
    """Intersection over union of each box of `a` with each of `b`."""
    first, second = a[:, None].astype(np.float64), b[None].astype(np.float64)
    sizes = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(
        first[..., :2], second[..., :2]
    )
    common = sizes.clip(0).prod(axis=2)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(axis=2) for boxes in (first, second)]
    union = areas[0] + areas[1] - common
    overlaps: NDArray[np.float64] = np.zeros_like(common)
    np.divide(common, union, out=overlaps, where=union > 0)
    return overlaps
