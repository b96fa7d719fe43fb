"""A device as Home Assistant discovers it: one retained message that describes its entities.

Home Assistant then reads the same topics as a monitoring centre; nothing is sent twice. Format:
https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload (2024.12 or newer).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edge_runtime import __version__
from edge_runtime.messaging.connection import Message
from edge_runtime.messaging.topics import Topics
from edge_runtime.messaging.wire import JSON_TYPE

_NAME = "edge-runtime"
_CAMERA_HEALTH = "camera-health"


@dataclass(frozen=True, slots=True)
class Watched:
    """A rule on a camera.

    Attributes:
        camera: the camera's name.
        kind: the kind of the rule, which is in the topic of its alerts.
        rule: its name, which is in the alerts.
    """

    camera: str
    kind: str
    rule: str


def discovery(
    topics: Topics, prefix: str, cameras: Iterable[str], watched: Iterable[Watched]
) -> Message:
    """The message that makes Home Assistant know the device and what it watches.

    Args:
        topics: the device's.
        prefix: what the discovery topics of that Home Assistant begin with.
        cameras: their names.
        watched: the rules on them.
    """
    own = _identifier(f"{topics.site}_{topics.device}")
    entities = {**_of_device(topics)}
    for camera in cameras:
        entities |= _of_camera(topics, camera)
    entities |= dict(_of_rule(topics, each) for each in watched)
    payload = {
        "device": {
            "identifiers": [own],
            "name": topics.device,
            "manufacturer": _NAME,
            "sw_version": __version__,
        },
        "origin": {"name": _NAME, "sw_version": __version__},
        "availability_topic": topics.status,
        "availability_template": "{{ 'offline' if value_json.state == 'offline' else 'online' }}",
        "qos": 1,
        "components": {
            f"{own}_{key}": {"unique_id": f"{own}_{key}", **entity}
            for key, entity in entities.items()
        },
    }
    topic = f"{prefix}/device/{own}/config"
    return Message(topic, json.dumps(payload, separators=(",", ":")), JSON_TYPE, retain=True)


def _of_device(topics: Topics) -> dict[str, Mapping[str, Any]]:
    diagnostic = {"platform": "sensor", "entity_category": "diagnostic"}
    return {
        "problem": {
            "platform": "binary_sensor",
            "device_class": "problem",
            "name": "Problem",
            "state_topic": topics.status,
            "value_template": "{{ 'ON' if value_json.state == 'degraded' else 'OFF' }}",
            "json_attributes_topic": topics.status,
        },
        "temperature": {
            **diagnostic,
            "device_class": "temperature",
            "unit_of_measurement": "°C",
            "name": "Temperature",
            "state_topic": topics.health,
            "value_template": "{{ value_json.temperature }}",
        },
        "waiting": {
            **diagnostic,
            "name": "Alerts waiting",
            "state_topic": topics.health,
            "value_template": "{{ value_json.outbox.depth }}",
        },
    }


def _of_camera(topics: Topics, camera: str) -> dict[str, Mapping[str, Any]]:
    state = (
        f"value_json.cameras | selectattr('name', 'eq', {_literal(camera)})"
        " | map(attribute='state') | first | default('')"
    )
    key = _identifier(camera)
    return {
        f"{key}_live": {
            "platform": "binary_sensor",
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            "name": f"{camera} gives pictures",
            "state_topic": topics.health,
            "value_template": f"{{{{ 'ON' if ({state}) == 'live' else 'OFF' }}}}",
        },
        f"{key}_tampered": {
            "platform": "binary_sensor",
            "device_class": "tamper",
            "name": f"{camera} tampered with",
            "state_topic": topics.alert(camera, _CAMERA_HEALTH),
            "value_template": "{{ 'OFF' if value_json.data.state == 'ended' else 'ON' }}",
            "json_attributes_topic": topics.alert(camera, _CAMERA_HEALTH),
            "json_attributes_template": "{{ value_json.data | tojson }}",
        },
    }


def _of_rule(topics: Topics, watched: Watched) -> tuple[str, Mapping[str, Any]]:
    """An entity that is on while an incident of the rule lasts.

    Rules of one kind share a topic. A template that gives nothing changes nothing.
    """
    topic = topics.alert(watched.camera, watched.kind)
    mine = f"{{% if value_json.data.name == {_literal(watched.rule)} %}}"
    return _identifier(f"{watched.camera}_{watched.rule}"), {
        "platform": "binary_sensor",
        "name": f"{watched.camera}: {watched.rule}",
        "state_topic": topic,
        "value_template": f"{mine}{{{{ 'OFF' if value_json.data.state == 'ended' else 'ON' }}}}"
        "{% endif %}",
        "json_attributes_topic": topic,
        "json_attributes_template": f"{mine}{{{{ value_json.data | tojson }}}}{{% endif %}}",
    }


def _literal(name: str) -> str:
    """A name as a string of Jinja's, also one that holds quotes or braces."""
    return json.dumps(name).replace("{", "\\u007b").replace("%", "\\u0025")


def _identifier(name: str) -> str:
    """`name` of the characters that an identifier may have, and still another for each name."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    return plain if plain == name else f"{plain}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"
