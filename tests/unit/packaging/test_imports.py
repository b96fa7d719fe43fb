"""What is imported by whom: the package's dependencies, its layers, and how light its start is."""

from __future__ import annotations

import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.unit.packaging.imports import PACKAGE, ROOT, imported, sources

MODULE_OF = {
    "ai-edge-litert": "ai_edge_litert",
    "moat-lib-mqtt": "moat",
    "opencv-python-headless": "cv2",
    "SQLAlchemy": "sqlalchemy",
    "paho-mqtt": "paho",
    "tflite-runtime": "tflite_runtime",
}
"""Where the name of a distribution is not that of its module."""

OPTIONAL = {
    "tflite_runtime": "tflite",
    "picamera2": "picamera",
    "moat": "demo",
    "sqlalchemy": "centre",
    "rich": "centre",
    "typer": "centre",
    "motmetrics": "score",
}
"""Modules that are imported where they are there, and the extra that brings each."""

LAYERS = ("capture", "inference", "analysis", "rules", "alerts", "messaging", "config", "scoring")
"""Packages that know nothing of each other, but for what is in `KNOWS`."""

KNOWS = {
    # The types of an alert and of the model that saw it are everybody's.
    ("config", "alerts.alert"),
    # The bounds that a configuration may set are those that an outbox can keep.
    ("config", "alerts.limits"),
    ("inference", "alerts.alert"),
    ("messaging", "alerts.alert"),
    ("rules", "alerts.alert"),
    # The publisher brings away what is in the outbox.
    ("messaging", "alerts.dropping"),
    ("messaging", "alerts.outbox"),
    # A rule may be about a place, or about the camera itself.
    ("rules", "analysis.camera_health"),
    ("rules", "analysis.glance"),
    ("rules", "analysis.lines"),
    ("rules", "analysis.stature"),
    ("rules", "analysis.zones"),
    # Whether a rule's class is one that the model knows, its labels say.
    ("config", "inference.engine"),
    ("config", "inference.labels"),
}


def distributions(section: str, option: str) -> set[str]:
    metadata = ConfigParser()
    metadata.read(ROOT / "setup.cfg")
    return {Requirement(line).name for line in metadata[section][option].split("\n") if line}


def test_all_that_is_imported_is_asked_for_and_all_that_is_asked_for_is_imported() -> None:
    found = {name.partition(".")[0] for source in sources() for name in imported(source)}
    foreign = found - sys.stdlib_module_names - {"edge_runtime"}
    asked = distributions("options", "install_requires")
    modules = {MODULE_OF.get(name, name.replace("-", "_")) for name in asked}
    # Time zones are data, which zoneinfo finds; pydantic's errors are made by its other half.
    assert foreign - {"pydantic_core"} == (modules - {"tzdata"}) | set(OPTIONAL)


@pytest.mark.parametrize(("module", "extra"), OPTIONAL.items())
def test_each_optional_module_has_an_extra(module: str, extra: str) -> None:
    names = distributions("options.extras_require", extra)
    assert module in {MODULE_OF.get(name, name) for name in names}


@pytest.mark.parametrize(
    "source", sorted(sources()), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_imports_point_one_way(source: Path) -> None:
    layer = source.relative_to(PACKAGE).parts[0]
    for name in imported(source):
        _, _, inner = name.partition("edge_runtime.")
        top = inner.partition(".")[0]
        if top in ("", layer):
            continue
        assert top != "cli", f"{source} imports the command line"
        assert top != "centre" or layer == "contract", f"{source} imports the centre"
        assert top != "service" or layer == "cli", f"{source} imports the service"
        if layer in LAYERS and top in LAYERS:
            module = ".".join(inner.split(".")[:2])
            assert (layer, module) in KNOWS, f"{source} imports {name}"


@pytest.mark.parametrize(
    "arguments", [["-c", "import edge_runtime"], ["-m", "edge_runtime.cli", "--help"]]
)
def test_the_start_imports_nothing_that_is_installed(arguments: list[str]) -> None:
    run = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines() if "|" in line}
    assert "edge_runtime" in loaded
    foreign = {"numpy", "cv2", "pydantic", "paho", "ai_edge_litert", "tqdm", "sqlite3", "ssl"}
    assert not foreign & {name.partition(".")[0] for name in loaded}
