"""The models of the second look: what is wrong with them is told before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.config import Config, ConfigError, load

BASE = """
model = "person"
[device]
site = "paris-12"
name = "atm-1"
production = {production}
[[cameras]]
name = "atm"
source = "synthetic:"
[[rules]]
kind = "{kind}"
"""


def loaded(
    tmp_path: Path, *more: str, kind: str = "covered-face", production: str = "false"
) -> Config:
    path = tmp_path / "atm.toml"
    path.write_text(BASE.format(kind=kind, production=production) + "\n".join(more))
    return load(path)


def complaint(tmp_path: Path, *more: str, production: str = "false") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, *more, production=production)
    return [str(problem) for problem in caught.value.problems]


def test_without_a_word_the_shipped_classifier_looks_twice_a_second(tmp_path: Path) -> None:
    heads = loaded(tmp_path).heads
    assert (heads.classifier.name, heads.detector, heads.rate) == ("covered-face", None, 2.0)


def test_a_classifier_that_does_not_know_covered_faces_is_refused(tmp_path: Path) -> None:
    (told,) = complaint(tmp_path, "[heads.classifier]", 'name = "person"')
    assert told.endswith("heads.classifier: is a model that does not know the class 'covered'")


def test_a_wrong_model_is_told_with_its_own_key(tmp_path: Path) -> None:
    (unknown,) = complaint(tmp_path, "[heads.classifier]", 'name = "coverd-face"')
    assert "heads.classifier.name: 'coverd-face' is no model that comes with" in unknown
    (two,) = complaint(
        tmp_path, "[heads.detector]", 'name = "person"', f'path = "{tmp_path}/atm.toml"'
    )
    assert "heads.detector.name: there is a path, too" in two
    assert "heads.rate" in complaint(tmp_path, "[heads]", "rate = 0")[0]


def test_a_device_on_duty_takes_no_classifier_for_demonstrations(tmp_path: Path) -> None:
    told = complaint(tmp_path, production="true")
    assert any("heads.classifier" in each and "demonstration key" in each for each in told)


def test_where_no_rule_asks_for_faces_no_classifier_is_asked_for(tmp_path: Path) -> None:
    loaded(tmp_path, "[heads.classifier]", 'name = "person"', kind="presence")
