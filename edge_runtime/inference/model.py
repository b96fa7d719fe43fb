"""From a model's settings to a detector: pictures in, detections out."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.alerts.alert import ModelIdentity
from edge_runtime.backoff import Backoff
from edge_runtime.detections import Detections
from edge_runtime.frame import Image
from edge_runtime.inference import edgetpu, tflite_file
from edge_runtime.inference.edgetpu import TpuError, list_tpus, open_tpu
from edge_runtime.inference.engine import Engine, ModelError, TensorSpec
from edge_runtime.inference.failover import EngineState, EngineStatus, FailoverEngine
from edge_runtime.inference.labels import read_labels
from edge_runtime.inference.litert import LiteRtEngine
from edge_runtime.inference.outputs import AUTO, kind_of
from edge_runtime.inference.outputs.kind import Decoder, ModelOutputs, OutputKind, Selection
from edge_runtime.inference.preprocess import Colour, Preprocessor, Range, Resize
from edge_runtime.inference.tflite_file import ModelFile
from edge_runtime.inference.trial import trial
from edge_runtime.timing import Lap, Stage, no_lap

_DEVICE = re.compile(r"cpu|auto|tpu(?::(\d+))?")
_TWIN = "_edgetpu"


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What a person says of a model.

    Attributes:
        path: the .tflite file; one compiled for the Edge TPU needs the file it was compiled from
            beside it, named without ``_edgetpu``, to fall back on.
        labels: the labels file, or the labels; None for a kind that knows its own.
        device: ``cpu``, ``tpu`` (the first), ``tpu:N``, or ``auto``: a TPU if there is one and a
            file for it, else the CPU.
        threads: of the CPU's interpreter, 1 or more.
        threshold: the least score of a detection, above 0 and below 1.
        thresholds: another one for classes by label.
        classes: the labels to look for; None: all.
        resize: None: as models of that kind expect it.
        colour: the order of the input's channels.
        range: the real values of pixels 0 and 255; None: from the file's metadata, else as models
            of that kind expect it.
        output: what the outputs mean: a name of `outputs.KINDS`, or ``auto``.
        edgetpu_path: the file for the Edge TPU; None: beside `path`, with ``_edgetpu`` after its
            stem.
        max_detections: the largest number of detections in a frame.
        name, version: what alerts call the model; None: the file's name, and what it says itself.

    Raises:
        ModelError: a value is out of its range.
    """

    path: Path
    labels: Path | tuple[str, ...] | None = None
    device: str = "auto"
    threads: int = 1
    threshold: float = 0.5
    thresholds: Mapping[str, float] = field(default_factory=dict)
    classes: frozenset[str] | None = None
    resize: Resize | None = None
    colour: Colour = Colour.RGB
    range: Range | None = None
    output: str = AUTO
    edgetpu_path: Path | None = None
    max_detections: int = 100
    name: str | None = None
    version: str | None = None

    def __post_init__(self) -> None:
        if not _DEVICE.fullmatch(self.device):
            raise ModelError(
                f'device = "{self.device}" is not one of "auto", "cpu", "tpu" and "tpu:N"'
            )
        if self.threads < 1 or self.max_detections < 1:
            raise ModelError("threads and max_detections are 1 or more")
        for name, value in {"threshold": self.threshold, **self.thresholds}.items():
            if not 0 < value < 1:
                raise ModelError(f"the threshold {name} = {value} is not between 0 and 1")
        if self.range is not None and not self.range[0] < self.range[1]:
            raise ModelError(
                f"range = {list(self.range)} is not a lower and an upper value, as [-1, 1] is"
            )


