"""What the running daemon says of itself, for a person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_runtime.config import load
from edge_runtime.service import wiring
from edge_runtime.service.control import SOCKET_NAME, ask

_SYSTEM_STATE = Path("/var/lib/edge-runtime")
"""Where the systemd unit keeps the state."""


def ask_daemon(config: Path | None) -> dict[str, Any]:
    """The status of the daemon that runs `config`, or of the one that systemd runs.

    Raises:
        NotRunningError: no daemon answers.
        ConfigError: the configuration cannot be read.
    """
    if config is None:
        system, own = _SYSTEM_STATE / SOCKET_NAME, wiring.default_state_directory() / SOCKET_NAME
        return ask(own if own.exists() and not system.exists() else system)
    # The files that it names are the daemon's business, and may be readable by it alone.
    settings = load(config, check_files=False)
    own = wiring.state_directory(settings) / SOCKET_NAME
    # Where the configuration leaves the place open, systemd has chosen it for its daemon.
    by_systemd = settings.device.state_dir is None and not own.exists()
    return ask(_SYSTEM_STATE / SOCKET_NAME if by_systemd else own)


def as_text(status: dict[str, Any]) -> str:
    """A few lines: the device, the link, the outbox, each camera."""
    lines = [
        f"{status['site']}/{status['device']} is {status['state']}, "
        f"edge-runtime {status['version']}, since {status['started']}"
    ]
    lines += [f"  ! {text}" for text in (*status["reasons"], *status["warnings"])]
    lines.append(f"  outbox: {_outbox(status['outbox'])}")
    lines.append(f"  broker: {_link(status['mqtt'])}")
    lines += [_camera(camera) for camera in status["cameras"]]
    return "\n".join(lines)


def _outbox(outbox: dict[str, Any]) -> str:
    parts = [f"{outbox['depth']} alerts wait ({outbox['bytes'] / 1e6:.1f} MB)"]
    for what in ("evicted", "refused"):
        if counts := outbox[what]:
            told = ", ".join(f"{count} {severity}" for severity, count in counts.items())
            parts.append(f"{told} {what} since the start")
    return "; ".join(parts)


def _link(link: dict[str, Any] | None) -> str:
    if link is None:
        return "none is configured"
    error = f" ({link['last_error']})" if link["last_error"] and link["link"] != "online" else ""
    held = f"; {link['held']}" if link["held"] else ""
    centre = _centre(link["acknowledged"]) if link["acknowledged"] else ""
    return f"{link['link']}{error}, {link['delivered']} alerts delivered{centre}{held}"


def _centre(acknowledged: dict[str, Any]) -> str:
    waiting = acknowledged["waiting"]
    wait = f", {waiting} wait for its word" if waiting else ""
    return f"; the centre holds all up to {acknowledged['upto']}{wait}"


def _camera(camera: dict[str, Any]) -> str:
    age = camera["last_frame_age"]
    parts = [
        f"  camera {camera['name']}: {camera['state']}",
        f"{camera['fps']:.1f} frames a second",
        f"{camera['dropped']} of {camera['frames']} dropped",
        "no frame yet" if age is None else f"last frame {age:.1f} s ago",
        f"{camera['backend']}",
    ]
    if invoke := camera["latency_ms"].get("invoke"):
        parts.append(f"invoke {invoke[0]:.1f} ms (p95 {invoke[1]:.1f})")
    return ", ".join(parts)
