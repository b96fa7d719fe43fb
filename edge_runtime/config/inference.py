"""The sections ``[model]`` and ``[heads]``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from edge_runtime.config.models import COVERED_FACE
from edge_runtime.config.values import (
    ModelDevice,
    Range,
    ReadableFile,
    ResolvedPath,
    Section,
    Text,
    context,
)

Score = Annotated[float, Field(gt=0, lt=1)]


class ModelConfig(Section):
    """The detector, what it runs on and how its inputs and outputs are read.

    It is a file (`path`), a signed bundle (`bundle`), or a bundle that comes with the package
    (`name`).
    """

    path: ReadableFile | None = Field(
        default=None,
        description="The .tflite file for the CPU.",
        examples=["models/detector.tflite"],
    )
    bundle: ReadableFile | None = Field(
        default=None,
        description="A signed bundle, in place of `path`: it brings its labels and settings.",
        examples=["models/person-12.edgebundle"],
    )
    name: Text | None = Field(
        default=None,
        description="The name of a bundle that comes with the package, in place of `path`.",
        examples=["person"],
    )
    trusted_keys: ResolvedPath | None = Field(
        default=None,
        description="Whose bundles are taken: a file of public keys in PEM form, or a folder of "
        "*.pem; without it, only what is signed with the demonstration key.",
        examples=["keys"],
    )
    labels: ReadableFile | None = Field(
        default=None,
        description="The class names, one a line; a model of a kind that knows its own "
        "(`blazeface`) needs none.",
        examples=["models/labels.txt"],
    )
    edgetpu_path: ReadableFile | None = Field(
        default=None,
        description="The model compiled for the Edge TPU; by default the file beside `path` "
        "whose name ends in _edgetpu.tflite.",
        examples=["models/detector_edgetpu.tflite"],
    )
    device: ModelDevice = Field(
        default="auto",
        description="What runs the model: `cpu`, `tpu`, `tpu:N` for one of several (from 0), or "
        "`auto`, which takes a TPU where there is one.",
        examples=["auto"],
    )
    threads: int = Field(
        default=1, ge=1, le=16, description="Threads of the interpreter on the CPU.", examples=[2]
    )
    threshold: Score | None = Field(
        default=None,
        description="The score from which a detection counts; by default what the bundle says, or "
        "else 0.5.",
        examples=[0.6],
    )
    thresholds: dict[str, Score] = Field(
        default_factory=dict,
        description="Thresholds for single classes, in place of `threshold`.",
    )
    output: Literal["auto", "ssd", "classifier", "yolo", "blazeface"] = Field(
        default="auto", description="How the outputs are laid out; `auto` decides by their shapes."
    )
    resize: Literal["stretch", "letterbox"] | None = Field(
        default=None,
        description="How a picture is fitted into the model's input: `letterbox` keeps its "
        "proportions; by default as models of that kind expect it.",
    )
    colour: Literal["rgb", "bgr", "grey"] = Field(
        default="rgb", description="The order of colours that the model was trained on."
    )
    range: Range | None = Field(
        default=None,
        description="The numbers that stand for black and white in the model's input; by default "
        "what the model itself says, or what its kind expects.",
        examples=[[-1, 1]],
    )
    max_detections: int = Field(
        default=100,
        ge=1,
        le=1000,
        description="The most objects taken from one picture.",
        examples=[100],
    )

    @field_validator("labels")
    @classmethod
    def _holds_labels(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path is not None and context(info).check_files:
            from edge_runtime.inference.engine import ModelError
            from edge_runtime.inference.labels import read_labels

            try:
                read_labels(path)
            except ModelError as error:
                raise ValueError(str(error)) from None
        return path


class HeadsConfig(Section):
    """The second look at the heads of people, which rules of the kind covered-face ask for."""

    rate: float = Field(
        default=2.0,
        gt=0,
        le=30,
        description="The most heads to look at a second, for each camera.",
    )
    classifier: ModelConfig = Field(
        default_factory=lambda: ModelConfig(name=COVERED_FACE),
        description="Says how sure it is that a face is covered; keys as in [model].",
        json_schema_extra={"default": {"name": COVERED_FACE}},
    )
    detector: ModelConfig | None = Field(
        default=None,
        description="Finds faces; without it, nobody looks for one. Keys as in [model].",
    )
