"""What is hostile; `python -m tests.faults.hostile --count 10000` is the whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.hostile import at_the_centre, at_the_daemon


@pytest.mark.timeout(180)
def test_the_centre_takes_nothing_hostile_and_goes_on(tmp_path: Path) -> None:
    outcome = at_the_centre(tmp_path, 1000, seed=3)
    assert outcome.faults == ()


@pytest.mark.timeout(180)
def test_the_daemon_does_nothing_hostile_and_goes_on(tmp_path: Path) -> None:
    outcome = at_the_daemon(tmp_path, 1000, seed=3)
    assert outcome.faults == ()
