"""The topics under which a device speaks: ``edge/v1/<site>/<device>/…``.

Rules for names: MQTT 5.0, sections 1.5.4 (UTF-8 strings) and 4.7 (topic names).
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_runtime.errors import EdgeRuntimeError

_LONGEST_LEVEL = 100
_SEPARATORS = frozenset("/+#")


class TopicError(EdgeRuntimeError):
    """A name that cannot be a level of a topic."""


def level(name: str, what: str) -> str:
    """`name`, if it can be one level of a topic.

    Args:
        name: 1 to 100 bytes of UTF-8, printable, without ``/``, ``+`` and ``#``.
        what: whose name it is, for the error: ``site``, ``camera`` ...

    Raises:
        TopicError: it cannot.
    """
    if not name:
        raise TopicError(f"the name of the {what} is empty: it becomes a level of an MQTT topic")
    if bad := sorted(_SEPARATORS.intersection(name)):
        raise TopicError(
            f"the name of the {what} {name!r} holds {' '.join(bad)}: / + and # have a meaning of "
            "their own in MQTT topics"
        )
    if not name.isprintable():
        raise TopicError(
            f"the name of the {what} {name!r} holds a character that cannot be printed: it "
            "becomes a level of an MQTT topic"
        )
    if (length := len(name.encode())) > _LONGEST_LEVEL:
        raise TopicError(
            f"the name of the {what} {name[:20] + '…'!r} takes {length} bytes: at most "
            f"{_LONGEST_LEVEL} fit into a level of a topic"
        )
    return name


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one device.

    Raises:
        TopicError: a name cannot be a level of a topic.
    """

    site: str
    device: str

    def __post_init__(self) -> None:
        level(self.site, "site")
        level(self.device, "device")

    @property
    def root(self) -> str:
        """What all topics of this device begin with."""
        return f"edge/v1/{self.site}/{self.device}"

    @property
    def status(self) -> str:
        """Online, degraded or offline; retained, and the last will's topic."""
        return f"{self.root}/status"

    @property
    def health(self) -> str:
        """How the device is; retained."""
        return f"{self.root}/health"

    @property
    def ack(self) -> str:
        """How far the centre holds this device's alerts; comes in, retained."""
        return f"{self.root}/ack"

    @property
    def dropped(self) -> str:
        """Which alerts this device gave up."""
        return f"{self.root}/dropped"

    def command(self, name: str) -> str:
        """Where the command of that name comes in; ``+`` for all of them."""
        return f"{self.root}/command/{name if name == '+' else level(name, 'command')}"

    @property
    def responses(self) -> str:
        """What the topics begin with under which this device answers commands."""
        return f"{self.root}/response/"

    def alert(self, camera: str, rule: str) -> str:
        """The topic of the alerts of one camera and one kind of rule."""
        return f"{self.root}/alert/{level(camera, 'camera')}/{level(rule, 'rule')}"
