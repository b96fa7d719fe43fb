"""The map of a camera's zones: a picture that a person reads coordinates off."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.analysis.lines import Line
from edge_runtime.analysis.zones import Zone
from edge_runtime.frame import Image
from edge_runtime.service.zone_map import Shapes, ZoneMapError, draw_map, write_map

LEFT, TOP, RIGHT, BOTTOM = 44, 26, 24, 12
"""The paper around the still, in pixels."""
CONFIG = """
model = "person"
[device]
site = "paris-12"
name = "atm-1"
[[cameras]]
name = "atm"
source = "{source}"
[[cameras.zones]]
name = "counter"
polygon = [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]
[[cameras.lines]]
name = "door"
points = [[0.1, 0.9], [0.3, 0.9]]
"""


def grey(width: int = 1000, height: int = 500) -> Image:
    return np.full((height, width, 3), 128, np.uint8)


def still(drawn: Image) -> Image:
    """The part of a map that is the camera's picture."""
    return drawn[TOP:-BOTTOM, LEFT:-RIGHT]


def at(drawn: Image, x: float, y: float, reach: int = 4) -> set[tuple[int, ...]]:
    """The colours of the pixels around the place that a person finds at x, y of the grid."""
    part = still(drawn)
    row, column = round(y * (part.shape[0] - 1)), round(x * (part.shape[1] - 1))
    near = part[max(row - reach, 0) : row + reach, max(column - reach, 0) : column + reach]
    return {tuple(pixel) for pixel in near.reshape(-1, 3).tolist()}


def test_the_picture_stays_as_it_was_between_the_lines_of_the_grid() -> None:
    drawn = draw_map(grey(), Shapes())
    assert still(drawn).shape == (500, 1000, 3)
    assert at(drawn, 0.15, 0.15) == {(128, 128, 128)}
    for tenth in range(1, 10):
        assert at(drawn, tenth / 10, 0.15) == at(drawn, 0.15, tenth / 10) != {(128, 128, 128)}


@pytest.mark.parametrize(("width", "seen"), [(320, 1000), (1280, 1280), (3840, 1920)])
def test_the_letters_can_be_read_whatever_the_size_of_the_picture(width: int, seen: int) -> None:
    drawn = draw_map(grey(width, width // 2), Shapes())
    assert still(drawn).shape == (seen // 2, seen, 3)


def test_a_zone_is_where_its_corners_are() -> None:
    corners = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
    drawn = draw_map(grey(), Shapes(zones=(Zone("counter", corners),)))
    plain = draw_map(grey(), Shapes())
    blue = (220, 170, 40)
    for x, y in corners:
        assert blue in at(drawn, x, y)
    assert (128, 128, 128) not in at(drawn, 0.35, 0.35)  # tinted
    assert at(drawn, 0.15, 0.55) == at(plain, 0.15, 0.55)


def test_the_arrow_of_a_line_points_to_where_in_is() -> None:
    line = Line("door", (0.3, 0.52), (0.7, 0.52))  # who looks along it has the lower half at right
    assert line.side((0.5, 0.6)) > 0
    drawn = draw_map(grey(), Shapes(lines=(line,)))
    red = (still(drawn)[:, 440:560] == (60, 60, 230)).all(axis=2).sum(axis=1)
    middle = round(0.52 * 499)
    assert red[middle] == 120
    assert red[middle + 20] > red[middle - 20]  # the arrow's head is wider than its tail


def test_names_at_the_edge_stay_in_the_picture() -> None:
    sliver = Zone("a-very-long-name-of-a-zone", ((0.98, 0.0), (1.0, 0.0), (1.0, 0.02)))
    drawn = draw_map(grey(), Shapes(zones=(sliver,)))
    paper = np.concatenate([drawn[:, :10].reshape(-1, 3), drawn[:, -10:].reshape(-1, 3)])
    assert (paper == 245).all()


def test_a_configuration_is_drawn_with_its_zones_and_lines(tmp_path: Path) -> None:
    config, out = tmp_path / "atm.toml", tmp_path / "zones.png"
    config.write_text(CONFIG.format(source="synthetic:?width=1000&height=500&seconds=1"))
    told = write_map(str(config), None, None, out)
    assert told.endswith("with counter, door")
    drawn = cv2.imread(str(out))
    assert (220, 170, 40) in at(np.asarray(drawn, np.uint8), 0.25, 0.25)


def test_a_clip_needs_no_configuration(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), grey())
    clip = str(tmp_path / "1.png")
    for what, source in ((clip, None), (None, clip)):
        told = write_map(what, None, source, tmp_path / "zones.jpg")
        assert told == f"{tmp_path}/zones.jpg: {clip} with the grid alone"


def test_a_clip_can_stand_in_for_the_camera_and_no_model_is_needed(tmp_path: Path) -> None:
    config = tmp_path / "atm.toml"
    source = 'rtsp://camera.invalid/1"\nfps = 5 #'
    text = CONFIG.format(source=source).replace('"person"', '"not-there-at-all"')
    config.write_text(text)
    cv2.imwrite(str(tmp_path / "1.png"), grey())
    told = write_map(str(config), "atm", str(tmp_path / "1.png"), tmp_path / "zones.png")
    assert told.endswith("1.png with counter, door")


def test_the_source_of_a_map_is_told_without_its_password(tmp_path: Path) -> None:
    config = tmp_path / "atm.toml"
    config.write_text(CONFIG.format(source="rtsp://viewer:secret@127.0.0.1:1/1"))
    with pytest.raises(Exception, match="cannot connect") as caught:
        write_map(str(config), None, None, tmp_path / "zones.png")
    assert "secret" not in str(caught.value)


def test_what_cannot_be_drawn_is_told_in_a_sentence(tmp_path: Path) -> None:
    config, out = tmp_path / "atm.toml", tmp_path / "zones.png"
    one = CONFIG.format(source="synthetic:?seconds=1")
    config.write_text(one + '[[cameras]]\nname = "door"\nsource = "synthetic:"\n')
    cases: list[tuple[tuple[str | None, str | None, str | None, Path], str]] = [
        ((None, None, None, out), "there is no configuration"),
        ((None, "atm", "synthetic:", out), "there is no configuration"),
        (("1.png", "atm", None, out), "there is no configuration"),
        (("1.png", None, "synthetic:", out), "there is no configuration"),
        ((str(config), None, None, out), "has the cameras atm, door: name one with --camera"),
        ((str(config), "hall", None, out), "there is no camera 'hall' in"),
        ((str(config), "atm", None, tmp_path / "zones"), "let it end in .png or .jpg"),
        ((str(config), "atm", None, tmp_path / "zones.abc"), "let it end in .png or .jpg"),
        ((str(config), "atm", None, tmp_path / "no" / "zones.png"), "does not exist"),
    ]
    for arguments, sentence in cases:
        with pytest.raises(ZoneMapError, match=sentence):
            write_map(*arguments)
    assert not out.exists()