class Detector:
    """A model, ready for pictures. Not thread-safe: make one for each thread.

    `load_detector` makes it.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        preprocessor: Preprocessor,
        decode: Decoder,
        labels: tuple[str, ...],
        locates: bool,
        status: Callable[[], EngineStatus],
        identity: Callable[[], ModelIdentity],
    ) -> None:
        self._engine = engine
        self._preprocessor = preprocessor
        self._decode = decode
        self._labels = labels
        self._locates = locates
        self._status = status
        self._identity = identity

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names, in the order of the class ids."""
        return self._labels

    @property
    def locates(self) -> bool:
        """Whether it says where things are; False: its boxes are the whole picture."""
        return self._locates

    @property
    def identity(self) -> ModelIdentity:
        """The file that runs now: the Edge TPU's has another hash than the CPU's."""
        return self._identity()

    def status(self) -> EngineStatus:
        """What runs it, and why that."""
        return self._status()

    def detect(self, image: Image, lap: Lap = no_lap) -> Detections:
        """The objects in `image` (H x W x 3 BGR), boxes in its pixels.

        Raises:
            InvokeError: the inference failed, which says nothing of what is in the picture.
        """
        placement = self._preprocessor.write(image, self._engine.input_view())
        lap(Stage.TENSOR)
        self._engine.invoke()
        lap(Stage.INVOKE)
        found = self._decode(self._engine.outputs())
        boxes = placement.to_picture(found.boxes)
        detections = Detections(boxes, found.scores, found.class_ids, self._labels)
        lap(Stage.OUTPUTS)
        return detections


def load_detector(
    settings: ModelSettings,
    *,
    nth: int = 0,
    library: str = edgetpu.LIBRARY,
    clock: Callable[[], float] = time.monotonic,
    backoff: Backoff | None = None,
) -> Detector:
    """Check the model's files, load them in a child process first, then here.

    Args:
        settings: what a person says of the model.
        nth: which of several TPUs is taken where the settings name none, counted round: the
            detectors of several cameras are spread over the TPUs.
        library: the Edge TPU's library.
        clock, backoff: when a TPU that failed is tried again; see `FailoverEngine`.

    Raises:
        ModelError: the model, its labels or its settings will not do.
        InvokeError: its first run fails.
    """
    cpu_file, tpu_file = _files(settings)
    _tried(cpu_file)
    cpu = LiteRtEngine(cpu_file.path, settings.threads)
    outputs = ModelOutputs(
        cpu_file,
        cpu.output_specs,
        tuple(tensor.copy() for tensor in cpu.outputs()),
        (cpu.input.shape[2], cpu.input.shape[1]),
    )
    kind = kind_of(outputs, settings.output)
    given = read_labels(settings.labels) if isinstance(settings.labels, Path) else settings.labels
    labels = kind.labels(outputs, given)
    selection = Selection(_thresholds(settings, labels), settings.max_detections)
    decode = kind.decoder(outputs, labels, selection)
    preprocessor = _preprocessor(settings, kind, cpu_file, cpu.input)
    cpu_identity = _identity(settings, cpu_file)

    index, reason = _tpu_index(settings, nth, cpu_file, tpu_file, library)
    if tpu_file is None or index is None:
        status = EngineStatus(cpu.backend, EngineState.OK, reason)
        return Detector(
            engine=cpu,
            preprocessor=preprocessor,
            decode=decode,
            labels=labels,
            locates=kind.LOCATES,
            status=lambda: status,
            identity=lambda: cpu_identity,
        )
    _tried(tpu_file)
    engine = FailoverEngine(
        cpu,
        partial(_open_twin, cpu, tpu_file.path, index, settings.threads, library),
        clock=clock,
        backoff=backoff,
    )
    tpu_identity = _identity(settings, tpu_file)
    return Detector(
        engine=engine,
        preprocessor=preprocessor,
        decode=decode,
        labels=labels,
        locates=kind.LOCATES,
        status=lambda: engine.status,
        identity=lambda: cpu_identity if engine.on_cpu else tpu_identity,
    )


def _files(settings: ModelSettings) -> tuple[ModelFile, ModelFile | None]:
    """The CPU's file, and the Edge TPU's where a TPU may be used and there is one."""
    named = tflite_file.read(settings.path)
    if named.for_edgetpu:
        return _cpu_twin(named, settings), None if settings.device == "cpu" else named
    twin = settings.edgetpu_path or _beside(settings.path, settings.path.stem + _TWIN)
    wanted = settings.device != "cpu" and (settings.edgetpu_path or twin.exists())
    if not wanted:
        return named, None
    compiled = tflite_file.read(twin)
    if not compiled.for_edgetpu:
        raise ModelError(
            f"model {twin} is not compiled for the Edge TPU: run edgetpu_compiler on it"
        )
    return named, compiled


