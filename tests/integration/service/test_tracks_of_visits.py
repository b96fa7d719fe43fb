"""On the real clip each of the six visits is one track."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.alerts.alert import Origin
from edge_runtime.config import CameraConfig, HeadsConfig, MotionConfig, PresenceConfig
from edge_runtime.frame import Frame
from edge_runtime.service.pipeline import Analysed
from edge_runtime.service.replay import Replay, replay
from edge_runtime.tracks import TrackState
from tests.scenes import recorded
from tests.segments import FPS, VISITS


@pytest.mark.parametrize(
    ("model", "gate"), [("ssd", True), ("person", False)], ids=["ssd-gate", "person"]
)
def test_each_visit_is_one_track(data_dir: Path, model: str, gate: bool) -> None:
    seen: list[set[int]] = [set() for _ in VISITS]
    elsewhere: set[int] = set()

    def see(frame: Frame, analysed: Analysed) -> None:
        ids = {track.id for track in analysed.tracks if track.state is TrackState.CONFIRMED}
        number = round(frame.timestamp * FPS)
        near = (at for at, (a, b) in enumerate(VISITS) if a - 10 <= number <= b + 10)
        visit = next(near, None)
        (elsewhere if visit is None else seen[visit]).update(ids)

    what = Replay(
        camera=CameraConfig.model_validate(
            {
                "name": "hall",
                "source": str(data_dir / recorded.CLIP),
                "motion": MotionConfig(enabled=gate),
            }
        ),
        rules=(PresenceConfig(kind="presence"),),
        model=recorded.model(model, data_dir),
        heads=HeadsConfig(),
        origin=Origin("paris-12", "atm-1"),
        start=0.0,
    )
    replay(what, lambda _: None, None, progress=False, see=see)
    assert [len(ids) for ids in seen] == [1] * len(VISITS)
    assert len(set.union(*seen)) == len(VISITS)
    assert elsewhere == set()
