"""The steps of a recipe side by side, and the result beside the baseline, as texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from model_export.benchmark import Invoke
from model_export.bootstrap import Interval
from model_export.comparison import Comparison
from model_export.evaluation import ClassifierQuality
from model_export.recipes.outcome import Quality, RecipeOutcome, StepOutcome
from model_export.report import words
from model_export.report.scale import Bar, Scale


@dataclass(frozen=True, slots=True)
class Share:
    """How good a model is by one measure, 0..1, and between which values that is.

    None: there is nothing to measure it on, or nobody knows.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """What is told of one step.

    Attributes:
        text: it.
        details: what is told beside it, in small.
        rank: ``best`` or ``worst`` of its row; else "".
        bar: it as a picture.
    """

    text: str
    details: tuple[str, ...] = ()
    rank: str = ""
    bar: Bar | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """The same of all steps.

    Attributes:
        title, unit: what it is, and in what it is told.
        cells: by step.
        words: whether it is told in words and not in numbers.
    """

    title: str
    unit: str
    cells: tuple[Cell, ...]
    words: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that belong together."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Tile:
    """One thing about the result that is told first.

    Attributes:
        title: what.
        text: how much, and
        unit: of what.
        details: against the baseline, and how sure that is.
    """

    title: str
    text: str
    unit: str
    details: tuple[str, ...]


def measures(quality: Quality) -> dict[str, Share]:
    """How good a model is, by the names of the measures; the first is what the gate looks at."""
    if isinstance(quality, ClassifierQuality):
        accuracy = quality.accuracy
        return {"accuracy": Share(accuracy.value, accuracy.low, accuracy.high)}
    boxes = quality.overall
    return {
        "AP50": _average(boxes.ap50, boxes.ap50_interval),
        "AP": _average(boxes.ap, boxes.ap_interval),
    }


def _average(value: float | None, sure: Interval | None) -> Share:
    return Share(value, sure.low, sure.high) if sure else Share(value)


def first_measure(outcome: RecipeOutcome) -> str:
    """The name of what the gate looks at."""
    return next(iter(measures(outcome.step(outcome.result).quality)))


def groups(outcome: RecipeOutcome) -> tuple[Group, ...]:
    """All that is known of the steps, side by side."""
    return (
        Group("What it is", tuple(_origin(outcome.steps))),
        Group("How good it is", tuple(_goodness(outcome))),
        Group("How large it is", tuple(_size(outcome))),
        Group("How fast it is", tuple(_speed(outcome))),
    )


def _origin(steps: Sequence[StepOutcome]) -> list[Row]:
    def row(title: str, tell: Callable[[StepOutcome], str]) -> Row:
        return Row(title, "", tuple(Cell(tell(step)) for step in steps), words=True)

    rows = [
        row("made from", lambda step: step.source or "the recipe's start"),
        row("by", lambda step: step.action),
        row("what was done", lambda step: step.summary),
        row("to be known", lambda step: step.note),
        row("on an Edge TPU", lambda step: step.edgetpu),
    ]
    took = tuple(
        Cell(words.duration(step.seconds), ("in an earlier run",) if step.reused else ())
        for step in steps
    )
    kept = [row for row in rows if any(cell.text for cell in row.cells)]
    return [*kept, Row("took", "", took, words=True)]


def _goodness(outcome: RecipeOutcome) -> list[Row]:
    names = measures(outcome.step(outcome.baseline).quality)
    agreement = tuple(
        Cell(words.share(step.against_baseline.agreement), (_of(step.against_baseline),))
        if step.against_baseline
        else Cell(words.NONE)
        for step in outcome.steps
    )
    return [
        *(_measure(outcome, name) for name in names),
        Row(_alike(outcome), "", agreement),
    ]


def _alike(outcome: RecipeOutcome) -> str:
    """What is meant where two models agree."""
    boxes = any(step.against_baseline and step.against_baseline.boxes for step in outcome.steps)
    return "finds the baseline's boxes" if boxes else "decides as the baseline"


def _of(found: Comparison) -> str:
    return f"{'in' if found.boxes else 'of'} {words.count(found.pictures)} pictures"


def _measure(outcome: RecipeOutcome, name: str) -> Row:
    base = measures(outcome.step(outcome.baseline).quality)[name].value
    shares = [measures(step.quality)[name] for step in outcome.steps]
    scale = Scale.over(end for item in shares for end in (item.low, item.high))
    told = []
    for step, item in zip(outcome.steps, shares, strict=True):
        details = [words.interval(item.low, item.high)]
        if step.name != outcome.baseline and item.value is not None and base is not None:
            details.append(words.points(item.value - base))
        bar = scale.bar(item.low, item.value, item.high)
        told.append(Cell(words.share(item.value), tuple(filter(None, details)), bar=bar))
    sure = any(item.low is not None for item in shares)
    unit = f"95% interval; bars from {scale}" if sure else ""
    return Row(name, unit, _ranked(told, [item.value for item in shares]))


