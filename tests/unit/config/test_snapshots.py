"""Snapshots are asked for by a table, and only of a model that knows people."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.config import Config, ConfigError, load

BASE = """
[device]
site = "paris-12"
name = "atm-1"
[model]
path = "model.tflite"
labels = "labels.txt"
[[cameras]]
name = "atm"
source = "synthetic:"
"""


def loaded(folder: Path, more: str, *labels: str) -> Config:
    (folder / "model.tflite").touch()
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
    (folder / "atm.toml").write_text(BASE + more)
    return load(folder / "atm.toml")


def test_the_table_alone_turns_them_on_and_without_it_there_are_none(tmp_path: Path) -> None:
    assert loaded(tmp_path, "", "person").snapshots is None
    snapshots = loaded(tmp_path, "[snapshots]\n", "person").snapshots
    assert snapshots
    assert (snapshots.keep_days, snapshots.keep_megabytes) == (7.0, 100)


def test_a_model_that_knows_no_people_takes_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, "[snapshots]\n", "cat", "dog")
    assert str(caught.value).endswith(
        "snapshots: needs a model that knows the class 'person', because people's heads are "
        "blurred; leave the table out"
    )


def test_to_allow_asking_is_not_enough(tmp_path: Path) -> None:
    allow = '[commands]\nallow = ["snapshot"]\n'
    with pytest.raises(ConfigError, match=r"commands\.allow\[0\]: 'snapshot' asks for pictures"):
        loaded(tmp_path, allow, "person")
    loaded(tmp_path, allow + "[snapshots]\n", "person")
