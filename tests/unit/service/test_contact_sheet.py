"""What gets onto the sheet of a clip's events, and how it looks."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.alerts.alert import Alert, AlertState, Severity
from edge_runtime.frame import Frame
from edge_runtime.service.contact_sheet import EventSheet, SheetError, sheet
from edge_runtime.service.pipeline import Analysed

TILE = (448, 252)
"""How large a frame of 160 x 90 is on a sheet."""


def at(second: int, *states: AlertState) -> tuple[Frame, Analysed]:
    """The frame of a second, as bright as it is late, and alerts of these states."""
    image = np.full((90, 160, 3), 4 * second, np.uint8)
    alerts = [
        Alert("presence", "presence", "clip", state, Severity.LOW, second, second, 0.0, 0.0, "one")
        for state in states
    ]
    return Frame(image, second, second, second), Analysed(alerts=alerts, tracks=(), looked=True)


def pictures(path: Path) -> list[float]:
    """The grey levels in the middle of a sheet's pictures."""
    paper = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert paper is not None
    rows = range(6 + TILE[1] // 2, paper.shape[0], TILE[1] + 6)
    columns = range(6 + TILE[0] // 2, paper.shape[1], TILE[0] + 6)
    return [float(paper[y, x]) for y in rows for x in columns]


def test_the_pictures_of_a_sheet_stand_side_by_side() -> None:
    white = np.full((9, 16, 3), 255, np.uint8)
    paper = sheet([white] * 4)
    assert paper.shape == (2 * (9 + 6) + 6, 3 * (16 + 6) + 6, 3)
    assert (paper == 255).all(axis=2).sum() == 4 * 9 * 16


def test_a_sheet_shows_the_frames_at_which_alerts_were_raised(tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    made = EventSheet(path, ())
    for second in range(40):
        states = {10: [AlertState.STARTED], 20: [AlertState.ENDED], 30: [AlertState.STARTED]}
        made.add(*at(second, *states.get(second, ())))
    made.write()
    assert pictures(path) == [40, 120]
    assert made.left_out == 0


def test_of_a_clip_without_events_the_sheet_shows_the_first_frame(tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    made = EventSheet(path, ())
    for second in range(1, 5):
        made.add(*at(second))
    made.write()
    assert pictures(path) == [4]


def test_a_sheet_says_how_many_moments_it_has_no_room_for(tmp_path: Path) -> None:
    made = EventSheet(tmp_path / "sheet.jpg", ())
    for second in range(62):
        made.add(*at(second, AlertState.STARTED))
    assert made.left_out == 2


@pytest.mark.parametrize(
    ("name", "says"), [("sheet.txt", "let it end in .png or .jpg"), ("no/sheet.png", "not exist")]
)
def test_a_sheet_that_cannot_be_written_is_said_so_at_once(
    name: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(SheetError, match=says):
        EventSheet(tmp_path / name, ())
