"""The centre's unit, its example and its documentation."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from edge_runtime.centre.settings import BrokerConfig, CentreConfig
from tests import units
from tests.conftest import ROOT

UNIT = ROOT / "deploy" / "systemd" / "edge-centre.service"
DOCUMENTATION = (ROOT / "docs" / "centre.md").read_text()


def test_the_unit_is_correct_and_exposed_by_two_of_ten_at_most(tmp_path: Path) -> None:
    unit = units.with_a_program(UNIT, tmp_path)
    units.verify(unit)
    assert units.exposure(unit) <= 2.0


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
