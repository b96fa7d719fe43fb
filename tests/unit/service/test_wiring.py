from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_runtime.config import PresenceConfig, load
from edge_runtime.service import models, wiring
from tests.daemon import Daemon, camera


def test_the_state_is_kept_as_configured_else_as_systemd_says_else_at_home(
    small_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = Daemon(tmp_path, [small_model, camera("atm", "synthetic:")])
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/edge-runtime:/var/lib/other")
    assert wiring.state_directory(load(daemon.config)) == daemon.state

    daemon.config.write_text(daemon.config.read_text().replace("state_dir", "# state_dir"))
    config = load(daemon.config)
    assert wiring.state_directory(config) == Path("/var/lib/edge-runtime")
    monkeypatch.delenv("STATE_DIRECTORY")
    monkeypatch.setenv("XDG_STATE_HOME", "/home/kim/state")
    assert wiring.state_directory(config) == Path("/home/kim/state/edge-runtime")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/kim")
    assert wiring.state_directory(config) == Path("/home/kim/.local/state/edge-runtime")


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    with pytest.raises(wiring.StateDirectoryError) as raised:
        wiring.default_state_directory()
    assert str(raised.value) == (
        "this user has no home folder to keep the state in: set device.state_dir"
    )


def test_the_detector_is_asked_for_less_sure_detections_than_begin_a_track(
    small_model: str, tmp_path: Path
) -> None:
    tables = [small_model + "threshold = 0.5\nthresholds = {person = 0.8}\n"]
    config = load(Daemon(tmp_path, [*tables, camera("atm", "synthetic:")]).config)
    with models.borrowed(config.model) as model:
        settings = wiring.sought(model.settings)
    assert settings.threshold == pytest.approx(0.3)
    assert settings.thresholds == pytest.approx({"person": 0.48})


def test_for_blurring_people_are_asked_for_whatever_the_rules_are_about(
    tmp_path: Path,
) -> None:
    tables = ['[model]\nname = "person"\n', camera("atm", "synthetic:")]
    config = load(Daemon(tmp_path, tables).config)
    rule = PresenceConfig(kind="presence", classes=("dog",))
    with models.borrowed(config.model) as model:
        usual = wiring.sought(model.settings, [rule])
        blurring = wiring.sought(model.settings, [rule], blurring=True)
        without_rules = wiring.sought(model.settings, blurring=True)
    assert (usual.classes, blurring.classes) == ({"dog"}, {"dog", "person"})
    assert without_rules.classes is None  # all
    assert blurring.thresholds["person"] <= 0.15
    assert blurring.threshold == usual.threshold
