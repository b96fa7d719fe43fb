"""What Home Assistant is told, and what its templates make of the real messages."""

from __future__ import annotations

import json
import re
from typing import Any

import jinja2
import pytest

from edge_runtime.messaging.home_assistant import Watched, discovery
from edge_runtime.messaging.topics import Topics

TOPICS = Topics("paris-12", "atm-1")
HEALTH = {
    "temperature": 48.3,
    "outbox": {"depth": 7},
    "cameras": [{"name": "atm", "state": "live"}, {"name": 'the "hall" {{', "state": "stale"}],
}


def told(*watched: Watched, cameras: tuple[str, ...] = ("atm",)) -> dict[str, Any]:
    message = discovery(TOPICS, "homeassistant", cameras, watched)
    content: dict[str, Any] = json.loads(message.payload)
    return content


def render(entity: dict[str, Any], value: Any, key: str = "value_template") -> str:
    environment = jinja2.Environment(autoescape=False)  # no page is made
    return environment.from_string(entity[key]).render(value_json=value)


def alert(name: str, state: str) -> dict[str, Any]:
    return {"data": {"name": name, "state": state, "camera": "atm"}}


def test_it_is_retained_below_the_prefix_with_what_is_asked_for() -> None:
    message = discovery(TOPICS, "ha", ["atm"], [])

    assert message.retain
    assert message.topic == "ha/device/paris-12_atm-1/config"
    content = json.loads(message.payload)
    assert content["device"]["identifiers"] == ["paris-12_atm-1"]
    assert content["origin"]["name"] == "edge-runtime"
    for key, entity in content["components"].items():
        assert entity["unique_id"] == key
        assert re.fullmatch("[A-Za-z0-9_-]+", key)
        assert entity["platform"] in {"sensor", "binary_sensor"}


def test_a_rule_is_on_from_start_to_end_and_not_for_another_of_its_kind() -> None:
    content = told(Watched("atm", "presence", "night"), Watched("atm", "presence", 'day "x" {%'))
    entities = content["components"]
    night = entities["paris-12_atm-1_atm_night"]
    (day,) = (e for key, e in entities.items() if "_day_" in key)

    assert night["state_topic"] == day["state_topic"] == TOPICS.alert("atm", "presence")
    assert render(night, alert("night", "started")) == "ON"
    assert render(night, alert("night", "updated")) == "ON"
    assert render(night, alert("night", "ended")) == "OFF"
    assert render(night, alert('day "x" {%', "started")) == ""
    assert render(day, alert('day "x" {%', "started")) == "ON"
    attributes = render(night, alert("night", "started"), "json_attributes_template")
    assert json.loads(attributes)["state"] == "started"


@pytest.mark.parametrize(
    ("camera", "expected"), [("atm", "ON"), ('the "hall" {{', "OFF"), ("gone", "OFF")]
)
def test_a_camera_is_connected_while_it_is_live(camera: str, expected: str) -> None:
    entities = told(cameras=(camera,))["components"]
    (live,) = (entity for key, entity in entities.items() if key.endswith("_live"))
    assert render(live, HEALTH) == expected


def test_the_device_is_available_while_it_is_not_offline() -> None:
    content = told()
    template = {"value_template": content["availability_template"]}
    assert content["availability_topic"] == TOPICS.status
    assert render(template, {"state": "degraded"}) == "online"
    assert render(template, {"state": "offline"}) == "offline"
    problem = content["components"]["paris-12_atm-1_problem"]
    assert render(problem, {"state": "degraded"}) == "ON"


def test_figures_are_those_of_the_health() -> None:
    entities = told()["components"]
    assert render(entities["paris-12_atm-1_temperature"], HEALTH) == "48.3"
    assert render(entities["paris-12_atm-1_waiting"], HEALTH) == "7"


def test_two_names_that_look_alike_stay_two() -> None:
    content = told(cameras=("a b", "a_b"))
    assert len([key for key in content["components"] if key.endswith("_live")]) == 2
