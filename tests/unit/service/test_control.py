from __future__ import annotations

import socket
from pathlib import Path

import pytest

from edge_runtime.service.control import ControlError, ControlServer, NotRunningError, ask


def test_every_question_gets_a_fresh_answer(tmp_path: Path) -> None:
    answers = iter([{"n": 1}, {"n": 2, "text": "x" * 500_000}])  # the second in many packets
    server = ControlServer(tmp_path / "s", lambda: next(answers))
    assert ask(tmp_path / "s") == {"n": 1}
    assert ask(tmp_path / "s")["n"] == 2
    server.close()


def test_who_does_not_wait_for_the_answer_does_no_harm(tmp_path: Path) -> None:
    server = ControlServer(tmp_path / "s", lambda: {"text": "x" * 500_000})
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as impatient:
        impatient.connect(str(tmp_path / "s"))
    assert len(ask(tmp_path / "s")["text"]) == 500_000
    server.close()


def test_a_socket_that_a_killed_daemon_left_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(tmp_path / "s"))
    with pytest.raises(NotRunningError, match=r"no daemon answers at .*: start it with"):
        ask(tmp_path / "s")
    server = ControlServer(tmp_path / "s", dict)
    assert ask(tmp_path / "s") == {}
    server.close()
    assert not (tmp_path / "s").exists()


def test_its_socket_is_for_its_user_and_group_alone(tmp_path: Path) -> None:
    server = ControlServer(tmp_path / "s", dict)
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o660
    server.close()


def test_a_path_too_long_for_a_socket_is_told_with_the_longest_folder(tmp_path: Path) -> None:
    path = tmp_path / ("d" * 120) / "control.sock"
    path.parent.mkdir()
    with pytest.raises(ControlError) as raised:
        ControlServer(path, dict)
    assert str(raised.value) == (
        f"the control socket {path} cannot be made (AF_UNIX path too long): device.state_dir has "
        "to be a folder that this user may write to, with a path of at most 94 bytes"
    )
    with pytest.raises(NotRunningError):
        ask(path)


def test_the_longest_folder_is_long_enough(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * (94 - len(str(tmp_path)) - 1))
    folder.mkdir()
    ControlServer(folder / "control.sock", dict).close()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match=r"cannot be made \(No such file or directory\)"):
        ControlServer(tmp_path / "no" / "s", dict)


def test_where_nobody_listens_a_sentence_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotRunningError, match="no daemon answers at"):
        ask(tmp_path / "s")
