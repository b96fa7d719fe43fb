from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from model_export.evaluation import Mistake
from model_export.report.document import json_value, shown_path


@dataclass(frozen=True, slots=True)
class Part:
    value: object


def test_every_kind_of_value_becomes_one_that_json_has() -> None:
    found = json_value(
        {
            "nan": float("nan"),
            "infinite": np.float32("inf"),
            "exact": 0.1 + 0.2,
            "array": np.array([[1, 2]]),
            "whole": np.int64(7),
            "part": Part((True, None, "a")),
            "when": datetime(2026, 11, 23, tzinfo=UTC),
        },
        None,
    )
    assert found == {
        "nan": None,
        "infinite": None,
        "exact": 0.1 + 0.2,
        "array": [[1, 2]],
        "whole": 7,
        "part": {"value": [True, None, "a"]},
        "when": "2026-11-23T00:00:00+00:00",
    }
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_paths_below_the_reports_folder_are_relative_to_it(tmp_path: Path) -> None:
    inside, outside = tmp_path / "out" / "steps" / "m.tflite", tmp_path / "data" / "1.jpg"
    folder = tmp_path / "out"
    assert shown_path(inside, folder) == "steps/m.tflite"
    assert shown_path(outside, folder) == str(outside)
    mistake = Mistake(str(folder / "1.jpg"), (0, 0, 4, 4), "a", "b", 0.5)
    assert json_value(mistake, folder)["picture"] == "1.jpg"
    assert json_value(inside, None) == str(inside)


def test_what_json_has_nothing_for_is_told() -> None:
    with pytest.raises(TypeError, match="JSON has nothing for object"):
        json_value(Part(object()), None)
