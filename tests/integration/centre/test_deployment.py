"""The centre's unit, its example and its documentation."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from edge_runtime.centre.settings import BrokerConfig, CentreConfig
from tests.conftest import ROOT

UNIT = ROOT / "deploy" / "systemd" / "edge-centre.service"
DOCUMENTATION = (ROOT / "docs" / "centre.md").read_text()


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is there."""
    path = tmp_path / UNIT.name
    text, count = re.subn(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text())
    assert count == 1
    path.write_text(text)
    return path


def test_the_unit_is_correct_and_exposed_by_two_of_ten_at_most(unit: Path) -> None:
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert verified.returncode == 0, verified.stderr
    assert unit.name not in verified.stderr, verified.stderr
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    overall = re.search(r"Overall exposure level for \S+: ([\d.]+)", judged.stdout)
    assert overall, judged.stdout + judged.stderr
    assert float(overall[1]) <= 2.0


def test_the_example_is_a_configuration() -> None:
    text = (ROOT / "examples" / "centre.toml").read_text()
    config = CentreConfig.model_validate(tomllib.loads(text))
    assert config.broker().port == 8883


def test_each_key_is_documented_with_its_default() -> None:
    fields = {**CentreConfig.model_fields, **BrokerConfig.model_fields}
    for name in fields.keys() - {"mqtt", "tls"}:
        (line,) = re.findall(rf"(?m)^\| .*`{name}`.* \| .* \| .* \|$", DOCUMENTATION)
        default = fields[name].default
        if isinstance(default, int | float) and name != "port":
            assert f"`{default:g}`" in line