def _cpu_twin(compiled: ModelFile, settings: ModelSettings) -> ModelFile:
    path = compiled.path
    twin = _beside(path, path.stem.removesuffix(_TWIN))
    if settings.device != "cpu" and twin != path and twin.exists():
        return tflite_file.read(twin)
    raise ModelError(
        f"model {path} is compiled for the Edge TPU ({tflite_file.EDGETPU_OP}), which no CPU can "
        "run: name the file that it was compiled from"
        + ("" if settings.device == "cpu" else ", and keep this one beside it as NAME_edgetpu")
    )


def _beside(path: Path, stem: str) -> Path:
    return path.with_name(stem + path.suffix)


_proven: set[str] = set()


def count_as_tried(sha256: str) -> None:
    """The file of that hash has been loaded in a child process already, or this is the child."""
    _proven.add(sha256)


def _tried(file: ModelFile) -> None:
    """Try the file in a child process, once for its content in the life of this process."""
    if file.sha256 not in _proven:
        trial(file.path)
        _proven.add(file.sha256)


def _tpu_index(
    settings: ModelSettings,
    nth: int,
    cpu_file: ModelFile,
    tpu_file: ModelFile | None,
    library: str,
) -> tuple[int | None, str]:
    """Which TPU is to be used, or None and why the CPU runs the model."""
    asked = _DEVICE.fullmatch(settings.device)
    if settings.device == "cpu":
        return None, "the CPU is asked for"
    if tpu_file is None:
        missing = (
            f"there is no {cpu_file.path.stem}{_TWIN}{cpu_file.path.suffix} beside the model "
            "(edgetpu_compiler makes it)"
        )
        if settings.device == "auto":
            return None, f"runs on the CPU: {missing}"
        raise ModelError(f'device = "{settings.device}" and {missing}')
    if asked and asked[1]:
        return int(asked[1]), ""
    try:
        found = list_tpus(library)
    except TpuError as error:
        found, reason = (), str(error)
    else:
        reason = "no Edge TPU was found"
    if found:
        return nth % len(found), ""
    # What is asked for by name is tried for as long as it is away.
    return (None, f"runs on the CPU: {reason}") if settings.device == "auto" else (0, "")


def _open_twin(cpu: Engine, path: Path, index: int, threads: int, library: str) -> Engine:
    """Open the TPU's file, which has to be what the CPU's is."""
    tpu = open_tpu(path, index, threads, library)
    mine, its = (cpu.input, *cpu.output_specs), (tpu.input, *tpu.output_specs)
    if len(mine) != len(its) or not all(map(TensorSpec.alike, mine, its)):
        raise ModelError(
            f"model {path} was not compiled from the one that the CPU runs: "
            f"it has {', '.join(map(str, its))} and the CPU's has {', '.join(map(str, mine))}"
        )
    return tpu


def _thresholds(settings: ModelSettings, labels: tuple[str, ...]) -> NDArray[np.float32]:
    """The least score for each class; one that no score reaches for what is not looked for."""
    wanted = frozenset(labels) if settings.classes is None else settings.classes
    unknown = sorted((set(settings.thresholds) | wanted) - set(labels))
    if unknown:
        raise ModelError(
            f'"{unknown[0]}" is no label of the model {settings.path.name}, which has '
            f"{', '.join(labels[:8])}{', ...' if len(labels) > 8 else ''}"
        )
    least = {label: settings.thresholds.get(label, settings.threshold) for label in wanted}
    return np.array([least.get(label, np.inf) for label in labels], np.float32)


def _preprocessor(
    settings: ModelSettings, kind: OutputKind, file: ModelFile, spec: TensorSpec
) -> Preprocessor:
    return Preprocessor(
        spec,
        settings.resize or kind.RESIZE,
        settings.colour,
        # Falsy would be a range of (0, 0), which no settings and no metadata can state.
        settings.range or file.input_range or (kind.RANGE if spec.dtype == np.float32 else None),
    )


def _identity(settings: ModelSettings, file: ModelFile) -> ModelIdentity:
    name = file.path.stem if settings.name is None else settings.name
    version = file.version if settings.version is None else settings.version
    return ModelIdentity(name, version, file.sha256)
