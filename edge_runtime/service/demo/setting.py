"""What the demo's daemon is configured to watch."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle.shipped import PERSON
from edge_runtime.service.demo.brokers import HOST, BrokerKind
from edge_runtime.service.demo.errors import DemoError

SITE, DEVICE, CAMERA = "demo", "atm-1", "atm"
SCENE = "scene:atm"
LEAST_SECONDS = 10.0
THE_END = signal.SIGUSR1
"""Tells the demo's daemon that there is nothing more to watch."""

_CONFIG = """\
model = {model}

[device]
site = "{site}"
name = "{device}"
state_dir = {state}

[mqtt]
host = "{host}"
port = {port}

[[cameras]]
name = "{camera}"
source = {source}
fps = 10
"""
_SCENE_RULES = """
[[cameras.zones]]
name = "at-machine"
polygon = [[0.06, 0.60], [0.54, 0.60], [0.57, 1.00], [0.03, 1.00]]

[[cameras.zones]]
name = "beside"
polygon = [[0.62, 0.60], [0.97, 0.60], [1.00, 1.00], [0.60, 1.00]]

[[rules]]
kind = "presence"
name = "somebody-at-machine"
zone = "at-machine"
seconds = 1.0

[[rules]]
kind = "presence"
name = "another-beside"
zone = "beside"
seconds = 2.0                 # who only walks by is not told
severity = "high"
"""
_ANY_RULES = """
[[rules]]
kind = "presence"
name = "somebody"
seconds = 1.0
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be shown.

    Attributes:
        source: the camera, as in a configuration.
        seconds: how long; a clip may end before.
        folder: where video, sheet, log and figures go.
        broker: which broker.

    Raises:
        DemoError: it is too short.
    """

    source: str
    seconds: float
    folder: Path
    broker: BrokerKind

    def __post_init__(self) -> None:
        if not self.seconds >= LEAST_SECONDS:
            raise DemoError(
                f"a demo of {self.seconds:g} s is too short: give it at least {LEAST_SECONDS:g}, "
                "for the broker is away for half of that"
            )

    @property
    def drawn(self) -> bool:
        """Whether it is the scene that is drawn for the demo."""
        return self.source.partition("?")[0] == SCENE


def source_of(text: str) -> str:
    """The source that a visitor means: a camera's number, a path from here, or a URL."""
    if text.isdecimal():
        return f"v4l2:{text}"
    path = Path(text).expanduser()
    return str(path.absolute()) if path.exists() or ":" not in text else text


def configuration(wish: Wish, state: Path, port: int) -> str:
    """The daemon's configuration, as text."""
    head = _CONFIG.format(
        model=json.dumps(PERSON),
        site=SITE,
        device=DEVICE,
        state=json.dumps(str(state)),
        host=HOST,
        port=port,
        camera=CAMERA,
        source=json.dumps(wish.source, ensure_ascii=False),
    )
    return head + (_SCENE_RULES if wish.drawn else _ANY_RULES)
