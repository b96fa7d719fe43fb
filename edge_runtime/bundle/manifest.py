"""The manifest: what a bundle says of itself. It is signed, and read only after that is proven."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from edge_runtime.bundle.container import FORMAT, MAX_BUNDLE
from edge_runtime.bundle.errors import ManifestError, NewerFormatError
from edge_runtime.inference.preprocess import Colour, Resize

MODEL = "model.tflite"
EDGETPU_MODEL = "model_edgetpu.tflite"
LABELS = "labels.txt"
CARD = "card.md"
PICTURE = "golden.png"
FILES = (MODEL, EDGETPU_MODEL, LABELS, CARD, PICTURE)
"""All files that a bundle can have, in their order."""
REQUIRED = frozenset({MODEL, LABELS, PICTURE})

Text = Annotated[str, Field(min_length=1, max_length=4096)]
Label = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\r\n]+$")]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Score = Annotated[float, Field(gt=0, lt=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Size = Annotated[int, Field(ge=1, le=4096)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Task(StrEnum):
    """What the model does with a picture."""

    DETECTOR = "detector"
    """Says where objects are."""
    CLASSIFIER = "classifier"
    """Says what the whole picture shows."""


class InputSpec(_Part):
    """The input tensor, and a picture's way into it; see `inference.preprocess`."""

    shape: tuple[Literal[1], Size, Size, Literal[1, 3]] = Field(
        description="Batch, height, width, channels."
    )
    dtype: Literal["uint8", "int8", "float32"] = Field(description="The type of its values.")
    colour: Colour = Field(description="The order of the channels.")
    resize: Resize = Field(description="How a picture of another shape is brought to the tensor's.")
    range: tuple[float, float] | None = Field(
        default=None,
        description="The real values of a pixel of 0 and of 255; absent: pixels as they are.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> InputSpec:
        if (self.colour is Colour.GREY) != (self.shape[3] == 1):
            raise ValueError(f"{self.shape[3]} channels cannot be {self.colour}")
        if self.range is not None and not self.range[0] < self.range[1]:
            raise ValueError("range is a lower and an upper value")
        if self.range is None and self.dtype == "float32":
            raise ValueError("an input of float32 needs a range")
        return self


class OutputSpec(_Part):
    """What the output tensors mean."""

    kind: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")] = Field(
        description="The kind of outputs: ssd, blazeface, yolo, classifier ..."
    )


class FileEntry(_Part):
    """A file in the bundle."""

    name: Literal["model.tflite", "model_edgetpu.tflite", "labels.txt", "card.md", "golden.png"]
    size: int = Field(ge=1, le=MAX_BUNDLE, description="Bytes.")
    sha256: Sha256 = Field(description="Of its content.")

    @classmethod
    def of(cls, name: str, content: bytes) -> FileEntry:
        """Describe `content`."""
        digest = hashlib.sha256(content).hexdigest()
        return cls.model_validate({"name": name, "size": len(content), "sha256": digest})


class Provenance(_Part):
    """Where the model comes from."""

    created: AwareDatetime = Field(description="When the bundle was made, RFC 3339.")
    data: Text = Field(description="What it was trained and measured on.")
    recipe_sha256: Sha256 | None = Field(default=None, description="Of the recipe's file.")
    tools: dict[Text, Text] = Field(default={}, description="Versions of what made it, by name.")


class Sighting(_Part):
    """Something that the model sees in the golden picture."""

    label: Label
    score: Fraction
    box: tuple[Fraction, Fraction, Fraction, Fraction] = Field(
        description="x1, y1, x2, y2 in 0..1 of the picture; a classifier's is the whole picture."
    )


class Golden(_Part):
    """What the model sees in golden.png, with the settings of this manifest, on the CPU."""

    least: Score = Field(description="The least score that was looked at.")
    score_tolerance: Score = Field(description="By how much a score may differ elsewhere.")
    overlap: Score = Field(description="The least intersection over union of two equal boxes.")
    sightings: tuple[Sighting, ...] = Field(min_length=1, max_length=1000)


class Manifest(_Part):
    """What is in a bundle, and all that has to be known to run it."""

    format: Literal[1] = Field(description="The version of this format.")
    name: Name = Field(description="The model's name, the same through all its versions.")
    version: int = Field(ge=1, lt=1 << 31, description="Rises with each bundle of this name.")
    task: Task = Field(description="What the model does with a picture.")
    input: InputSpec
    outputs: OutputSpec
    labels: tuple[Label, ...] = Field(min_length=1, max_length=100_000)
    threshold: Score = Field(description="The score from which something counts.")
    thresholds: dict[Label, Score] = Field(default={}, description="Others for single classes.")
    files: tuple[FileEntry, ...]
    golden: Golden
    quality: dict[Text, float] = Field(default={}, description="What was measured, by its name.")
    provenance: Provenance
    key_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] = Field(
        description="Of the key that signs it."
    )

    @field_validator("files")
    @classmethod
    def _known_files(cls, files: tuple[FileEntry, ...]) -> tuple[FileEntry, ...]:
        names = [file.name for file in files]
        if names != [name for name in FILES if name in names]:
            raise ValueError(f"the files have to be some of {', '.join(FILES)}, in this order")
        if missing := REQUIRED - set(names):
            raise ValueError(f"{min(missing)} is missing")
        if sum(file.size for file in files) > MAX_BUNDLE:
            raise ValueError(f"the files have more than {MAX_BUNDLE} bytes together")
        return files

    @model_validator(mode="after")
    def _known_labels(self) -> Manifest:
        named = set(self.thresholds) | {seen.label for seen in self.golden.sightings}
        if unknown := named - set(self.labels):
            raise ValueError(f'"{min(unknown)}" is none of the labels')
        return self

    @property
    def title(self) -> str:
        """Name and version, e.g. ``person 12``."""
        return f"{self.name} {self.version}"

    def sha256(self, name: str) -> str:
        """Of the file of that name, which is there."""
        return next(file.sha256 for file in self.files if file.name == name)

    def labels_text(self) -> bytes:
        """What labels.txt has to hold: one label a line."""
        return "".join(f"{label}\n" for label in self.labels).encode()

    def to_json(self) -> bytes:
        """The manifest as it is signed, without what is not there."""
        return self.model_dump_json(indent=1, exclude_none=True).encode() + b"\n"


class _Versioned(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)
    format: int


def parse(where: str, content: bytes) -> Manifest:
    """Read a manifest whose signature has been verified.

    Raises:
        NewerFormatError: it is of a format that is not known yet.
        ManifestError: it is not as the format has it.
    """
    try:
        found = _Versioned.model_validate_json(content).format
        if found > FORMAT:
            raise NewerFormatError(
                f"the manifest of bundle {where} has format {found} and this software reads up to "
                f"{FORMAT}: update edge-runtime first"
            )
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        raise ManifestError(
            f"the manifest of bundle {where} is signed but wrong: {first_problem(error)}"
        ) from error


def first_problem(error: ValidationError) -> str:
    """The first of pydantic's findings, on one line."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"])) or "it"
    return f"{place}: {' '.join(first['msg'].removeprefix('Value error, ').split())}"
