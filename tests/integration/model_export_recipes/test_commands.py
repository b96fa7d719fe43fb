"""edge-export train and prune as a person runs them, and what follows them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_export.architectures.channels import macs
from model_export.architectures.mobilenet import Family, classifier
from model_export.architectures.spec import Input
from model_export.pruning.latency import latency
from model_export.weights import load
from tests.integration.model_export_recipes.conftest import run

pytestmark = pytest.mark.timeout(300)

QUICK = ("--epochs", "1", "--batch", "16", "--json")


@pytest.fixture(scope="module")
def whole(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("networks") / "whole.npz"
    network = ("--family", "mobilenet_v1", "--alpha", "0.25", "--size", "32", "--head-epochs", "1")
    data = ("--data", root / "faces", "--imbalance", "sampling")
    assert run("train", *data, *network, "--out", path, *QUICK) == 0
    return path


def answer(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Any:
    capsys.readouterr()
    assert run(*arguments) == 0
    return json.loads(capsys.readouterr().out)


def test_a_network_is_trained_pruned_quantized_and_evaluated(
    whole: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half, int8 = tmp_path / "half.npz", tmp_path / "half.tflite"
    data = ("--data", root / "faces")
    said = answer(capsys, "prune", whole, "--macs", "0.5", *data, "--out", half, *QUICK)
    assert said["network"] == str(half)
    assert said["summary"].startswith("channels pruned to ")
    assert len(said["epochs"]) == 1
    assert said["macs"] == macs(load(half).network) <= 0.5 * macs(load(whole).network)
    calibrate = ("--calibrate", root / "faces", "--count", "20")
    made = answer(capsys, "quantize", half, "--to", "int8", *calibrate, "--out", int8, "--json")
    assert made["bytes"] == int8.stat().st_size
    found = answer(capsys, "evaluate", int8, *data, "--json")
    assert [item["label"] for item in found["classes"]] == ["covered", "uncovered"]


def test_zeros_are_told_for_what_they_are(
    whole: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sparse.npz"
    data = ("--data", root / "faces", "--batch", "16")
    assert run("prune", whole, "--sparsity", "0.5", *data, "--epochs", "1", "--out", out) == 0
    shown = capsys.readouterr().out
    assert "of the weights are zero (magnitude)" in shown
    assert "good for: a smaller download, no speed" in shown
    assert load(out).network == load(whole).network


def test_a_teacher_of_the_same_kind_is_learned_from(
    whole: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pupil.npz"
    network = ("--family", "mobilenet_v1", "--alpha", "0.125", "--size", "32", "--head-epochs", "0")
    data = ("--data", root / "faces", "--teacher", whole)
    said = answer(capsys, "train", *data, *network, "--out", out, *QUICK)
    assert said["parameters"] < 100_000
    assert len(said["epochs"]) == 1


def test_a_network_with_fewer_channels_takes_less_time() -> None:
    network = classifier(Family.V1, 1.0, Input(64, 64), 2)
    narrow = classifier(Family.V1, 0.25, Input(64, 64), 2)
    small = [
        replace(each, backbone=replace(each.backbone, blocks=each.backbone.blocks[:5]))
        for each in (network, narrow)
    ]
    assert latency(small[1]) < 0.7 * latency(small[0])


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["train", "--size", "32"], 1, "model: neither family nor start is there"),
        (["train", "--size", "32", "--family", "resnet"], 1, "model.family: 'resnet' is not known"),
        (["train", "--size", "16", "--family", "mobilenet_v1"], 2, "--size"),
        (
            ["train", "--size", "32", "--family", "mobilenet_v1", "--teacher", "none.npz"],
            1,
            "the network none.npz does not exist",
        ),
        (["train", "--size", "32", "--start", "none.npz"], 1, "none.npz does not exist"),
        (
            ["train", "--size", "32", "--family", "mobilenet_v2", "--start", "{whole}"],
            1,
            "whole.npz are of another network than mobilenet_v2 with alpha 1, which the recipe",
        ),
        (
            ["train", "--size", "32", "--family", "mobilenet_v1", "--augmentation", "rain"],
            2,
            "'rain' is not one of branch, none",
        ),
        (["prune", "{whole}"], 2, "one of --macs, --latency, --sparsity and --2:4 is needed"),
        (["prune", "{whole}", "--macs", "0.5", "--2:4"], 2, "one of --macs, --latency, --sp"),
        (["prune", "{whole}", "--macs", "1.5"], 1, "steps[0].macs: 1.5 is too large"),
        (["prune", "{whole}", "--macs", "0.01"], 1, "a budget of 0.01 cannot be reached: "),
        (["prune", "none.npz", "--macs", "0.5"], 1, "none.npz does not exist"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_leaves_nothing(
    arguments: list[str],
    status: int,
    sentence: str,
    *,
    whole: Path,
    root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [argument.format(whole=whole) for argument in arguments]
    assert run(*given, "--data", root / "faces", "--out", tmp_path / "out.npz") == status
    shown = " ".join(capsys.readouterr().err.split())
    assert sentence in shown
    assert "Traceback" not in shown
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_missing_is_told_before_hours_of_work(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = ("--family", "mobilenet_v1", "--size", "32")
    out = tmp_path / "none" / "out.npz"
    assert run("train", "--data", root / "faces", *network, "--out", out) == 1
    assert "none for out.npz does not exist: make it first" in capsys.readouterr().err
