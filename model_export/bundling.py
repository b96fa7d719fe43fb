"""Makes a signed bundle from a model and what is known of it.

The bundle is made in a temporary folder beside its place, read back and tried there as a board
will do it, and only then given its name: what stands under the name works.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import cv2
from pydantic import ValidationError

from edge_runtime import __version__
from edge_runtime.bundle import golden, reading
from edge_runtime.bundle.container import FORMAT, MANIFEST, pack
from edge_runtime.bundle.manifest import (
    CARD,
    EDGETPU_MODEL,
    LABELS,
    MODEL,
    PICTURE,
    FileEntry,
    Golden,
    InputSpec,
    Manifest,
    OutputSpec,
    Provenance,
    Task,
    first_problem,
)
from edge_runtime.bundle.trust import TrustedKeys
from edge_runtime.frame import Image
from edge_runtime.inference import tflite_file
from edge_runtime.inference.engine import TensorSpec
from edge_runtime.inference.labels import read_labels
from edge_runtime.inference.litert import LiteRtEngine
from edge_runtime.inference.model import ModelSettings
from edge_runtime.inference.outputs import classifier, kind_of
from edge_runtime.inference.outputs.kind import ModelOutputs, OutputKind
from edge_runtime.inference.preprocess import Colour, Range, Resize
from edge_runtime.inference.trial import trial
from model_export import tflite_metadata
from model_export.errors import ExportError
from model_export.signing import SigningKey

SUFFIX = ".edgebundle"
SCORE_TOLERANCE = 0.04
"""Ten steps of a score that is quantized to 1/256: what another processor's rounding may do."""
OVERLAP = 0.8

_LEAST_SCORE = 0.02


class BundlingError(ExportError):
    """A bundle that cannot be made."""


@dataclass(frozen=True, slots=True)
class BundleParts:
    """What a bundle is made from.

    Attributes:
        name, version: as in `Manifest`; the version has to be higher than that of any bundle of
            this name that a board has.
        model: the .tflite file that CPUs run.
        labels: the class names, or their file.
        golden: a picture in which the model sees something; it becomes a part of the bundle, so
            nobody may be on it who has not agreed.
        edgetpu: the same model compiled for the Edge TPU.
        card: the model card, Markdown.
        output: the kind of outputs; ``auto``: as the model's shapes say.
        resize, range: None: as models of that kind expect it.
        colour: the order of the input's channels.
        threshold, thresholds: the scores from which something counts, for all and by label.
        quality: what was measured, by its name.
        data: what the model was trained and measured on, in words.
        recipe: the recipe's file, whose hash is written down.
        tools: versions of what made the model, by name.
        description, licence: for the TFLite metadata.
        created: the moment that is written down; None: now.
        score_tolerance: by how much scores may differ on a board.
    """

    name: str
    version: int
    model: Path
    labels: tuple[str, ...] | Path
    golden: Path
    edgetpu: Path | None = None
    card: Path | None = None
    output: str = "auto"
    resize: Resize | None = None
    colour: Colour = Colour.RGB
    range: Range | None = None
    threshold: float = 0.5
    thresholds: Mapping[str, float] = field(default_factory=dict)
    quality: Mapping[str, float] = field(default_factory=dict)
    data: str = "not stated"
    recipe: Path | None = None
    tools: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    licence: str = ""
    created: datetime | None = None
    score_tolerance: float = SCORE_TOLERANCE


def make_bundle(parts: BundleParts, key: SigningKey, folder: Path) -> Path:
    """Make ``NAME-VERSION.edgebundle`` in `folder`, signed with `key`, and give its path.

    The models get TFLite metadata. The bundle is read and tried as a board does it before it gets
    its name; on failure nothing is left behind.

    Raises:
        ModelError, InvokeError: the model cannot be used.
        ExportError: something else cannot be, the golden picture shows the model nothing, or there
            is a bundle of this name and version.
        BundleError: the finished bundle does not pass.
    """
    target = folder / f"{parts.name}-{parts.version}{SUFFIX}"
    if target.exists():
        raise BundlingError(f"{target} is there already: give the bundle a higher version")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".bundle-", dir=folder) as work:
            _made(parts, key, Path(work)).rename(target)
    except OSError as error:
        place = error.filename or folder
        raise BundlingError(f"{target} cannot be made ({place}: {error.strerror})") from error
    return target


def _made(parts: BundleParts, key: SigningKey, work: Path) -> Path:
    """The finished and tried bundle, in `work`."""
    model = _Model.read(parts)
    files = _files(parts, model)
    for name, content in files.items():
        (work / name).write_bytes(content)
    manifest = _manifest(parts, key, model, files, _golden(parts, model, work)).to_json()
    signature = key.sign(manifest).content()
    finished = work / "finished"
    with finished.open("wb") as file:
        file.writelines(pack(signature, manifest, files.items()))
        file.flush()
        os.fsync(file.fileno())
    trusted = TrustedKeys({key.key_id: key.public_key}, demonstration=True)
    (work / MANIFEST).write_bytes(reading.read(finished, trusted).manifest_bytes)
    golden.prove(work)
    return finished


