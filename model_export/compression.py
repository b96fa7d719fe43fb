"""One model, quantized: from any file that holds one, with calibration pictures from a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_runtime.inference.preprocess import Colour, Range, Resize
from model_export.calibration import calibration
from model_export.conversion import float_tflite
from model_export.datasets.folders import read_folders
from model_export.datasets.samples import LabelledPictures, Sample
from model_export.datasets.splits import CALIBRATION_PICTURES, choose_for_calibration
from model_export.errors import ExportError
from model_export.layer_errors import LayerError, layer_errors
from model_export.loading import Format, format_of
from model_export.networks import finished, float_model, open_network
from model_export.pictures import find_pictures
from model_export.quantization import Calibration, Quantization, quantize, write_model
from model_export.weights import Trained


@dataclass(frozen=True, slots=True)
class CalibrationSource:
    """Where calibration pictures come from, and how the model takes them.

    Attributes:
        folder: of pictures, or of one folder a class, then as many are taken of each class.
        pixel_range: the real values of pixels 0 and 255, as the model was trained; None: as the
            model says, which a network of ours does.
        resize, colour: as the model was trained.
        count: how many are taken.
        seed: for which.
    """

    folder: Path
    pixel_range: Range | None = None
    resize: Resize = Resize.STRETCH
    colour: Colour = Colour.RGB
    count: int = CALIBRATION_PICTURES
    seed: int = 0

    def __post_init__(self) -> None:
        low, high = self.pixel_range or (0, 1)
        if not low < high:
            raise ExportError(
                f"range = {low:g} {high:g} is not a lower and an upper value, as -1 1 is"
            )
        if self.count < 1:
            raise ExportError(f"{self.count} calibration pictures are none: about 200 are right")


@dataclass(frozen=True, slots=True)
class Quantized:
    """A model that was written.

    Attributes:
        path: the file.
        precision, io: what its numbers are, and what goes in and out.
        float_bytes, bytes: of the float model and of this one.
        pictures: how many it was calibrated with.
        layers: what each layer loses alone, those that lose most first; empty: not measured.
    """

    path: Path
    precision: str
    io: str
    float_bytes: int
    bytes: int
    pictures: int
    layers: tuple[LayerError, ...]

    def as_dict(self) -> dict[str, Any]:
        """All of it for a machine; the path as text."""
        return asdict(self) | {"path": str(self.path)}


def quantize_model(
    source: Path,
    target: Path,
    how: Quantization,
    pictures: CalibrationSource | None = None,
    *,
    with_layers: bool = False,
    progress: Callable[[float], None] = lambda _: None,
) -> Quantized:
    """Quantize the model in `source` (.h5, .keras, SavedModel, .npz, float .tflite) into `target`.

    A detector of ours gets the end that readers expect. Nothing is written where anything fails.

    Args:
        source: the model.
        target: the .tflite file to write.
        how: into what.
        pictures: to calibrate with, where `how` needs it or layers are measured.
        with_layers: measure what each layer loses alone.
        progress: told the share that is done.

    Raises:
        EdgeRuntimeError: the model, the pictures or the place will not do.
    """
    wanted = how.calibrated or with_layers
    if wanted and pictures is None:
        what = how.precision if how.calibrated else "the error of each layer"
        raise ExportError(f"{what} needs calibration pictures, and none were given")
    network = _network(source, pictures)
    content = float_tflite(source) if network is None else float_model(network)
    seen = _calibration(content, pictures, network) if wanted and pictures else None
    part = 0.5 if with_layers else 1.0
    made = quantize(content, how, seen, lambda done: progress(done * part))
    layers: tuple[LayerError, ...] = ()
    if with_layers and seen:
        layers = layer_errors(
            content, seen, how.precision, progress=lambda done: progress((1 + done) / 2)
        )
    if network is not None:
        made = finished(made, network.network)
    write_model(target, made)
    return Quantized(
        path=target,
        precision=how.precision,
        io=how.io,
        float_bytes=len(content),
        bytes=len(made),
        pictures=len(seen.inputs) if seen else 0,
        layers=layers,
    )


def _network(source: Path, pictures: CalibrationSource | None) -> Trained | None:
    """The network in a file of ours; None for all other files."""
    if format_of(source) is not Format.NETWORK:
        return None
    return open_network(source, pictures.pixel_range if pictures else None)


def _calibration(content: bytes, source: CalibrationSource, network: Trained | None) -> Calibration:
    pixel_range = network.network.backbone.input.pixel_range if network else source.pixel_range
    if pixel_range is None:
        raise ExportError(
            "the model does not say what black and white are for it: give its range, as -1 1"
        )
    data = _labelled(source.folder)
    labels = [sample.label for sample in data.samples]
    chosen = data.at(choose_for_calibration(labels, source.count, source.seed))
    return calibration(
        content,
        (sample.read() for sample in chosen.samples),
        pixel_range,
        resize=source.resize,
        colour=source.colour,
    )


def _labelled(folder: Path) -> LabelledPictures:
    """The pictures by class where there are folders, else all as one class."""
    pictures = find_pictures(folder)
    if any(path.parent == folder for path in pictures):
        return LabelledPictures(("picture",), tuple(Sample(path, 0) for path in pictures))
    return read_folders(folder)
