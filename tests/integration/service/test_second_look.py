"""The second look in the real daemon, and in `replay`."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from tests.broker import wait_for
from tests.daemon import DEVICE, SITE, Daemon, camera, edge_runtime
from tests.heads import FPS, heads, lobby_with_somebody, with_head

MODEL = '[model]\nname = "person"\n'
RULE = '[[rules]]\nkind = "covered-face"\nname = "hidden"\nseconds = 1.5\n'


@pytest.fixture(scope="module")
def films(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of pictures: somebody with a covered head, and with an uncovered one."""
    found = {}
    lobby = lobby_with_somebody()
    for kind in ("covered", "uncovered"):
        found[kind] = tmp_path_factory.mktemp(kind)
        (head,) = heads(data_dir, kind, 1)
        for number, picture in enumerate(lobby):
            cv2.imwrite(str(found[kind] / f"{number}.png"), with_head(picture, head))
    return found


def test_replay_tells_a_covered_face_and_no_uncovered_one(
    films: dict[str, Path], tmp_path: Path
) -> None:
    config = tmp_path / "atm.toml"
    device = f'[device]\nsite = "{SITE}"\nname = "{DEVICE}"\n'
    source = camera("atm", "scene:atm", f"fps = {FPS}")
    config.write_text("\n".join([device, MODEL, source, RULE]))
    told = {}
    for kind, folder in films.items():
        done = edge_runtime("replay", folder, "--config", config, "--json")
        assert done.returncode == 0, done.stderr
        told[kind] = [json.loads(line)["data"] for line in done.stdout.splitlines()]
    started, ended = told["covered"]
    assert (started["rule"], started["state"], ended["state"]) == (
        "covered-face",
        "started",
        "ended",
    )
    assert started["score"] > 0.7
    assert told["uncovered"] == []


def test_the_daemon_tells_it_at_the_cameras_own_pace(
    films: dict[str, Path], tmp_path: Path
) -> None:
    source = camera("atm", films["covered"], f"fps = {FPS}")
    with Daemon(tmp_path, [MODEL, source, RULE]) as daemon:
        daemon.wait_for_log("hidden started")
        assert daemon.camera("atm")["dropped"] == 0
        wait_for(lambda: "hidden ended" in daemon.log, "the end")
        assert daemon.stop()[0] == 0
    assert (daemon.state / "models" / "covered-face").is_dir()
