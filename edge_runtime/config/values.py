"""The kinds of values that a configuration holds, and what makes each of them right."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from pathlib import Path
from stat import S_ISREG
from typing import Annotated, TypeVar
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Secret,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError, PydanticKnownError

from edge_runtime.config import polygon as polygons
from edge_runtime.config.errors import shown, suggestion
from edge_runtime.redaction import redact

_T = TypeVar("_T")
Listed = Annotated[tuple[_T, ...], Field(strict=False)]
"""A TOML array, kept as a tuple; what is in it stays strict."""
Pair = Annotated[tuple[_T, _T], Field(strict=False)]
"""A TOML array of two."""

Text = Annotated[str, Field(min_length=1, max_length=256)]
Seconds = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """A table of the configuration: what it does not know, it refuses."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )


OUTSIDE_PICTURE = "outside_picture"
"""The type of the error that carries `what` is drawn and `point`, its first one outside 0..1."""

DEFAULT_CLASSES = ("person",)
"""What a rule looks for where nothing else is said."""

MODEL_KINDS = ("path", "bundle", "name")
"""The keys of which a model has exactly one."""
FIXED_BY_BUNDLE = ("labels", "edgetpu_path", "output", "resize", "colour", "range")
"""What a bundle says of its model itself, and its signature covers."""

_NAME = re.compile(r"[^/+#\s]{1,64}")
_DEVICE = re.compile(r"auto|cpu|tpu(:\d{1,2})?")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_STREAM = re.compile(r"//[^/\s]\S*")
_CAMERA = re.compile(r"\S+")
_NUMBER = re.compile(r"\d{1,3}")


@dataclass(frozen=True, slots=True)
class SourceKind:
    """One kind of source: what follows its scheme and colon, and a whole one as an example."""

    form: re.Pattern[str]
    example: str


SOURCE_KINDS = {
    "file": SourceKind(re.compile(r".*\S.*"), "file:clips/lobby.mp4"),
    "v4l2": SourceKind(_CAMERA, "v4l2:/dev/video0"),
    "rtsp": SourceKind(_STREAM, "rtsp://user:password@10.0.0.7/stream"),
    "rtsps": SourceKind(_STREAM, "rtsps://user:password@10.0.0.7/stream"),
    "http": SourceKind(_STREAM, "http://10.0.0.7/video.mjpg"),
    "https": SourceKind(_STREAM, "https://10.0.0.7/video.mjpg"),
    "picamera2": SourceKind(_NUMBER, "picamera2:0"),
    "synthetic": SourceKind(re.compile(r".*"), "synthetic:?width=640&height=360&fps=10"),
    "scene": SourceKind(re.compile(r"\w+(\?.*)?"), "scene:atm"),
}
"""The kinds of sources by scheme. A path without a scheme is a file, too."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the validation of a configuration has to know besides the configuration.

    Attributes:
        folder: what relative paths are relative to.
        check_files: whether the files that are named have to be there and in order.
        check_dates: whether certificates have to be valid at `now`.
        now: the moment at which certificates have to be valid.
    """

    folder: Path = field(default_factory=Path)
    check_files: bool = False
    check_dates: bool = True
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


def context(info: ValidationInfo) -> Context:
    """The context of a running validation; without one, nothing is looked up on the disk."""
    return info.context if isinstance(info.context, Context) else Context()


def _matches(pattern: re.Pattern[str], wanted: str) -> Callable[[str], str]:
    """A validator for texts that match `pattern`; `wanted` says in words what they are."""

    def check(text: str) -> str:
        if not pattern.fullmatch(text) or not text.isprintable():
            raise ValueError(f"{shown(text)} is not possible here; {wanted} is asked for")
        return text

    return check


def _text_schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^({pattern})$"})


Name = Annotated[
    str,
    AfterValidator(
        _matches(_NAME, "a name of 1 to 64 characters without spaces, '/', '+' and '#' (MQTT)")
    ),
    _text_schema(_NAME.pattern),
]
"""A name that can be a level of an MQTT topic."""

ModelDevice = Annotated[
    str,
    AfterValidator(_matches(_DEVICE, "'auto', 'cpu', 'tpu' or, for the first of several, 'tpu:0'")),
    _text_schema(_DEVICE.pattern),
]
"""What a model runs on."""


def _host(text: str) -> str:
    if "://" in text:
        raise ValueError(
            f'{shown(text)} is a URL; the host alone is asked for, e.g. host = "10.0.0.2", and '
            "the port in a key of its own"
        )
    if not text.isprintable() or not re.fullmatch(r"[^\s/]+", text):
        raise ValueError(f"{shown(text)} is no host; a host name or an IP address is asked for")
    return text


def _topic_prefix(text: str) -> str:
    if not re.fullmatch(r"[^/+#\s]+(/[^/+#\s]+)*", text):
        raise ValueError(
            f"topics cannot begin with {shown(text)}; words without +, # and spaces, with / "
            "between them, are asked for"
        )
    return text


TopicPrefix = Annotated[Text, AfterValidator(_topic_prefix)]
"""What topics begin with, without a slash at its end."""

Host = Annotated[str, AfterValidator(_host)]
"""The name or address of a machine."""


