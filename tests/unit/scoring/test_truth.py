from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_runtime.scoring.events import Event
from edge_runtime.scoring.truth import TrueTrack, Truth, TruthError, read_truth

VISIT = {"kind": "presence", "start": 6.1, "end": 19}
WALK = {"id": 1, "boxes": [[1, 0.0, 0.2, 0.2, 0.8], [3, 0.4, 0.2, 0.6, 0.8]]}


def written(path: Path, **members: object) -> Path:
    path.write_text(json.dumps({"version": 1, "events": []} | members))
    return path


def test_a_file_is_read_with_what_may_be_left_out(tmp_path: Path) -> None:
    bag = {"kind": "object-left", "start": 5, "end": 60, "due": 15, "boxes": [[0.3, 0.6, 0.4, 0.8]]}
    truth = read_truth(written(tmp_path / "t.json", events=[VISIT, bag], tracks=[WALK]))
    assert truth.events == (
        Event("presence", 6.1, 19),
        Event("object-left", 5, 60, ((0.3, 0.6, 0.4, 0.8),), due=15),
    )
    assert truth.tracks[0].label == "person"
    assert truth.kinds is None


def test_between_its_boxes_a_track_moves_evenly() -> None:
    track = TrueTrack.model_validate_json(json.dumps(WALK))
    assert track.at(2) == pytest.approx((0.2, 0.2, 0.4, 0.8))
    assert track.at(1) == pytest.approx((0.0, 0.2, 0.2, 0.8))
    assert track.at(3) == pytest.approx((0.4, 0.2, 0.6, 0.8))
    assert track.at(0.99) is None
    assert track.at(3.01) is None


@pytest.mark.parametrize(
    ("kinds", "rule", "name", "judged_as"),
    [
        (None, "presence", "at-night", "presence"),
        (None, "crowd", "crowd", "crowd"),
        (("presence",), "crowd", "crowd", None),
        (("presence",), "presence", "at-night", "presence"),
        (("at-night",), "presence", "at-night", "at-night"),
        (("covered",), "camera-health", "covered", "covered"),
        (("covered",), "camera-health", "dark", None),
    ],
)
def test_an_alert_is_judged_by_its_name_or_the_kind_of_its_rule(
    kinds: tuple[str, ...] | None, rule: str, name: str, judged_as: str | None
) -> None:
    assert Truth(version=1, kinds=kinds, events=()).kind_of(rule, name) == judged_as


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"event": []}, "event: there is no such key"),
        ({"version": 2}, "version: Input should be 1"),
        ({"events": [{"kind": "presence", "end": 3}]}, "events[0].start: it is missing"),
        ({"events": [VISIT | {"begin": 3}]}, "events[0].begin: there is no such key"),
        (
            {"events": [VISIT, VISIT | {"end": 6}]},
            "events[1]: presence ends at 6.0 s, not after its start 6.1",
        ),
        (
            {"events": [VISIT | {"start": "6"}]},
            "events[0].start: Input should be a valid number",
        ),
        (
            {"events": [VISIT], "kinds": ["crowd"]},
            "there is an event of the kind 'presence', not in kinds",
        ),
        (
            {"events": [VISIT | {"boxes": [[10, 20, 30, 40]]}]},
            "a box is x1, y1, x2, y2 in 0..1 of the picture, not 10.0, 20.0, 30.0, 40.0",
        ),
        ({"tracks": [WALK | {"boxes": []}]}, "tracks[0].boxes: Tuple should have at least 1 item"),
        (
            {"tracks": [WALK | {"boxes": [*WALK["boxes"], [3, 0, 0, 1, 1]]}]},  # type: ignore[misc]
            "tracks[0]: the seconds of its boxes have to rise",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(
    tmp_path: Path, members: dict[str, object], sentence: str
) -> None:
    path = written(tmp_path / "t.json", **members)
    with pytest.raises(TruthError) as raised:
        read_truth(path)
    assert str(raised.value).startswith(f"the truth file {path} is not right: {sentence}")
    assert "\n" not in str(raised.value)


def test_a_file_that_is_missing_or_no_json_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(TruthError, match=r"no\.json cannot be read: No such file or directory$"):
        read_truth(tmp_path / "no.json")
    path = tmp_path / "t.json"
    path.write_text("{")
    with pytest.raises(TruthError, match="is not right: Invalid JSON"):
        read_truth(path)
