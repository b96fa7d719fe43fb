from __future__ import annotations

import json
import subprocess
import sys
from datetime import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from edge_runtime.alerts.alert import Severity
from edge_runtime.config import Config, MotionConfig, load

MINIMAL = """
[device]
site = "paris-12"
name = "atm-1"
[model]
path = "detector.tflite"
[[cameras]]
name = "atm"
source = "clips/atm.mp4"
"""


def loaded(folder: Path, text: str, *, check_files: bool = False) -> Config:
    path = folder / "atm.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, check_files=check_files)


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    config = loaded(tmp_path, MINIMAL + '[[rules]]\nkind = "presence"\n')
    camera, rule = config.cameras[0], config.rules[0]
    assert (config.mqtt, config.device.state_dir, config.model.labels) == (None, None, None)
    assert (config.model.device, config.model.threads, config.model.threshold) == ("auto", 1, None)
    assert (camera.fps, camera.resolution, camera.stale_after) == (None, None, 5.0)
    assert (camera.motion, camera.zones) == (MotionConfig(), ())
    assert (rule.name, rule.classes, rule.cameras, rule.zone) == (
        "presence",
        ("person",),
        None,
        None,
    )
    assert (rule.seconds, rule.grace, rule.cooldown) == (1.0, 0.7, 0.0)
    assert (rule.severity, rule.schedule) == (Severity.MEDIUM, None)


def test_relative_paths_count_from_the_folder_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/atm.toml").write_text(
        MINIMAL.replace("[model]", 'state_dir = "state"\n[model]'), encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    config = load(Path("etc/atm.toml"), check_files=False)
    assert config.path == Path("etc/atm.toml")
    assert config.model.path == tmp_path / "etc/detector.tflite"
    assert config.device.state_dir == tmp_path / "etc/state"
    assert config.cameras[0].source.get_secret_value() == str(tmp_path / "etc/clips/atm.mp4")


@pytest.mark.parametrize(
    ("source", "resolved"),
    [
        ("/srv/clip.mp4", "/srv/clip.mp4"),
        ("file:/srv/clip.mp4", "/srv/clip.mp4"),
        ("file:///srv/a%20clip.mp4", "/srv/a clip.mp4"),
        ("file:a clip.mp4", "{folder}/a clip.mp4"),
        ("clips/10:30.mp4", "{folder}/clips/10:30.mp4"),
        ("v4l2:/dev/video0", "v4l2:/dev/video0"),
        ("v4l2:0", "v4l2:0"),
        ("RTSP://user:p@ss/w@10.0.0.7/1", "rtsp://user:p@ss/w@10.0.0.7/1"),
        ("https://10.0.0.7/video.mjpg", "https://10.0.0.7/video.mjpg"),
        ("picamera2:1", "picamera2:1"),
        ("synthetic:", "synthetic:"),
        ("synthetic:?fps=5", "synthetic:?fps=5"),
    ],
)
def test_a_source_of_every_kind_is_taken(tmp_path: Path, source: str, resolved: str) -> None:
    config = loaded(tmp_path, MINIMAL.replace("clips/atm.mp4", source))
    assert config.cameras[0].source.get_secret_value() == resolved.format(folder=tmp_path)


def test_the_port_follows_tls_unless_it_is_given(tmp_path: Path) -> None:
    mqtt = MINIMAL + '[mqtt]\nhost = "broker"\n'
    ports = [
        config.mqtt.port
        for text in (mqtt, mqtt + "[mqtt.tls]\n", mqtt + "port = 1884\n[mqtt.tls]\n")
        if (config := loaded(tmp_path, text)).mqtt
    ]
    assert ports == [1883, 8883, 1884]


def test_a_schedule_may_cross_midnight(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        MINIMAL + '[[rules]]\nkind = "presence"\n[rules.schedule]\nfrom = "22:00"\nto = "06:00"\n'
        'days = ["sat", "sun"]\ntime_zone = "Europe/Paris"\n',
    )
    schedule = config.rules[0].schedule
    assert schedule is not None
    assert (schedule.start, schedule.end) == (time(22), time(6))
    assert (schedule.days, schedule.time_zone) == (("sat", "sun"), "Europe/Paris")


def test_a_camera_has_the_rules_that_name_it_and_those_that_name_none(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        MINIMAL + '[[cameras]]\nname = "lobby"\nsource = "synthetic:"\n'
        '[[rules]]\nkind = "presence"\nname = "everywhere"\n'
        '[[rules]]\nkind = "presence"\nname = "here"\ncameras = ["lobby"]\n',
    )
    assert [rule.name for rule in config.rules_for("atm")] == ["everywhere"]
    assert [rule.name for rule in config.rules_for("lobby")] == ["everywhere", "here"]


def test_a_reload_can_tell_which_cameras_have_changed(tmp_path: Path) -> None:
    two = MINIMAL + 'fps = 5\n[[cameras]]\nname = "lobby"\nsource = "rtsp://u:one@10.0.0.7/1"\n'
    before = loaded(tmp_path, two)
    same = loaded(tmp_path, "# a comment\n" + two)
    after = loaded(tmp_path, two.replace("u:one@", "u:two@"))
    assert same == before
    assert after != before
    assert set(before.cameras) - set(after.cameras) == {before.cameras[1]}


def test_a_configuration_cannot_be_changed(tmp_path: Path) -> None:
    config = loaded(tmp_path, MINIMAL)
    with pytest.raises(ValidationError, match="frozen"):
        config.device.site = "elsewhere"


def test_files_that_are_there_are_taken(tmp_path: Path) -> None:
    (tmp_path / "detector.tflite").write_bytes(b"a model")
    (tmp_path / "labels.txt").write_text("0 person\n1 bicycle\n", encoding="utf-8")
    (tmp_path / "secret").write_text("  pass word\n", encoding="utf-8")
    text = MINIMAL.replace(
        'path = "detector.tflite"', 'path = "detector.tflite"\nlabels = "labels.txt"'
    )
    text += '[mqtt]\nhost = "broker"\nusername = "atm-1"\npassword_file = "secret"\n'
    text += '[[rules]]\nkind = "presence"\nclasses = ["bicycle"]\n'
    config = loaded(tmp_path, text, check_files=True)
    assert config.mqtt is not None
    assert config.mqtt.password is not None
    assert config.mqtt.password.get_secret_value() == "pass word"


def test_the_labels_of_the_real_detector_are_understood(tmp_path: Path, data_dir: Path) -> None:
    text = MINIMAL.replace(
        "detector.tflite", str(data_dir / "models/ssd_mobilenet_v1_coco_quant_300.tflite")
    ).replace("[[cameras]]", f"labels = {json.dumps(str(data_dir))}\n[[cameras]]", 1)
    text = text.replace(str(data_dir) + '"\n', str(data_dir / "labels/coco_labels.txt") + '"\n')
    text += '[[rules]]\nkind = "presence"\nclasses = ["traffic light"]\n'
    assert loaded(tmp_path, text, check_files=True).rules[0].classes == ("traffic light",)


def test_importing_the_configuration_brings_neither_numpy_nor_opencv() -> None:
    heavy = "{'numpy', 'cv2', 'ai_edge_litert', 'paho'} & set(sys.modules)"
    script = f"import sys, edge_runtime.config; print({heavy})"
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert printed.stdout.strip() == b"set()"
