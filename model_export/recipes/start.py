"""What a recipe's first training starts from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model_export.architectures.channels import layers
from model_export.architectures.mobilenet import Family, classifier
from model_export.architectures.spec import Classifier, Detector, Input, Network
from model_export.architectures.ssdlite import detector
from model_export.errors import ExportError
from model_export.networks import open_network
from model_export.recipes.recipe import ModelTable
from model_export.training.starting import adapted, untrained, with_layers_of
from model_export.weights import Trained


def start_network(
    table: ModelTable, root: Path, classes: tuple[str, ...], *, boxes: bool, seed: int
) -> Trained:
    """The network that the recipe asks for, with the weights that it starts from.

    Args:
        root: what the path of the start counts from.
        boxes: whether it is to be a detector.

    Raises:
        EdgeRuntimeError: the start is no network of ours, or another than the recipe says.
    """
    if table.start is None:
        assert table.family is not None  # the recipe has seen to it
        return untrained(_network(table, table.family, classes, boxes=boxes), seed)
    path = root / table.start
    found = open_network(path, table.range)
    if boxes:
        return _detector(table, found, path, classes, seed)
    if not isinstance(found.network, Classifier):
        raise ExportError(
            f"{path} is a detector, and the recipe's data have no boxes: name their annotations"
        )
    start = adapted(
        found,
        height=table.sides[0],
        width=table.sides[1],
        channels=_channels(table),
        classes=len(classes),
        seed=seed,
    )
    _require_family(table, start, path)
    if found.network.classes != len(classes):
        return start
    # As many classes as before are taken for the same ones.
    return Trained(start.network, {**start.weights, "classes": found.weights["classes"]})


def is_folded(trained: Trained) -> bool:
    """Whether no normalisation normalises, as in what comes out of a .tflite file."""
    norms = [found.norm for found in trained.weights.values() if found.norm is not None]
    return bool(norms) and all(np.all(norm.mean == 0) and np.ptp(norm.gain) == 0 for norm in norms)


def _detector(
    table: ModelTable, found: Trained, path: Path, classes: tuple[str, ...], seed: int
) -> Trained:
    if isinstance(found.network, Detector):
        _require_same(found.network, table, path, classes)
        return found
    if table.family is None:
        raise ExportError(
            f"{path} is a classifier: say which family the detector on it is of, e.g. "
            'family = "mobilenet_v2"'
        )
    given = found.network.backbone.input
    network = _network(table, table.family, classes, boxes=True, pixel_range=given.pixel_range)
    start = untrained(network, seed)
    shared = [
        layer.name
        for layer in layers(network)
        if layer.name in found.weights and found.weights[layer.name].kernel.shape == layer.shape
    ]
    if len(shared) < len(network.backbone.blocks):
        raise ExportError(
            f"{path} is no {table.family} of alpha {table.alpha:g}: only {len(shared)} of its "
            "layers fit; name the family and alpha that it has"
        )
    return with_layers_of(start, found.weights)


def _require_same(
    network: Network, table: ModelTable, path: Path, classes: tuple[str, ...]
) -> None:
    picture = network.backbone.input
    if (picture.height, picture.width, picture.channels) != (*table.sides, _channels(table)):
        raise ExportError(
            f"{path} takes {picture.width}x{picture.height}x{picture.channels}, and the recipe "
            f"says {table.sides[1]}x{table.sides[0]}x{_channels(table)}: a trained detector keeps "
            "its size"
        )
    if network.classes != len(classes):
        raise ExportError(
            f"{path} knows {network.classes} classes, and the data have {len(classes)} "
            f"({', '.join(classes)}): they have to be the same"
        )


def _require_family(table: ModelTable, start: Trained, path: Path) -> None:
    if table.family is None:
        return
    picture = start.network.backbone.input
    expected = classifier(table.family, table.alpha, picture, start.network.classes)
    if start.network.backbone != expected.backbone:
        raise ExportError(
            f"the weights in {path} are of another network than {table.family} with alpha "
            f"{table.alpha:g}, which the recipe asks for: name what it is, or leave family out"
        )


def _network(
    table: ModelTable,
    family: Family,
    classes: tuple[str, ...],
    *,
    boxes: bool,
    pixel_range: tuple[float, float] = (-1.0, 1.0),
) -> Network:
    height, width = table.sides
    picture = Input(height, width, _channels(table), pixel_range)  # type: ignore[arg-type]
    make = detector if boxes else classifier
    return make(family, table.alpha, picture, len(classes))


def _channels(table: ModelTable) -> int:
    return 3 if table.colour == "rgb" else 1
