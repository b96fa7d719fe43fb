"""`edge-runtime check` and `edge-runtime schema`."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from tests.broker import Broker, free_port
from tests.conftest import ROOT
from tests.daemon import Daemon, camera, edge_runtime, mqtt, presence
from tests.rtsp import RtspServer

RULE = presence("presence", 'classes = ["person"]')


def test_a_good_configuration_is_summed_up(small_model: str, tmp_path: Path) -> None:
    config = Daemon(tmp_path, [small_model, camera("atm", "v4l2:/dev/video9"), RULE]).config
    done = edge_runtime("check", config)
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout == (
        f"ok    configuration: {config} is valid; site paris-12, device atm-1, cameras atm; "
        "rules presence; broker none\n"
    )


def test_all_that_is_wrong_is_told_at_once_with_its_line(small_model: str, tmp_path: Path) -> None:
    wrong = [
        small_model,
        camera("atm", "synthetic:", "fsp = 5"),
        camera("atm", "synthetic:", "fps = 0"),
        presence("presence", 'classes = ["persno"]', 'zone = "counter"'),
        "[mqtt]\nport = 99999\n",
    ]
    config = Daemon(tmp_path, wrong).config
    done = edge_runtime("check", config)
    lines = config.read_text().splitlines()
    assert done.returncode == 1
    assert done.stdout == ""
    told = done.stderr.splitlines()
    for text in ("fsp = 5", "fps = 0", "classes =", "port = 99999"):
        place = f"WRONG configuration: {config}:{lines.index(next(_with(text, lines))) + 1}: "
        assert any(line.startswith(place) for line in told), (place, told)
    assert any("'atm'" in line and "cameras[1].name" in line for line in told)
    assert any("mqtt.host" in line for line in told)
    assert "Traceback" not in done.stderr

    machine = edge_runtime("check", "--json", config)
    assert machine.returncode == 1
    findings = json.loads(machine.stdout)
    assert [f"WRONG {each['about']}: {each['text']}" for each in findings] == told


def _with(text: str, lines: list[str]) -> Iterator[str]:
    return (line for line in lines if line.startswith(text))


def test_live_says_what_it_found(clip: Path, small_model: str, tmp_path: Path) -> None:
    with RtspServer(clip) as server, Broker() as broker:
        tables = [
            small_model,
            camera("hall", server.url),
            camera("door", clip),
            camera("yard", "synthetic:?width=320&height=240&fps=5"),
            mqtt(broker),
        ]
        done = edge_runtime("check", "--live", Daemon(tmp_path, tables).config)
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert told[1].startswith(
        "ok    model: vww_96_int8.tflite with 2 classes on litert-cpu: runs on the CPU: "
    )
    assert told[2] == (
        f"ok    camera hall: stream {server.url}, 768x432, over TCP gives 768 x 432 pixels at 10 "
        "pictures a second"
    )
    assert told[3].startswith(f"ok    camera door: video file {clip}, 768x432")
    assert "320 x 240 pixels at 5 pictures a second" in told[4]
    assert told[5].startswith(
        f"ok    broker: the broker {broker.host}:{broker.port} accepts this device without TLS ("
    )


def test_live_finds_every_thing_that_does_not_work(data_dir: Path, tmp_path: Path) -> None:
    """The model, two cameras, the broker: each gets its sentence, none hides another."""
    camera_port, broker_port = free_port(), free_port()
    labels = tmp_path / "labels.txt"
    labels.write_text("nobody\nperson\n")
    model = data_dir / "models" / "bad_quantized_dimension.tflite"
    tables = [
        f'[model]\npath = "{model}"\nlabels = "{labels}"\n',
        camera("hall", f"rtsp://127.0.0.1:{camera_port}/stream"),
        camera("door", "v4l2:/dev/video9"),
        f'[mqtt]\nhost = "127.0.0.1"\nport = {broker_port}\n',
    ]
    done = edge_runtime("check", "--live", Daemon(tmp_path, tables).config)
    assert done.returncode == 1
    assert done.stdout.startswith("ok    configuration: ")
    told = done.stderr.splitlines()
    assert [line.split(":")[0] for line in told] == [
        "WRONG model",
        "WRONG camera hall",
        "WRONG camera door",
        "WRONG broker",
    ]
    assert str(model) in told[0]
    assert "connection refused" in told[1]
    assert "/dev/video9" in told[2]
    assert f"127.0.0.1:{broker_port}" in told[3]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("password", "status", "words"),
    [("wrong", 1, "WRONG broker: "), ("right", 0, "accepts this device")],
)
def test_live_tells_a_password_that_the_broker_refuses(
    small_model: str, tmp_path: Path, password: str, status: int, words: str
) -> None:
    with Broker(users={"atm-1": "right"}) as broker:
        link = mqtt(broker, 'username = "atm-1"', f'password = "{password}"')
        tables = [small_model, camera("atm", "synthetic:"), link]
        done = edge_runtime("check", "--live", Daemon(tmp_path, tables).config)
    assert done.returncode == status
    assert words in done.stdout + done.stderr


def test_the_schema_is_printed_and_accepts_the_examples() -> None:
    done = edge_runtime("schema")
    assert done.returncode == 0
    schema = json.loads(done.stdout)
    validator = jsonschema.Draft202012Validator(schema)
    examples = sorted((ROOT / "examples").glob("[!c]*.toml"))  # the centre's is no device's
    assert examples
    for path in examples:
        validator.validate(tomllib.loads(path.read_text()))
    assert not validator.is_valid({"device": {"site": "s", "name": "n", "nmae": "x"}})