def _size(outcome: RecipeOutcome) -> list[Row]:
    return [
        _amounts(outcome, title, unit, tell)
        for title, unit, tell in (
            ("file", "bytes", lambda step: step.figures.bytes),
            ("download", "bytes, gzip", lambda step: step.figures.gzip_bytes),
            ("parameters", "", lambda step: step.figures.parameters),
            ("MACs", "an inference", lambda step: step.figures.macs),
            ("arena", "bytes of memory", lambda step: step.figures.arena_bytes),
        )
    ]


def _amounts(
    outcome: RecipeOutcome, title: str, unit: str, tell: Callable[[StepOutcome], int]
) -> Row:
    base = tell(outcome.step(outcome.baseline))
    values = [tell(step) for step in outcome.steps]
    told = [
        Cell(words.count(value), (f"{words.share(value / base, 0)} of the baseline",))
        if base and step.name != outcome.baseline
        else Cell(words.count(value))
        for step, value in zip(outcome.steps, values, strict=True)
    ]
    return Row(title, unit, _ranked(told, [-value for value in values]))


def _speed(outcome: RecipeOutcome) -> list[Row]:
    base = invoke(outcome.step(outcome.baseline), 1)
    counts = sorted({item.threads for step in outcome.steps for item in step.figures.invokes})
    rows = []
    for count in counts:
        found = [invoke(step, count) for step in outcome.steps]
        told = [_time(item, base) if item else Cell(words.NONE) for item in found]
        times = [-item.p50 if item else None for item in found]
        threads = "1 thread" if count == 1 else f"{count} threads"
        rows.append(Row(threads, "p50 in ms", _ranked(told, times)))
    return rows


def _time(found: Invoke, base: Invoke | None) -> Cell:
    tail = f"p95 {words.milliseconds(found.p95)}"
    if base is None or found is base:
        return Cell(words.milliseconds(found.p50), (tail,))
    ratio = f"{words.share(found.p50 / base.p50, 0)} of the baseline"
    return Cell(words.milliseconds(found.p50), (tail, ratio))


def invoke(step: StepOutcome, threads: int) -> Invoke | None:
    """Its time on so many threads; None: it was not measured on them."""
    return next((item for item in step.figures.invokes if item.threads == threads), None)


def _ranked(cells: Sequence[Cell], worth: Sequence[float | None]) -> tuple[Cell, ...]:
    """The cells, with the best and the worst marked, where some are better than others."""
    known = [value for value in worth if value is not None]
    if len(set(known)) < 2:
        return tuple(cells)
    ranks = {max(known): "best", min(known): "worst"}
    return tuple(
        cell if value is None else replace(cell, rank=ranks.get(value, ""))
        for cell, value in zip(cells, worth, strict=True)
    )


def tiles(outcome: RecipeOutcome) -> tuple[Tile, ...]:
    """The result in brief."""
    result, baseline = outcome.step(outcome.result), outcome.step(outcome.baseline)
    same = result is baseline
    found = [
        _good(name, share, None if same else measures(baseline.quality)[name])
        for name, share in measures(result.quality).items()
    ]
    if result.against_baseline and not same:
        agreement = words.share(result.against_baseline.agreement)
        found.append(Tile(_alike(outcome), agreement, "", (_of(result.against_baseline),)))
    found.append(_cost("file", result.figures.bytes, None if same else baseline.figures.bytes))
    time, base = invoke(result, 1), invoke(baseline, 1)
    if time:
        faster = () if same or not base else (f"{words.times(base.p50 / time.p50)} as fast",)
        details = (*faster, f"p95 {words.milliseconds(time.p95)} ms, 1 thread")
        found.append(Tile("an inference", words.milliseconds(time.p50), "ms", details))
    arena = result.figures.arena_bytes
    found.append(_cost("arena", arena, None if same else baseline.figures.arena_bytes))
    return tuple(found)


def _good(name: str, share: Share, base: Share | None) -> Tile:
    details = []
    if base and share.value is not None and base.value is not None:
        details.append(f"{words.points(share.value - base.value)} from {words.share(base.value)}")
    if share.low is not None:
        details.append(f"95%: {words.interval(share.low, share.high)}")
    return Tile(name, words.share(share.value), "", tuple(details))


def _cost(title: str, value: int, base: int | None) -> Tile:
    text, _, unit = words.size(value).partition(" ")
    details = (f"{words.share(value / base, 0)} of {words.size(base)}",) if base else ()
    return Tile(title, text, unit, details)
