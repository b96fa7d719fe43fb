"""The schema, the documentation and the examples say the same as the validation."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edge_runtime.config import load, schema
from edge_runtime.config.values import SOURCE_KINDS
from tests.unit.config.test_sentences import GOOD

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.toml") if path.stem != "centre")
"""Of devices: the centre's has a schema of its own."""
SECTIONS = {
    "[device]": "DeviceConfig",
    "[model]": "ModelConfig",
    "[mqtt]": "MqttConfig",
    "[mqtt.tls]": "TlsConfig",
    "[commands]": "CommandsConfig",
    "[outbox]": "OutboxConfig",
    "[snapshots]": "SnapshotsConfig",
    "[heads]": "HeadsConfig",
    "[[cameras]]": "CameraConfig",
    "[cameras.motion]": "MotionConfig",
    "[cameras.health]": "HealthConfig",
    "[[cameras.zones]]": "ZoneConfig",
    "[[cameras.lines]]": "LineConfig",
    "[[cameras.masks]]": "MaskConfig",
    'kind = "presence"': "PresenceConfig",
    'kind = "intrusion"': "IntrusionConfig",
    'kind = "loitering"': "LoiteringConfig",
    'kind = "crowd"': "CrowdConfig",
    'kind = "queue"': "QueueConfig",
    'kind = "second-person"': "SecondPersonConfig",
    'kind = "line-crossing"': "LineCrossingConfig",
    'kind = "wrong-way"': "WrongWayConfig",
    'kind = "tailgating"': "TailgatingConfig",
    'kind = "covered-face"': "CoveredFaceConfig",
    'kind = "object-left"': "ObjectLeftConfig",
    'kind = "object-removed"': "ObjectRemovedConfig",
    'kind = "person-down"': "PersonDownConfig",
    "[rules.schedule]": "ScheduleConfig",
}
TABLES_OF_THEIR_OWN = {
    "tls",
    "motion",
    "health",
    "zones",
    "lines",
    "masks",
    "schedule",
    "classifier",
    "detector",
}
OF_ALL_RULES = {"kind", "name", "cameras", "zone", "place", "classes", "cooldown", "severity"}
"""Keys that are described once for all rules; a rule with a default of its own says so."""


def documented() -> dict[str, dict[str, str]]:
    """The tables of docs/configuration.md: section, key, default."""
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    sections: dict[str, dict[str, str]] = {}
    for part in re.split(r"^##+ ", text, flags=re.MULTILINE)[1:]:
        title = part.splitlines()[0].strip("`")
        rows = re.findall(r"^\| `(\w+)` \| (.+?) \| .+ \|$", part, flags=re.MULTILINE)
        if rows:
            sections[title] = dict(rows)
    return sections


def properties() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, model in schema()["$defs"].items():
        for key, node in model.get("properties", {}).items():
            yield name, key, node


def test_the_documentation_has_every_key_with_its_default() -> None:
    described = documented()
    assert described.keys() == SECTIONS.keys()
    for title, rows in described.items():
        model = schema()["$defs"][SECTIONS[title]]
        asked = model["properties"].keys() - TABLES_OF_THEIR_OWN
        if title.startswith("kind"):
            asked -= OF_ALL_RULES - rows.keys()
        assert rows.keys() == asked, title
        for key, default in rows.items():
            node = model["properties"][key]
            assert (default == "required") == (key in model.get("required", ())), (title, key)
            if node.get("default") is not None:
                assert default == f"`{json.dumps(node['default'])}`", (title, key)
            elif default != "required":
                assert not re.fullmatch('`["0-9].*', default), (title, key)


def test_the_documentation_has_the_keys_of_all_rules_and_where_their_defaults_differ() -> None:
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| (\w+) \| (.+?) \| .+ \|$", text, flags=re.MULTILINE))
    assert told.keys() - {"key"} == OF_ALL_RULES
    for title, model in SECTIONS.items():
        if not title.startswith("kind"):
            continue
        for key in OF_ALL_RULES - {"kind", "name"}:
            default = schema()["$defs"][model]["properties"][key].get("default")
            own = documented()[title].get(key)
            assert own or default is None or told[key].startswith(f"`{json.dumps(default)}`"), title


def test_the_documentation_shows_every_kind_of_source() -> None:
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert not [scheme for scheme in SOURCE_KINDS if f"`{scheme}:" not in text]


def test_the_schema_is_a_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert "null" not in json.dumps(schema())


def test_every_key_is_described_and_its_examples_and_default_are_valid() -> None:
    for name, key, node in properties():
        assert node.get("description"), (name, key)
        validator = jsonschema.Draft202012Validator({**node, "$defs": schema()["$defs"]})
        for value in [*node.get("examples", ()), node.get("default")]:
            assert value is None or validator.is_valid(value), (name, key, value)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_loads_and_fits_the_schema(path: Path) -> None:
    load(path, check_files=False)
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema()).validate(document)


def test_there_are_examples_for_an_atm_and_a_lobby() -> None:
    assert {"atm.toml", "lobby.toml"} <= {path.name for path in EXAMPLES}


@pytest.mark.parametrize(
    "mistake",
    ['colour = "red"', "device = 5", "[[cameras]]\nname = 'a b'\nsource = 'x'", "rules = [{}]"],
)
def test_an_editor_sees_with_the_schema_what_is_wrong(mistake: str) -> None:
    validator = jsonschema.Draft202012Validator(schema())
    good = tomllib.loads(GOOD)
    assert validator.is_valid(good)
    assert not validator.is_valid(good | tomllib.loads(mistake))
