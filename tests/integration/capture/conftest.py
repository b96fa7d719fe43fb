from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def clip(data_dir: Path) -> Path:
    """A clip of 1394 frames at 10 frames a second, 768x432."""
    return data_dir / "clips" / "one-by-one-person-detection.mp4"
