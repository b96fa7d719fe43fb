"""The person detector that comes with the package: no file, no labels, no configuration needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_runtime.bundle import store
from edge_runtime.bundle.reading import read
from edge_runtime.bundle.trust import DEMONSTRATION_KEY, TrustedKeys, key_id
from tests.daemon import Daemon, camera, edge_runtime, presence
from tests.segments import assert_are_the_visits


def test_it_is_whole_signed_for_demonstrations_and_works_here(person: Path, tmp_path: Path) -> None:
    bundle = read(person, TrustedKeys(demonstration=True))
    assert bundle.manifest.key_id == key_id(DEMONSTRATION_KEY)
    assert bundle.manifest.name == "person"
    assert person.name == f"person-{bundle.manifest.version}.edgebundle"
    assert "person" in bundle.manifest.labels
    store.install(bundle, tmp_path)  # proves it on its golden picture


@pytest.mark.usefixtures("person")
@pytest.mark.parametrize("arguments", [[], ["--model", "person"]], ids=["unnamed", "by name"])
def test_detect_takes_it(arguments: list[str], data_dir: Path) -> None:
    done = edge_runtime("detect", data_dir / "images" / "squat.jpg", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    labels = [each["label"] for each in json.loads(done.stdout)["detections"]]
    assert labels.count("person") == 1


@pytest.mark.usefixtures("person")
def test_replay_takes_it_and_finds_the_six_visits(clip: Path, person: Path) -> None:
    done = edge_runtime("replay", clip, "--presence", "person=1.0", "--json", timeout=110)
    assert done.returncode == 0, done.stderr
    alerts = [json.loads(line)["data"] for line in done.stdout.splitlines()]
    assert_are_the_visits([(each["state"], each["media_time"]) for each in alerts])
    (model,) = {json.dumps(each["model"]) for each in alerts}
    manifest = read(person, TrustedKeys(demonstration=True)).manifest
    assert json.loads(model) == {
        "name": "person",
        "version": str(manifest.version),
        "sha256": manifest.sha256("model.tflite"),
    }


@pytest.mark.usefixtures("person")
def test_one_line_of_a_configuration_takes_it_and_production_does_not(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, [camera("atm", "scene:atm"), presence()])
    text = daemon.config.read_text()
    daemon.config.write_text('model = "person"\n' + text)
    done = edge_runtime("check", "--live", daemon.config)
    assert done.returncode == 0, done.stderr
    assert "ok    model: person " in done.stdout
    assert "is for demonstrations" in done.stdout

    daemon.config.write_text('model = "person"\n' + text.replace("site", "production = true\nsite"))
    done = edge_runtime("check", daemon.config)
    assert done.returncode == 1
    assert f"{daemon.config}:1: model: " in done.stderr
    assert "is signed with the demonstration key, with which anyone can sign" in done.stderr
