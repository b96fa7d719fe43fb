from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_runtime.config import load
from tests.unit.config.conftest import Complain

SECRET = "t0p-s3cret"
TEXT = f"""\
[device]
site = "paris-12"
name = "atm-1"
[model]
path = "detector.tflite"
[mqtt]
host = "broker"
username = "atm-1"
password = "{SECRET}"
[[cameras]]
name = "atm"
source = "rtsp://admin:{SECRET}@10.0.0.7/1?token={SECRET}"
"""


def test_a_password_shows_in_no_form_of_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "atm.toml"
    path.write_text(TEXT, encoding="utf-8")
    config = load(path, check_files=False)
    forms = [repr(config), str(config), config.model_dump_json(), str(config.model_dump())]
    forms += [f"{config.mqtt}", f"{config.cameras[0].source}", f"{config.cameras}"]
    assert not [form for form in forms if SECRET in form]
    assert json.loads(config.model_dump_json())["cameras"][0]["source"] == (
        "rtsp://***@10.0.0.7/1?token=***"
    )
    assert config.mqtt is not None
    assert config.mqtt.password is not None
    assert config.mqtt.password.get_secret_value() == SECRET
    assert config.cameras[0].source.get_secret_value().count(SECRET) == 2


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("rtsp://", "rtps://"),
        ("rtsp://", "rtsp:///"),
        ('source = "rtsp', 'sourc = "rtsp'),
        ('source = "', 'source = ["'),
        ("?token", "\\u0000?token"),
        ("[[cameras]]", "[camera]"),
        ("[[cameras]]", "[[mqtt.tls]]"),
        ('host = "broker"', f'host = "mqtt://atm-1:{SECRET}@broker"'),
        ('username = "atm-1"', 'password_file = "x"'),
        ('username = "atm-1"\n', ""),
        ('password = "', 'passwort = "'),
        ('password = "', 'password = ["'),
        ('password = "', 'password.is = "'),
        ('password = "', 'password = "\\q'),
        ("[mqtt]", "[[mqtt]]"),
        ('name = "atm-1"', f'name = "http://a:{SECRET}@b"'),
    ],
)
def test_a_password_shows_in_no_error(good: str, bad: str, complain: Complain) -> None:
    text = TEXT.replace(good, bad, 1)
    if '= ["' in bad:
        text = "\n".join(f"{line}]" if '= ["' in line else line for line in text.splitlines())
    said = "\n".join(complain(text))
    assert said
    assert SECRET not in said
