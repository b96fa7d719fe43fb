"""edge-export as a person runs it: exit status, standard output and the sentence on error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from model_export.cli import main


def run(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def models(data_dir: Path) -> Path:
    return data_dir / "models"


def test_help_lists_the_commands_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    shown = capsys.readouterr().out
    for command in ("inspect", "edgetpu", "bench", "compare", "keygen", "bundle"):
        assert f" {command} " in shown
    assert "Example: edge-export inspect model.tflite" in shown


@pytest.mark.parametrize("command", ["inspect", "edgetpu", "bench", "compare", "keygen", "bundle"])
def test_each_command_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    assert f"Example: edge-export {command} " in capsys.readouterr().out


def test_the_command_line_loads_nothing_heavy() -> None:
    heavy = ("numpy", "cv2", "ai_edge_litert", "pydantic", "tensorflow", "cryptography")
    code = f"import sys, model_export.cli; sys.exit(str(set({heavy}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "set()"


def test_no_module_but_the_training_ones_needs_tensorflow() -> None:
    code = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "import model_export.tables, model_export.comparison, model_export.benchmark"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_ai_edge_litert_it_is_said_what_to_install(models: Path) -> None:
    code = (
        "import sys; sys.modules['ai_edge_litert'] = None\n"
        "from model_export.cli import main; sys.exit(main(['inspect', sys.argv[1]]))"
    )
    command = [sys.executable, "-c", code, str(models / "vww_96_int8.tflite")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "edge-export: ai-edge-litert is not installed, and without it no model can be looked "
        "into: pip install 'edge-runtime[export]'\n"
    )


# inspect


def test_inspect_shows_a_model_as_tables(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("inspect", models / "ssd_mobilenet_v1_coco_quant_300.tflite") == 0
    shown = capsys.readouterr().out
    for text in (
        "parameters  4,108,899; in bytes: uint8 4,096,260, int32 50,556",
        "MACs        728,036,496 an inference",
        "custom      TFLite_Detection_PostProcess",
        "1x300x300x3",
        "The Edge TPU would run 63 of the 64 operators, the CPU the others.",
        "which fits into the chip's 8 MB",
    ):
        assert text in shown


def test_inspect_gives_json(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("inspect", models / "mobilenet_v1_0.25_128_quant.tflite", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["parameters"] == 467_593
    assert found["metadata"]["input_range"] == [-1, 1]
    assert found["layers"][0]["format"] == "int8"
    assert found["edgetpu"]["mapped"] == 31


@pytest.mark.parametrize("command", ["inspect", "edgetpu", "bench"])
def test_a_missing_model_is_one_sentence_and_status_1(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command, "none.tflite") == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "edge-export: model none.tflite does not exist\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect",),
        ("tell",),
        ("bench", "model.tflite", "--runs", "0"),
        ("compare", "a.tflite", "b.tflite"),
        ("compare", "a.tflite", "b.tflite", "--images", "x", "--resize", "crop"),
        ("compare", "a.tflite", "b.tflite", "--images", "x", "--colour", "pink"),
    ],
)
def test_wrong_usage_is_status_2(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    assert "Error: " in capsys.readouterr().err


# edgetpu


def test_edgetpu_without_its_compiler_says_what_to_run_and_fails(
    models: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    model = models / "vww_96_int8.tflite"
    assert run("edgetpu", model, "--out", tmp_path) == 1
    captured = capsys.readouterr()
    assert "The Edge TPU would run all 31 operators." in captured.out
    sentence, *commands = captured.err.splitlines()
    assert sentence.startswith("edge-export: edgetpu_compiler is not on PATH")
    assert commands[-1] == (f"  edgetpu_compiler --show_operations --out_dir {tmp_path} {model}")
    assert run("edgetpu", model, "--out", tmp_path, "--json") == 1
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert found["compiled"] is None
    assert [f"  {command}" for command in found["to_run"]] == commands
    assert len(captured.err.splitlines()) == 1


# bench and compare


def test_bench_shows_models_side_by_side(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = models / "vww_96_float.tflite", models / "vww_96_int8.tflite"
    assert run("bench", *both, "--runs", "5") == 0
    shown = capsys.readouterr().out
    assert "866,284" in shown
    assert "tensor arena" in shown
    assert run("bench", *both, "--runs", "5", "--threads", "2", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [len(model["invokes"]) for model in found["models"]] == [2, 2]
    assert found["models"][1]["gzip_bytes"] < found["models"][0]["gzip_bytes"]


def test_compare_shows_how_often_two_models_agree(
    models: Path, data_dir: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("cat", "squat"):
        (tmp_path / f"{name}.jpg").symlink_to((data_dir / "images" / f"{name}.jpg").resolve())
    both = models / "vww_96_float.tflite", models / "vww_96_int8.tflite"
    arguments = ("compare", *both, "--images", tmp_path, "--range", "0", "1")
    assert run(*arguments) == 0
    shown = capsys.readouterr().out
    assert "pictures decided alike" in shown
    assert "largest difference of scores" in shown
    assert run(*arguments, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["pictures"], found["kind"]) == (2, "classifier")


def test_compare_tells_of_a_threshold_out_of_its_range(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = models / "vww_96_int8.tflite"
    assert run("compare", model, model, "--images", tmp_path, "--threshold", "3") == 1
    assert capsys.readouterr().err == (
        "edge-export: the threshold threshold = 3.0 is not between 0 and 1\n"
    )


# keygen and bundle


def test_a_key_is_made_and_signs_a_bundle(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse\n")
    key = tmp_path / "release.key"
    assert run("keygen", key, "--passphrase-file", passphrase, "--json") == 0
    pair = json.loads(capsys.readouterr().out)
    assert Path(pair["public"]).is_file()
    bundle = (
        *("bundle", data_dir / "models" / "ssd_mobilenet_v1_coco_quant_300.tflite"),
        *("--name", "person", "--version", "1", "--golden", data_dir / "images" / "squat.jpg"),
        *("--labels", data_dir / "labels" / "coco_labels.txt", "--out", tmp_path),
        *("--key", key, "--quality", "precision=0.9", "--json"),
    )
    assert run(*bundle, "--passphrase-file", passphrase) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["key_id"] == pair["key_id"]
    assert Path(made["bundle"]).stat().st_size > 4_000_000

    passphrase.write_text("wrong horse\n")
    assert run(*bundle, "--passphrase-file", passphrase) == 1
    assert "does not open: the passphrase is wrong" in capsys.readouterr().err
    assert run(*bundle, "--passphrase-file", tmp_path / "none") == 1
    assert "none cannot be read: No such file or directory" in capsys.readouterr().err


def test_a_passphrase_is_never_asked_of_a_pipe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("keygen", tmp_path / "a.key") == 1
    assert capsys.readouterr().err == (
        "edge-export: there is no terminal to ask for a passphrase at: use --passphrase-file\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ((), "--key: this or --demonstration is needed, and not both"),
        (("--key", "a.key", "--demonstration"), "--key: this or --demonstration is needed"),
        (("--demonstration", "--quality", "good"), "'good' is not NAME=NUMBER"),
    ],
)
def test_a_bundle_asked_for_wrongly_is_status_2(
    more: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = ("--name", "a", "--version", "1", "--labels", "l", "--golden", "g.png")
    assert run("bundle", "model.tflite", *needed, *more) == 2
    assert problem in capsys.readouterr().err
