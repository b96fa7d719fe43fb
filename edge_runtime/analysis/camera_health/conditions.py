"""What can be wrong with a camera."""

from __future__ import annotations

from enum import StrEnum


class Condition(StrEnum):
    """What can be wrong with a camera."""

    COVERED = "covered"
    """Something is in front of the lens or on it."""
    DEFOCUSED = "defocused"
    """The picture is out of focus."""
    MOVED = "moved"
    """The camera looks somewhere else."""
    FROZEN = "frozen"
    """The same picture comes again and again."""
    DARK = "dark"
    """Next to nothing can be seen for lack of light."""
    BRIGHT = "bright"
    """The picture is too bright, or something dazzles the camera."""
    NOISY = "noisy"
    """Noise covers the picture."""
    NO_FRAMES = "no-frames"
    """No picture comes."""
