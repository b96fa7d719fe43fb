"""Who says what on which topic, as an AsyncAPI 3.0 document.

The application that is described is the device: it sends alerts and receives commands.
Format: https://www.asyncapi.com/docs/reference/specification/v3.0.0, with the bindings of
https://github.com/asyncapi/bindings/tree/master/mqtt, version 0.2.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge_runtime import __version__
from edge_runtime.alerts.alert import CONTENT_TYPE
from edge_runtime.messaging.commands import CommandName
from edge_runtime.messaging.topics import Topics
from edge_runtime.messaging.wire import JSON_TYPE

_BINDING = "0.2.0"
_OF_DEVICE = {
    "site": "Where the device is, as in its configuration.",
    "device": "The device's name, unique at the broker.",
}
_PARAMETERS = {
    **_OF_DEVICE,
    "camera": "The camera's name.",
    "rule": "The kind of the rule, `presence` for example.",
    "command": "What is asked for.",
}


@dataclass(frozen=True, slots=True)
class Channel:
    """One topic of a device.

    Attributes:
        name: the channel's, which is that of its message in general.
        address: the topic, with parameters in braces.
        messages: the schemas of what goes over it.
        sent: whether the device sends it, or receives it.
        summary: what it is.
        retained: whether the broker keeps the last one.
        content_type: of the payload.
    """

    name: str
    address: str
    messages: tuple[str, ...]
    sent: bool
    summary: str
    retained: bool = False
    content_type: str = JSON_TYPE


def channels() -> tuple[Channel, ...]:
    """All topics of a device."""
    root = Topics("site", "device").root
    topics = root.replace("/site/device", "/{site}/{device}")
    return (
        Channel(
            "alert",
            f"{topics}/alert/{{camera}}/{{rule}}",
            ("alert",),
            True,
            "What happened before a camera. It comes again until it is acknowledged.",
            content_type=CONTENT_TYPE,
        ),
        Channel(
            "dropped",
            f"{topics}/dropped",
            ("dropped",),
            True,
            "Which alerts the device gave up: no gap is silent.",
            content_type=CONTENT_TYPE,
        ),
        Channel(
            "status",
            f"{topics}/status",
            ("status",),
            True,
            "Online, degraded or offline; also the last will.",
            retained=True,
        ),
        Channel(
            "health",
            f"{topics}/health",
            ("health",),
            True,
            "The device in figures, every 30 s.",
            retained=True,
        ),
        Channel(
            "acknowledgement",
            f"{topics}/ack",
            ("acknowledgement",),
            False,
            "How far the centre holds the alerts: only this removes them from the device.",
            retained=True,
        ),
        Channel(
            "command",
            f"{topics}/command/{{command}}",
            ("command", "signed-command"),
            False,
            "What is asked of the device; signed where its configuration asks for it.",
        ),
        Channel(
            "response",
            f"{topics}/response/{{command}}",
            ("response",),
            True,
            "What became of a command.",
        ),
    )


def asyncapi() -> dict[str, Any]:
    """The document; its schemas are in files beside it."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "edge-runtime",
            "version": __version__,
            "description": "What a device with cameras and a monitoring centre say to each other "
            "over MQTT 5.",
            "license": {
                "name": "Apache-2.0",
                "url": "https://www.apache.org/licenses/LICENSE-2.0",
            },
        },
        "defaultContentType": JSON_TYPE,
        "channels": {channel.name: _channel(channel) for channel in channels()},
        "operations": {_operation_name(channel): _operation(channel) for channel in channels()},
        "components": {
            "messages": {
                name: {
                    "name": name,
                    "contentType": channel.content_type,
                    "payload": {"$ref": f"./{name}.schema.json"},
                    "bindings": {"mqtt": {"bindingVersion": _BINDING}},
                }
                for channel in channels()
                for name in channel.messages
            }
        },
    }


def _channel(channel: Channel) -> dict[str, Any]:
    used = {n: text for n, text in _PARAMETERS.items() if f"{{{n}}}" in channel.address}
    parameters: dict[str, Any] = {name: {"description": text} for name, text in used.items()}
    if channel.name == "command":
        parameters["command"]["enum"] = [str(name) for name in CommandName]
    return {
        "address": channel.address,
        "description": channel.summary,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in channel.messages},
        "parameters": parameters,
    }


def _operation_name(channel: Channel) -> str:
    return f"{'send' if channel.sent else 'receive'}-{channel.name}"


def _operation(channel: Channel) -> dict[str, Any]:
    made: dict[str, Any] = {
        "action": "send" if channel.sent else "receive",
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "summary": channel.summary,
        "bindings": {
            "mqtt": {"qos": 1, "retain": channel.retained, "bindingVersion": _BINDING},
        },
    }
    if channel.name == "command":
        made["reply"] = {
            "address": {
                "location": "$message.header#/responseTopic",
                "description": "MQTT 5's response topic, below the device's own `response/`.",
            },
            "channel": {"$ref": "#/channels/response"},
        }
    return made
