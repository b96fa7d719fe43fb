"""What the commands found, as tables for a person."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from model_export.benchmark import Benchmark
from model_export.comparison import Comparison
from model_export.compression import Quantized
from model_export.detection_evaluation import DetectorQuality
from model_export.edgetpu import Verdict
from model_export.edgetpu_compiler import Compiled
from model_export.evaluation import ClassifierQuality, Rate
from model_export.inspection import Inspection, TensorInfo
from model_export.layers import Layer
from model_export.recipes.outcome import RecipeOutcome, StepOutcome

_WIDTH_OF_FILES = 120


def show(*parts: RenderableType) -> None:
    """Print to standard output, in the terminal's width or, in a file, in a fixed one."""
    console = Console(width=None if sys.stdout.isatty() else _WIDTH_OF_FILES, highlight=False)
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, Text))


def _table(title: str, *columns: str, numbers: int = 0) -> Table:
    """A table whose last `numbers` columns are set flush right."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for place, column in enumerate(columns):
        right = place >= len(columns) - numbers
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    return table


def _count(number: int) -> str:
    return f"{number:,}"


def _share(part: float | None) -> str:
    return "" if part is None else f"{100 * part:.1f}%"


# inspect


def inspection(found: Inspection) -> Iterator[RenderableType]:
    """Everything about one model."""
    yield Text(f"{found.path}", style="bold")
    yield Text(_summary(found))
    yield _tensors(found)
    yield _operators(found)
    yield _layers(found)
    yield from _verdict(found.edgetpu)


def _summary(found: Inspection) -> str:
    weights = ", ".join(f"{kind} {_count(size)}" for kind, size in found.weight_bytes.items())
    metadata = found.metadata
    lines = [
        f"sha256      {found.sha256}",
        f"made by     {found.description or 'unknown'}",
        f"file        {_count(found.bytes)} bytes",
        f"parameters  {_count(found.parameters)}; in bytes: {weights or 'none'}",
        f"MACs        {_count(found.macs)} an inference",
    ]
    if found.sparsity is not None:
        encoded = f", {found.sparse_encoded} tensors store only the others"
        lines.append(
            f"zeros       {_share(found.sparsity)} of the weights"
            + (encoded if found.sparse_encoded else "")
        )
    if found.custom_operators:
        lines.append(f"custom      {', '.join(found.custom_operators)}")
    if found.graphs > 1:
        lines.append(f"graphs      {found.graphs}; the main one is shown")
    if metadata.version:
        lines.append(f"version     {metadata.version}")
    if metadata.input_range:
        low, high = metadata.input_range
        lines.append(f"range       a pixel of 0 is {low:g} and one of 255 is {high:g}")
    lines += [f"packed      {name}, {count} lines" for name, count in metadata.files.items()]
    return "\n".join(lines)


def _tensors(found: Inspection) -> Table:
    table = _table("Inputs and outputs", "", "name", "type", "shape", "quantization")
    for kind, infos in (("input", found.inputs), ("output", found.outputs)):
        for info in infos:
            table.add_row(kind, info.name, info.type, _shape(info), _quantization(info))
    return table


def _shape(info: TensorInfo) -> str:
    # -1 is a dimension that a caller may choose.
    return "x".join("?" if size < 0 else str(size) for size in info.signature) or "set by running"


def _quantization(info: TensorInfo) -> str:
    if info.scale is None:
        return ""
    return (
        f"{info.scale:.6g} * (value - {info.zero_point})"
        if info.zero_point
        else (f"{info.scale:.6g} * value")
    )


def _operators(found: Inspection) -> Table:
    table = _table("Operators", "operator", "", "version", "count", numbers=2)
    for row in found.operators:
        custom = "custom" if row.custom else ""
        table.add_row(row.operator, custom, str(row.version), str(row.count))
    return table


def _layers(found: Inspection) -> Table:
    columns = "MACs", "share", "parameters", "bytes", "zeros"
    table = _table("Layers with weights", "", "operator", "shape", "format", *columns, numbers=5)
    for layer in found.layers:
        if layer.parameters or layer.macs:
            table.add_row(*_layer(layer, found.macs))
    others = Counter(
        str(layer.format) for layer in found.layers if not (layer.parameters or layer.macs)
    )
    if others:
        counted = ", ".join(f"{count} {kind}" for kind, count in others.most_common())
        table.caption = f"and without weights: {counted}"
        table.caption_justify = "left"
    return table


def _layer(layer: Layer, all_macs: int) -> tuple[str, ...]:
    return (
        str(layer.index),
        layer.operator,
        "x".join(map(str, layer.shape)),
        str(layer.format),
        _count(layer.macs),
        _share(layer.macs / all_macs) if all_macs else "",
        _count(layer.parameters),
        _count(layer.weight_bytes),
        _share(layer.sparsity),
    )


# Edge TPU


def verdict(path: Path, found: Verdict) -> Iterator[RenderableType]:
    """What the Edge TPU would run of one model."""
    yield Text(f"{path}", style="bold")
    yield from _verdict(found)


def _verdict(found: Verdict) -> Iterator[RenderableType]:
    summary = str(found)
    yield Text(f"{summary[:1].upper()}{summary[1:]}.")
    for refusal in found.refusals[1:]:
        yield Text(f"Also: {refusal}.")
    if found.mapped and not found.compiled:
        fits = "fits" if found.fits_on_chip else "does not fit"
        yield Text(
            f"Its part has {_count(found.weight_bytes)} bytes of weights, which {fits} into the "
            "chip's 8 MB."
        )
    rows = Counter((op.name, str(op.status), op.reason) for op in found.on_cpu)
    if rows:
        table = _table("What stays on the CPU", "operator", "count", "where", "why")
        for (name, status, reason), count in rows.items():
            table.add_row(name, str(count), status, reason)
        yield table


def compiled(made: Compiled) -> Iterator[RenderableType]:
    """What the compiler made."""
    where = (
        ""
        if made.mapped is None
        else f": {made.mapped} operators on the Edge TPU, {made.on_cpu or 0} on the CPU"
    )
    yield Text(f"wrote {made.path}{where}")


# bench


def benchmark(found: Benchmark) -> Iterator[RenderableType]:
    """Models side by side."""
    weights = _table(
        "Size", "model", "bytes", "gzip", "parameters", "MACs", "tensor arena", numbers=5
    )
    times = _table(
        "One inference", "model", "threads", "runs", "p50 ms", "p95 ms", "ratio", numbers=5
    )
    for model in found.models:
        sizes = model.bytes, model.gzip_bytes, model.parameters, model.macs, model.arena_bytes
        weights.add_row(model.path.name, *map(_count, sizes))
        for at in model.invokes:
            times.add_row(
                model.path.name,
                str(at.threads),
                str(at.runs),
                f"{at.p50:.3f}",
                f"{at.p95:.3f}",
                f"{at.ratio:.2f}",
            )
    yield weights
    yield times
    on = f" on {found.processor}" if found.processor else ""
    yield Text(
        f"{found.backend}{on}, {found.cores} cores; all took turns in one run. ratio: p50 over "
        "that of the first model on one thread."
    )


# compare


def comparison(found: Comparison) -> Iterator[RenderableType]:
    """Two models on the same pictures."""
    what = "boxes matched" if found.boxes else "pictures decided alike"
    table = _table(f"{found.a.name} and {found.b.name}", "on the same pictures", "", numbers=1)
    table.add_row("pictures", _count(found.pictures))
    table.add_row(what, _share(found.agreement))
    if found.boxes:
        table.add_row(f"boxes of {found.a.name}", _count(found.boxes.a))
        table.add_row(f"boxes of {found.b.name}", _count(found.boxes.b))
        table.add_row("pairs", _count(found.boxes.matched))
        table.add_row("mean overlap of a pair", _difference(found.boxes.mean_overlap))
    of = "scores of a pair" if found.boxes else "scores"
    table.add_row(f"largest difference of {of}", _difference(found.largest_difference))
    table.add_row(f"mean difference of {of}", _difference(found.mean_difference))
    yield table
    if found.disagreements:
        worst = _table(
            "Where they disagree most",
            "picture",
            found.a.name,
            found.b.name,
            "difference",
            numbers=1,
        )
        for item in found.disagreements:
            worst.add_row(item.picture, item.a, item.b, f"{item.difference:.3f}")
        yield worst


def _difference(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"


# quantize


def quantized(made: Quantized) -> Iterator[RenderableType]:
    """A model that was written, and what its layers lose."""
    share = _share(made.bytes / made.float_bytes)
    pictures = f", calibrated with {made.pictures} pictures" if made.pictures else ""
    yield Text(
        f"{made.path}: {made.precision}, {made.io} in and out{pictures}; {_count(made.bytes)} "
        f"bytes, {share} of the float model's {_count(made.float_bytes)}"
    )
    if made.layers:
        table = _table(
            "What each layer loses alone", "layer", "operator", "error", "greatest", numbers=2
        )
        for layer in made.layers:
            name = layer.layer.partition(";")[0]
            table.add_row(name, layer.operator, f"{layer.error:.5f}", f"{layer.greatest:.5f}")
        table.caption = "error: root mean square of the change of the outputs"
        table.caption_justify = "left"
        yield table


# evaluate


def quality(found: ClassifierQuality | DetectorQuality) -> Iterator[RenderableType]:
    """How good a model is."""
    if isinstance(found, ClassifierQuality):
        yield from _classifier(found)
    else:
        yield from _detector(found)


def _classifier(found: ClassifierQuality) -> Iterator[RenderableType]:
    yield Text(f"{found.model}", style="bold")
    yield Text(
        f"accuracy {_rate(found.accuracy)} on {_count(found.pictures)} pictures in "
        f"{_count(found.groups)} groups of near-duplicates"
    )
    rates = "precision", "recall", "false alarms", "ROC area"
    table = _table(f"At a threshold of {found.threshold:g}", "class", "pictures", *rates, numbers=5)
    for item in found.classes:
        area = f"{item.curve.roc_auc:.4f}" if item.curve else ""
        shown = map(_rate, (item.precision, item.recall, item.false_alarms))
        table.add_row(item.label, _count(item.recall.of), *shown, area)
    table.caption = "with 95% confidence intervals, by bootstrap"
    table.caption_justify = "left"
    yield table
    light = _table("By lighting", "", "pictures", "accuracy", numbers=2)
    for bucket in found.lighting:
        light.add_row(bucket.bucket, _count(bucket.accuracy.of), _rate(bucket.accuracy))
    yield light


def _rate(rate: Rate) -> str:
    if rate.value is None or rate.low is None or rate.high is None:
        return ""
    return f"{100 * rate.value:.1f}% ({100 * rate.low:.1f} to {100 * rate.high:.1f})"


def _detector(found: DetectorQuality) -> Iterator[RenderableType]:
    yield Text(f"{found.model}", style="bold")
    figures = "AP", "AP50", "AP75", "small", "medium", "large", "recall"
    table = _table(
        f"{_count(found.boxes)} boxes in {_count(found.pictures)} pictures",
        "class",
        *figures,
        numbers=len(figures),
    )
    for name, item in (*found.classes.items(), ("all", found.overall)):
        values = item.ap, item.ap50, item.ap75, item.ap_small, item.ap_medium, item.ap_large
        table.add_row(name, *map(_share, values), _share(item.recall))
    yield table


# run


def recipe(found: RecipeOutcome, out: Path) -> Iterator[RenderableType]:
    """What came of a recipe: its steps side by side, its gate, and where more stands."""
    quality = "accuracy" if isinstance(found.steps[0].quality, ClassifierQuality) else "AP50"
    figures = quality, "points", "bytes", "gzip", "p50 ms", "times as fast"
    table = _table(found.name, "step", "from", "what it did", *figures, numbers=len(figures))
    baseline = found.step(found.baseline)
    for step in found.steps:
        table.add_row(*_step(step, baseline))
    yield table
    for step in found.steps:
        if step.note:
            yield Text(f"{step.name}: {step.note}")
    for check in found.checks:
        verdict = "met" if check.met else "MISSED"
        yield Text(f"{check.what} = {check.limit:g}: {check.found:.4g}, {verdict}")
    yield Text(f"report: {out / 'report.html'}")
    if found.bundle:
        yield Text(f"bundle: {found.bundle}")


def _step(step: StepOutcome, baseline: StepOutcome) -> tuple[str, ...]:
    p50, first = step.figures.invokes[0].p50, baseline.figures.invokes[0].p50
    return (
        step.name,
        step.source or "",
        step.summary,
        _share(step.accuracy),
        "" if step is baseline else f"{100 * (step.accuracy - baseline.accuracy):+.1f}",
        _count(step.figures.bytes),
        _count(step.figures.gzip_bytes),
        f"{p50:.3f}",
        f"{first / p50:.2f}",
    )