def _clock(value: object) -> object:
    if isinstance(value, time):
        raise ValueError(f'{shown(value)} has no quotes; text is asked for, e.g. "{value:%H:%M}"')
    if not isinstance(value, str):
        raise PydanticKnownError("string_type")
    if not _CLOCK.fullmatch(value):
        raise ValueError(
            f"{shown(value)} is no time of day; hours and minutes from '00:00' to '23:59' are "
            "asked for"
        )
    return time.fromisoformat(value)


Clock = Annotated[time, BeforeValidator(_clock), _text_schema(_CLOCK.pattern)]
"""A time of day, written HH:MM."""


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"{shown(name)} is no time zone; {suggestion(name, available_timezones())} (a name "
            'of the IANA time zone database is asked for, e.g. "Europe/Paris")'
        ) from None
    return name


TimeZone = Annotated[str, AfterValidator(_time_zone)]
"""A name of the IANA time zone database."""


def _folder_path(value: object, info: ValidationInfo) -> Path:
    if not isinstance(value, str | Path):
        raise PydanticKnownError("string_type")
    if not str(value).isprintable():
        raise ValueError(
            f"{shown(str(value))} holds a character that cannot be printed; a path without one is "
            "asked for"
        )
    return context(info).folder / value


def _file(path: Path, info: ValidationInfo) -> Path:
    """See that the file can be read; `path` is resolved already."""
    if not context(info).check_files:
        return path
    try:
        if not S_ISREG(path.stat().st_mode):
            raise ValueError(f"{path} is not a file; the path of a file is asked for")
        with path.open("rb"):
            return path
    except FileNotFoundError:
        raise ValueError(
            f"there is no file {path}; put it there, or correct the path (it counts from the "
            "configuration's folder)"
        ) from None
    except OSError as error:
        raise ValueError(
            f"{path} cannot be read ({error.strerror}); a file that the service's user can read "
            "is asked for"
        ) from None


ResolvedPath = Annotated[Path, BeforeValidator(_folder_path)]
"""A path; relative ones count from the configuration's folder."""
ReadableFile = Annotated[ResolvedPath, AfterValidator(_file)]
"""A `ResolvedPath` of a file that can be read."""


class SourceUrl(Secret[str]):
    """A camera's URL, whose password shows neither in `repr` nor in a dump."""

    def _display(self) -> str:
        return redact(self.get_secret_value())


def _source(source: SourceUrl, info: ValidationInfo) -> SourceUrl:
    url = source.get_secret_value()
    match = _SCHEME.fullmatch(url)
    scheme, rest = (match[1].lower(), match[2]) if match else ("file", url)
    kind = SOURCE_KINDS.get(scheme)
    if kind is None:
        raise ValueError(
            f"{shown(url)} begins with no known kind of source; {suggestion(scheme, SOURCE_KINDS)} "
            f"(the path of a clip, or one of {', '.join(f'{name}:' for name in SOURCE_KINDS)} is "
            "asked for)"
        )
    if not url.isprintable() or not kind.form.fullmatch(rest):
        raise ValueError(
            f"{shown(url)} is not a whole source; {kind.example} is how one is written"
        )
    if scheme != "file":
        return SourceUrl(f"{scheme}:{rest}")
    path = unquote(urlsplit(url).path) if match and rest.startswith("//") else rest
    return SourceUrl(str(context(info).folder.absolute() / path))


Source = Annotated[
    SourceUrl, AfterValidator(_source), WithJsonSchema({"type": "string", "minLength": 1})
]
"""Where pictures come from; what it stands for is resolved as a path is."""


def _area(what: str) -> AfterValidator:
    """A validator for the corners of `what`, e.g. a zone."""

    def check(points: tuple[polygons.Point, ...]) -> tuple[polygons.Point, ...]:
        outside = polygons.outside(points)
        if outside is not None:
            raise PydanticCustomError(
                OUTSIDE_PICTURE, "outside the picture", {"point": outside, "what": what}
            )
        fault = polygons.shape_fault(points)
        if fault is not None:
            raise ValueError(f"the {what} {fault}")
        return points

    return AfterValidator(check)


_Corners = Annotated[tuple[Pair[float], ...], Field(strict=False, min_length=3)]
"""Three or more corners in 0..1 of the picture, one after another around an area."""
Polygon = Annotated[_Corners, _area("zone")]
MaskPolygon = Annotated[_Corners, _area("mask")]


def _points(points: tuple[polygons.Point, ...]) -> tuple[polygons.Point, ...]:
    outside = polygons.outside(points)
    if outside is not None:
        raise PydanticCustomError(
            OUTSIDE_PICTURE, "outside the picture", {"point": outside, "what": "line"}
        )
    if points[0] == points[1]:
        raise ValueError(f"the line has the point {shown(points[0])} twice; two are asked for")
    return points


Points = Annotated[
    tuple[Pair[float], ...],
    Field(strict=False, min_length=2, max_length=2),
    AfterValidator(_points),
]
"""Two different points in 0..1 of the picture."""


def _numbers_rising(pair: tuple[float, float]) -> tuple[float, float]:
    low, high = pair
    if not low < high:
        raise ValueError(f"{shown(pair)} is no range; the lower number is asked for first")
    return pair


Range = Annotated[Pair[float], AfterValidator(_numbers_rising)]
"""Two numbers, the lower one first."""
