"""Each mistake on the command line: one sentence on standard error, and 1 as the exit status."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.daemon import COMMAND, Daemon, camera, edge_runtime
from tests.visits import Visits


@dataclass(frozen=True)
class Things:
    """Good and bad files to name on a command line."""

    data: Path
    here: Path

    @property
    def clip(self) -> str:
        return f"{self.data}/clips/one-by-one-person-detection.mp4"

    @property
    def image(self) -> str:
        return f"{self.data}/images/squat.jpg"

    def model(self, name: str = "ssd_mobilenet_v1_coco_quant_300.tflite") -> tuple[str, ...]:
        return "--model", f"{self.data}/models/{name}", "--labels", self.labels

    @property
    def labels(self) -> str:
        return f"{self.data}/labels/coco_labels.txt"

    def file(self, name: str, content: bytes = b"") -> str:
        path = self.here / name
        path.write_bytes(content)
        return str(path)


@pytest.fixture
def things(data_dir: Path, tmp_path: Path) -> Things:
    return Things(data_dir, tmp_path)


def truncated(t: Things) -> str:
    whole = (t.data / "models" / "ssd_mobilenet_v1_coco_quant_300.tflite").read_bytes()
    return t.file("half.tflite", whole[: len(whole) // 2])


Case = Callable[[Things], tuple[list[str], str]]

CASES: dict[str, Case] = {
    "a clip that is not there": lambda t: (
        ["replay", f"{t.here}/no.mp4", *t.model()],
        f"there is no file {t.here}/no.mp4: check the path of the source",
    ),
    "a clip that is no video": lambda t: (
        ["replay", t.file("a.mp4", b"no video" * 99), *t.model()],
        f"{t.here}/a.mp4 is not a video that can be read: it is damaged, incomplete or of another "
        "format",
    ),
    "a folder without images": lambda t: (
        ["replay", str(t.here), *t.model()],
        f"the folder {t.here} holds no pictures",
    ),
    "a source of an unknown kind": lambda t: (
        ["replay", "gopher://x/y", *t.model()],
        "gopher",
    ),
    "no model at all": lambda t: (
        ["replay", t.clip, "--labels", t.labels],
        "no model: give --model FILE.tflite and --labels FILE, or --model BUNDLE, or --config FILE",
    ),
    "a model that is not there": lambda t: (
        ["replay", t.clip, "--model", f"{t.here}/no.tflite", "--labels", t.labels],
        f"arguments: model.path: there is no file {t.here}/no.tflite",
    ),
    "a truncated model": lambda t: (
        ["replay", t.clip, "--model", truncated(t), "--labels", t.labels],
        f"model {t.here}/half.tflite is damaged or cut short",
    ),
    "a model that is something else": lambda t: (
        ["detect", t.image, "--model", t.file("a.tflite", b"GIF89a" * 99), "--labels", t.labels],
        f"{t.here}/a.tflite",
    ),
    "a model that the interpreter rejects": lambda t: (
        ["detect", t.image, *t.model("bad_quantized_dimension.tflite")],
        "bad_quantized_dimension.tflite",
    ),
    "a model that fails when it runs": lambda t: (
        ["detect", t.image, *t.model("bad_invoking_error.tflite")],
        "bad_invoking_error.tflite",
    ),
    "a model of an unknown kind": lambda t: (
        ["detect", t.image, *t.model("deeplabv3_mnv2_dm05_pascal_quant.tflite")],
        "deeplabv3_mnv2_dm05_pascal_quant.tflite",
    ),
    "a model without labels": lambda t: (
        ["detect", t.image, *t.model()[:2]],
        "labels",
    ),
    "labels that are not there": lambda t: (
        ["detect", t.image, *t.model()[:2], "--labels", f"{t.here}/no.txt"],
        f"arguments: model.labels: there is no file {t.here}/no.txt",
    ),
    "empty labels": lambda t: (
        ["detect", t.image, *t.model()[:2], "--labels", t.file("labels.txt")],
        f"{t.here}/labels.txt",
    ),
    "a device that is none": lambda t: (
        ["detect", t.image, *t.model(), "--device", "gpu"],
        "arguments: model.device: ",
    ),
    "an output kind that is none": lambda t: (
        ["detect", t.image, *t.model(), "--output", "segments"],
        "arguments: model.output: ",
    ),
    "a threshold out of range": lambda t: (
        ["detect", t.image, *t.model(), "--threshold", "1.5"],
        "arguments: model.threshold: ",
    ),
    "a presence that is not understood": lambda t: (
        ["replay", t.clip, *t.model(), "--presence", "person"],
        "--presence 'person' is not CLASS=SECONDS, as person=1.0 is",
    ),
    "a presence without a number": lambda t: (
        ["replay", t.clip, *t.model(), "--presence", "person=soon"],
        "--presence 'person=soon' is not CLASS=SECONDS, as person=1.0 is",
    ),
    "a presence of no time": lambda t: (
        ["replay", t.clip, *t.model(), "--presence", "person=nan"],
        "arguments: rules[0].seconds: ",
    ),
    "a class that the model does not know": lambda t: (
        ["replay", t.clip, *t.model(), "--presence", "persn=1"],
        "did you mean 'person'?",
    ),
    "a start that is no time": lambda t: (
        ["replay", t.clip, *t.model(), "--start", "yesterday"],
        "--start 'yesterday' is not a time, as 2026-11-23T22:00:00+01:00 is",
    ),
    "a frame rate of nothing": lambda t: (
        ["replay", t.clip, *t.model(), "--fps", "0"],
        "arguments: cameras[0].fps: ",
    ),
    "a film in a folder that is not there": lambda t: (
        ["replay", t.clip, *t.model(), "--video", f"{t.here}/no/out.mp4"],
        f"the folder {t.here}/no of the video out.mp4 does not exist",
    ),
    "a film that is no MP4": lambda t: (
        ["replay", t.clip, *t.model(), "--video", f"{t.here}/out.avi"],
        f"{t.here}/out.avi is not the name of an MP4 file: let it end in .mp4",
    ),
    "an image that is not there": lambda t: (
        ["detect", f"{t.here}/no.jpg", *t.model()],
        f"there is no image {t.here}/no.jpg",
    ),
    "an image that is none": lambda t: (
        ["detect", t.file("a.jpg", b"no picture"), *t.model()],
        f"{t.here}/a.jpg cannot be read: a JPEG, PNG, WebP, BMP or TIFF is asked for",
    ),
    "images drawn into a file": lambda t: (
        ["detect", t.image, *t.model(), "--draw", t.file("out")],
        f"the folder {t.here}/out cannot be made: File exists",
    ),
    "a configuration that is not there": lambda t: (
        ["run", f"{t.here}/no.toml"],
        f"{t.here}/no.toml: there is no such file; the path of a configuration is asked for",
    ),
    "a configuration that is no TOML": lambda t: (
        ["run", t.file("a.toml", b"site = paris\n")],
        f"{t.here}/a.toml:1: column 8: no value; text stands in quotes",
    ),
    "a replay of a camera that is not in the configuration": lambda t: (
        ["replay", t.clip, "--config", str(configuration(t)), "--camera", "vault"],
        "there is no camera 'vault' in --config, only atm",
    ),
}


def configuration(t: Things) -> Path:
    model = f'[model]\npath = "{t.model()[1]}"\nlabels = "{t.labels}"\n'
    return Daemon(t.here, [model, camera("atm", "synthetic:")]).config


@pytest.mark.parametrize("mistake", CASES)
def test_a_mistake_is_told_in_one_sentence(mistake: str, things: Things) -> None:
    arguments, sentence = CASES[mistake](things)
    done = edge_runtime(*arguments)
    assert done.returncode == 1, done
    told = [line for line in done.stderr.splitlines() if not line.startswith("INFO: ")]
    assert len(told) == 1, done.stderr
    assert told[0].startswith("edge-runtime: ")
    assert sentence in told[0]
    assert done.stdout == ""


def test_a_bench_without_frames_says_why(things: Things) -> None:
    done = edge_runtime("bench", f"{things.here}/no.mp4", *things.model(), "--seconds", "1")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"edge-runtime: no frame came: there is no file {things.here}/no.mp4: check the path of "
        "the source"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["replay"],
        ["run", "a.toml", "--log", "xml"],
        ["replay", "clip.mp4", "--threads", "many"],
        ["detect", "a.jpg", "--range", "0"],
    ],
)
def test_wrong_usage_is_two_and_says_what_was_expected(arguments: list[str]) -> None:
    done = edge_runtime(*arguments)
    assert done.returncode == 2
    assert "usage: edge-runtime" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_state_directory_that_cannot_be_made_is_named(visits: Visits, tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, visits())
    daemon.state.touch()
    done = edge_runtime("run", daemon.config)
    assert done.returncode == 1
    assert done.stderr == (
        f"edge-runtime: the state directory {daemon.state} cannot be made (File exists): set "
        "device.state_dir to a folder that this user may write to\n"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give its rights away")
def test_a_state_directory_that_may_not_be_written_is_named(visits: Visits, tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, visits())
    daemon.state.mkdir(mode=0o555)
    done = subprocess.run(
        ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *COMMAND, "run", daemon.config],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"edge-runtime: cannot write the outbox {daemon.state}/outbox.sqlite: Permission denied; "
        "its folder has to exist and to be writable for this user\n"
    )


def test_a_state_directory_too_deep_for_a_socket_is_named(visits: Visits, tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, visits())
    deep = tmp_path / ("d" * 120)
    daemon.config.write_text(daemon.config.read_text().replace(str(daemon.state), str(deep)))
    done = edge_runtime("run", daemon.config)
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"edge-runtime: the control socket {deep}/control.sock cannot be made (AF_UNIX path too "
        "long): "
    )
    assert edge_runtime("status", daemon.config).returncode == 1


def test_an_outbox_of_another_program_is_named(visits: Visits, tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, visits())
    daemon.state.mkdir()
    with closing(sqlite3.connect(daemon.state / "outbox.sqlite")) as other:
        other.execute("CREATE TABLE notes (text)")
    done = edge_runtime("run", daemon.config)
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"edge-runtime: {daemon.state}/outbox.sqlite is an SQLite file of "
    )
    assert done.stderr.count("\n") == 1


def test_a_socket_that_says_nonsense_is_no_daemon(visits: Visits, tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, visits())
    daemon.state.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(daemon.state / "control.sock"))
        listener.listen()
        done = edge_runtime("status", daemon.config)  # it accepts, and says nothing
    assert done.returncode == 1
    assert done.stderr.startswith("edge-runtime: no daemon answers at ")


def test_a_reader_that_has_had_enough_is_no_failure(things: Things) -> None:
    command = " ".join([*COMMAND, "schema"])
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{command} | head -n 1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_help_answers_without_loading_anything_heavy() -> None:
    code = (
        "import sys; from edge_runtime import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'cv2', 'numpy', 'pydantic', 'paho'} & set(sys.modules)"
    )
    done = edge_runtime_code(code)
    assert done.returncode == 0, done.stderr
    for command in ("run", "replay", "detect", "bench", "check", "schema", "status"):
        assert f"    {command} " in done.stdout


def edge_runtime_code(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND[0], "-c", code], capture_output=True, text=True, check=False)
