from __future__ import annotations

from configparser import ConfigParser
from fnmatch import fnmatch
from pathlib import Path

import model_export.report

ROOT = Path(__file__).parents[3]


def test_what_a_page_is_made_of_is_installed_with_the_code() -> None:
    metadata = ConfigParser()
    metadata.read(ROOT / "setup.cfg")
    patterns = metadata["options.package_data"]["model_export.report"].split(", ")
    folder = Path(model_export.report.__file__).parent
    others = {path.name for path in folder.iterdir() if path.is_file() and path.suffix != ".py"}
    assert others == {"page.css", "page.html"}
    assert all(any(fnmatch(name, pattern) for pattern in patterns) for name in others)