@dataclass(frozen=True, slots=True)
class _Model:
    """What the model itself says."""

    input: TensorSpec
    kind: OutputKind
    labels: tuple[str, ...]
    range: Range | None

    @classmethod
    def read(cls, parts: BundleParts) -> _Model:
        """Raises ModelError, InvokeError, BundlingError."""
        file = tflite_file.read(parts.model)
        trial(parts.model)
        engine = LiteRtEngine(parts.model)
        sample = tuple(tensor.copy() for tensor in engine.outputs())
        size = engine.input.shape[2], engine.input.shape[1]
        outputs = ModelOutputs(file, engine.output_specs, sample, size)
        kind = kind_of(outputs, parts.output)
        given = read_labels(parts.labels) if isinstance(parts.labels, Path) else parts.labels
        labels = kind.labels(outputs, given)
        for label in labels:
            if label.splitlines() != [label]:
                raise BundlingError(f"the label {label!r} is not one line of text")
        pixels = parts.range or file.input_range
        if pixels is None and engine.input.dtype.kind == "f":
            pixels = kind.RANGE
        return cls(engine.input, kind, labels, pixels)


def _files(parts: BundleParts, model: _Model) -> dict[str, bytes]:
    """The files of the bundle by their names, in their order."""
    about = tflite_metadata.Description(
        name=parts.name,
        version=str(parts.version),
        text=parts.description,
        licence=parts.licence,
        labels=model.labels,
        kind=model.kind.NAME,
        pixel_range=model.range,
    )
    files = {MODEL: tflite_metadata.write(_bytes(parts.model, "model"), about)}
    if parts.edgetpu is not None:
        if not tflite_file.read(parts.edgetpu).for_edgetpu:
            raise BundlingError(
                f"{parts.edgetpu} is not compiled for the Edge TPU: run edgetpu_compiler on "
                f"{parts.model}"
            )
        files[EDGETPU_MODEL] = tflite_metadata.write(_bytes(parts.edgetpu, "model"), about)
    files[LABELS] = "".join(f"{label}\n" for label in model.labels).encode()
    if parts.card is not None:
        files[CARD] = _bytes(parts.card, "model card")
    files[PICTURE] = _png(golden.picture(parts.golden), max(model.input.shape[1:3]))
    return files


def _bytes(path: Path, what: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundlingError(f"the {what} {path} cannot be read: {error.strerror}") from error
    if not content:
        raise BundlingError(f"the {what} {path} is empty")
    return content


def _png(image: Image, longest: int) -> bytes:
    """`image` with its long side no longer than `longest`: the model sees no more than that."""
    height, width = image.shape[:2]
    fit = min(1.0, longest / max(height, width))
    size = max(1, round(width * fit)), max(1, round(height * fit))
    _, encoded = cv2.imencode(".png", cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    return encoded.tobytes()


def _golden(parts: BundleParts, model: _Model, work: Path) -> Golden:
    """What the model sees in the picture; raises BundlingError where that is next to nothing."""
    settings = ModelSettings(
        work / MODEL,
        labels=model.labels,
        device="cpu",
        resize=parts.resize or model.kind.RESIZE,
        colour=parts.colour,
        range=model.range,
        output=model.kind.NAME,
    )
    seen = golden.sightings(settings, golden.picture(work / PICTURE), _LEAST_SCORE)
    best = seen[0].score if seen else 0.0
    least = max(_LEAST_SCORE, best / 2)
    if best < least + parts.score_tolerance:
        raise BundlingError(
            f"the model sees nothing in {parts.golden} (best score {best:.2f}), so that nothing "
            "could be compared on a board: name a picture of what it was trained for"
        )
    return Golden(
        least=least,
        score_tolerance=parts.score_tolerance,
        overlap=OVERLAP,
        sightings=tuple(sighting for sighting in seen if sighting.score >= least),
    )


def _manifest(
    parts: BundleParts, key: SigningKey, model: _Model, files: Mapping[str, bytes], expected: Golden
) -> Manifest:
    recipe = _bytes(parts.recipe, "recipe") if parts.recipe else None
    try:
        return Manifest(
            format=FORMAT,
            name=parts.name,
            version=parts.version,
            task=Task.CLASSIFIER if model.kind is classifier else Task.DETECTOR,
            input=InputSpec.model_validate(
                {
                    "shape": model.input.shape,
                    "dtype": str(model.input.dtype),
                    "colour": parts.colour,
                    "resize": parts.resize or model.kind.RESIZE,
                    "range": model.range,
                }
            ),
            outputs=OutputSpec(kind=model.kind.NAME),
            labels=model.labels,
            threshold=parts.threshold,
            thresholds=dict(parts.thresholds),
            files=tuple(FileEntry.of(name, content) for name, content in files.items()),
            golden=expected,
            quality=dict(parts.quality),
            provenance=Provenance(
                created=parts.created or datetime.now(UTC),
                data=parts.data,
                recipe_sha256=hashlib.sha256(recipe).hexdigest() if recipe else None,
                tools={"edge-runtime": __version__, **parts.tools},
            ),
            key_id=key.key_id,
        )
    except ValidationError as error:
        raise BundlingError(
            f"the bundle {parts.name} cannot be made: {first_problem(error)}"
        ) from error
