"""What a person sees who wrote something wrong."""

# ruff: noqa: E501 (the sentences stand here as they are printed, one a line)

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.config import ConfigError, load
from tests.unit.config.conftest import Complain

GOOD = """\
[device]
site = "paris-12"
name = "atm-1"
[model]
path = "detector.tflite"
[mqtt]
host = "broker"
[[cameras]]
name = "atm"
source = "synthetic:"
fps = 5
resolution = [640, 480]
[cameras.motion]
level = 12
[[cameras.zones]]
name = "floor"
polygon = [[0, 0], [1, 0], [1, 1]]
[[cameras]]
name = "lobby"
source = "v4l2:0"
[[rules]]
kind = "presence"
cameras = ["atm"]
zone = "floor"
[rules.schedule]
from = "22:00"
"""

CASES = [
    # what stands there, what is written instead, what is said
    ("fps = 5", 'fps = "ten"', "11: cameras[0].fps: 'ten' is text; a number above 0 is asked for, e.g. fps = 5"),
    ("fps = 5", "fps = 0", "11: cameras[0].fps: 0 is too small; a number above 0 is asked for, e.g. fps = 5"),
    ("fps = 5", "fps = true", "11: cameras[0].fps: true is a boolean; a number above 0 is asked for, e.g. fps = 5"),
    ("fps = 5", "fps = inf", "11: cameras[0].fps: inf is not a finite number; a number above 0 is asked for, e.g. fps = 5"),
    ("fps = 5", "fps = nan", "11: cameras[0].fps: nan is not a finite number; a number above 0 is asked for, e.g. fps = 5"),
    ("fps = 5", "fps = 22:00:00", "11: cameras[0].fps: 22:00:00 is a date or time; a number above 0 is asked for, e.g. fps = 5"),
    ("fps = 5", "fsp = 5", "11: cameras[0].fsp: is no key of [[cameras]]; did you mean 'fps'?"),
    ("level = 12", "fps = 12", "14: cameras[0].motion.fps: is no key of [cameras.motion]; known: 'area', 'enabled', 'hold', 'level', 'longest_rest' (a key of [[cameras]] stands before [cameras.motion])"),
    ("level = 12", "level = 256", "14: cameras[0].motion.level: 256 is too large; a whole number from 1 to 255 is asked for, e.g. level = 12"),
    ("level = 12", "level = 1.5", "14: cameras[0].motion.level: 1.5 is a number with a fraction; a whole number from 1 to 255 is asked for, e.g. level = 12"),
    ("level = 12", "enabled = 1", "14: cameras[0].motion.enabled: 1 is a whole number; true or false is asked for"),
    ("level = 12", "area = 0.0", "14: cameras[0].motion.area: 0.0 is too small; a number above 0 and of at most 1 is asked for, e.g. area = 0.002"),
    ('site = "paris-12"\n', "", "1: device.site: is missing; text is asked for, e.g. site = \"paris-12\""),
    ('site = "paris-12"', 'site = "paris/12"', "2: device.site: 'paris/12' is not possible here; a name of 1 to 64 characters without spaces, '/', '+' and '#' (MQTT) is asked for"),
    ('site = "paris-12"', 'site = ""', "2: device.site: '' is not possible here; a name of 1 to 64 characters without spaces, '/', '+' and '#' (MQTT) is asked for"),
    ('site = "paris-12"', r'site = "paris\u0000"', r"2: device.site: 'paris\x00' is not possible here; a name of 1 to 64 characters without spaces, '/', '+' and '#' (MQTT) is asked for"),
    ('[device]\nsite = "paris-12"\nname = "atm-1"', "device = 5", "1: device: 5 is a whole number; a table is asked for, e.g. [device]"),
    ('[device]\nsite = "paris-12"\nname = "atm-1"\n', "", "1: device: is missing; a table is asked for, e.g. [device]"),
    ("[device]", 'colour = "red"\n[device]', "1: colour: is no key of the file's top level; known: 'cameras', 'commands', 'device', 'heads', 'model', 'mqtt', 'outbox', 'rules', 'snapshots'"),
    ("[mqtt]", 'devise = "cpu"\n[mqtt]', "6: model.devise: is no key of [model]; did you mean 'device'?"),
    ("[mqtt]", 'device = "tpu:x"\n[mqtt]', "6: model.device: 'tpu:x' is not possible here; 'auto', 'cpu', 'tpu' or, for the first of several, 'tpu:0' is asked for"),
    ("[mqtt]", 'output = "sdd"\n[mqtt]', "6: model.output: 'sdd' is not known (did you mean 'ssd'?); one of 'auto', 'ssd', 'classifier', 'yolo', 'blazeface' is asked for"),
    ('path = "detector.tflite"', "", "4: model: names no model; one of path, bundle and name is asked for, e.g. path = \"models/detector.tflite\""),
    ('path = "detector.tflite"', 'path = "a"\nbundle = "b"\nname = "c"', "6: model.bundle: there is a path, too; only one of path, bundle and name is asked for"),
    ('path = "detector.tflite"', 'bundle = "b"\ncolour = "bgr"', "6: model.colour: is said by the bundle, which is signed; leave it out"),
    ('path = "detector.tflite"', 'name = "person"\nlabels = "l.txt"', "6: model.labels: is said by the bundle, which is signed; leave it out"),
    ('path = "detector.tflite"', 'path = "a"\ntrusted_keys = "keys"', "6: model.trusted_keys: is for a bundle, and there is none; leave it out"),
    ("[model]", "production = true\n[model]", "6: model.path: is a file that nobody signed; a device in production (device.production) takes a bundle and trusted_keys only"),
    ('[model]\npath = "detector.tflite"', 'production = true\n[model]\nbundle = "b"', '5: model.trusted_keys: is missing; a device in production (device.production) takes only what your keys signed, e.g. trusted_keys = "keys"'),
    ("[model]\npath", "production = 1\n[model]\npath", "4: device.production: 1 is a whole number; true or false is asked for"),
    ("[mqtt]", "range = [1, -1]\n[mqtt]", "6: model.range: [1.0, -1.0] is no range; the lower number is asked for first"),
    ("[mqtt]", 'range = [0, "x"]\n[mqtt]', "6: model.range[1]: 'x' is text; a number is asked for, e.g. range = [-1, 1]"),
    ("[mqtt]", "thresholds.person = 1\n[mqtt]", "6: model.thresholds.person: 1 is too large; a number above 0 and below 1 is asked for"),
    ("[mqtt]", 'thresholds."traffic light" = "x"\n[mqtt]', "6: model.thresholds.\"traffic light\": 'x' is text; a number above 0 and below 1 is asked for"),
    ("[mqtt]", "thresholds = 0.5\n[mqtt]", "6: model.thresholds: 0.5 is a number with a fraction; a table is asked for, e.g. [model.thresholds]"),
    ('path = "detector.tflite"', r'path = "a\nb"', r"5: model.path: 'a\nb' holds a character that cannot be printed; a path without one is asked for"),
    ('host = "broker"', 'host = "mqtts://me:secret@broker"', "7: mqtt.host: 'mqtts://***@broker' is a URL; the host alone is asked for, e.g. host = \"10.0.0.2\", and the port in a key of its own"),
    ('host = "broker"', 'host = ""', "7: mqtt.host: '' is too short; text that is not empty is asked for, e.g. host = \"mqtt.example.com\""),
    ('host = "broker"', 'host = "broker"\nhome_assistant = "ha/#"', "8: mqtt.home_assistant: topics cannot begin with 'ha/#'; words without +, # and spaces, with / between them, are asked for"),
    ('host = "broker"', 'host = "my broker"', "7: mqtt.host: 'my broker' is no host; a host name or an IP address is asked for"),
    ('host = "broker"', 'host = "broker"\nport = 70000', "8: mqtt.port: 70000 is too large; a whole number from 1 to 65535 is asked for, e.g. port = 8883"),
    ('host = "broker"', 'host = "broker"\nusername = "a"\npassword = "b"\npassword_file = "c"', "9: mqtt.password: there is a password_file, too; only one of the two is asked for"),
    ('host = "broker"', 'host = "broker"\npassword = "b"', "8: mqtt.password: there is a password without a user name; username is asked for, too"),
    ('host = "broker"', 'host = "broker"\npassword = 1234', "8: mqtt.password: the value is a whole number; text that is not empty is asked for"),
    ('host = "broker"', 'host = "broker"\ntls = true', "8: mqtt.tls: true is a boolean; a table is asked for, e.g. [mqtt.tls]"),
    ('host = "broker"', 'host = "broker"\n[mqtt.tls]\ncertificate = "a.pem"', "8: mqtt.tls.key: there is a certificate without a key; both or neither are needed"),
    ('host = "broker"', 'host = "broker"\n[mqtt.tls]\nkey = "a.key"', "9: mqtt.tls.key: there is a key without a certificate; both or neither are needed"),
    ('name = "lobby"', 'name = "atm"', "19: cameras[1].name: 'atm' is the name of cameras[0] already; a name of its own is asked for, for each camera"),
    ('source = "v4l2:0"', 'source = "rtps://admin:secret@10.0.0.7/1"', "20: cameras[1].source: 'rtps://***@10.0.0.7/1' begins with no known kind of source; did you mean 'rtsps'? (the path of a clip, or one of file:, v4l2:, rtsp:, rtsps:, http:, https:, picamera2:, synthetic:, scene: is asked for)"),
    ('source = "v4l2:0"', 'source = "foo:bar"', "20: cameras[1].source: 'foo:bar' begins with no known kind of source; known: 'file', 'http', 'https', 'picamera2', 'rtsp', 'rtsps', 'scene', 'synthetic', 'v4l2' (the path of a clip, or one of file:, v4l2:, rtsp:, rtsps:, http:, https:, picamera2:, synthetic:, scene: is asked for)"),
    ('source = "v4l2:0"', 'source = "rtsp:10.0.0.7"', "20: cameras[1].source: 'rtsp:10.0.0.7' is not a whole source; rtsp://user:password@10.0.0.7/stream is how one is written"),
    ('source = "v4l2:0"', 'source = "picamera2:"', "20: cameras[1].source: 'picamera2:' is not a whole source; picamera2:0 is how one is written"),
    ('source = "v4l2:0"', 'source = ""', "20: cameras[1].source: '' is not a whole source; file:clips/lobby.mp4 is how one is written"),
    ('source = "v4l2:0"', "source = 0", "20: cameras[1].source: 0 is a whole number; text that is not empty is asked for, e.g. source = \"rtsp://user:password@10.0.0.7/1\""),
    ("resolution = [640, 480]", "resolution = [640]", "12: cameras[0].resolution: [640] has 1 entry; a list of 2 entries (each a whole number from 1 to 16384) is asked for, e.g. resolution = [1280, 720]"),
    ("resolution = [640, 480]", "resolution = [640, 480, 3]", "12: cameras[0].resolution: [640, 480, 3] has 3 entries; a list of 2 entries (each a whole number from 1 to 16384) is asked for, e.g. resolution = [1280, 720]"),
    ("resolution = [640, 480]", "resolution = [\n640,\n0]", "14: cameras[0].resolution[1]: 0 is too small; a whole number from 1 to 16384 is asked for, e.g. resolution = [1280, 720]"),
    ("[1, 1]]", "[640, 480]]", "17: cameras[0].zones[0].polygon: the zone lies outside the picture with [640, 480]; fractions of the picture's width and height from 0 to 1 are asked for: of 640 x 480 pixels, that point is [1, 1]"),
    ("[1, 1]]", "[320, 120]]", "17: cameras[0].zones[0].polygon: the zone lies outside the picture with [320, 120]; fractions of the picture's width and height from 0 to 1 are asked for: of 640 x 480 pixels, that point is [0.5, 0.25]"),
    ("[1, 1]]", "[1, 1.2]]", "17: cameras[0].zones[0].polygon: the zone lies outside the picture with [1, 1.2]; fractions of the picture's width and height from 0 to 1 are asked for"),
    ("[mqtt]", "[commands]\nallow = [\"status\", \"snapshot\"]\n[mqtt]", "7: commands.allow[1]: 'snapshot' asks for pictures, and none are made; the table [snapshots] is asked for, too"),
    ("[[rules]]", "[[cameras.masks]]\npolygon = [[0, 0], [2, 0], [1, 1]]\n[[rules]]", "22: cameras[1].masks[0].polygon: the mask lies outside the picture with [2, 0]; fractions of the picture's width and height from 0 to 1 are asked for: divide pixels by the width and by the height"),
    ("[1, 1]]", "[1000, 800]]", "17: cameras[0].zones[0].polygon: the zone lies outside the picture with [1000, 800]; fractions of the picture's width and height from 0 to 1 are asked for: divide pixels by the width and by the height"),
    ("[1, 1]]", "]", "17: cameras[0].zones[0].polygon: [[0, 0], [1, 0]] has 2 entries; a list of 3 or more entries (each a list of 2 entries (each a number)) is asked for, e.g. polygon = [[0.1, 0.2], [0.9, 0.2], [0.9, 1.0], [0.1, 1.0]]"),
    ("[1, 1]]", '"x"]', "17: cameras[0].zones[0].polygon[2]: 'x' is text; a list of 2 entries (each a number) is asked for, e.g. polygon = [[0.1, 0.2], [0.9, 0.2], [0.9, 1.0], [0.1, 1.0]]"),
    ("[1, 1]]", "[0.5, 0]]", "17: cameras[0].zones[0].polygon: the zone encloses no area; corners that do not lie on one line are asked for"),
    ("[1, 1]]", "[0, 1], [1, 1]]", "17: cameras[0].zones[0].polygon: the zone crosses itself: the edge from [1, 0] to [0, 1] meets that from [1, 1] to [0, 0]; the corners are asked for in the order in which they follow each other around it"),
    ("[1, 1]]", "[1, 1], [0, 0]]", "17: cameras[0].zones[0].polygon: the zone has the point [0, 0] twice in a row; each corner is asked for once"),
    ("[[rules]]", '[[cameras.zones]]\nname = "a"\npolygon = [[0, 0], [1, 0], [1, 1]]\n' * 2 + "[[rules]]", "25: cameras[1].zones[1].name: 'a' is the name of cameras[1].zones[0] already; a name of its own is asked for, for each zone"),
    ('kind = "presence"', 'kind = "presense"', "22: rules[0].kind: 'presense' is not known (did you mean 'presence'?); one of 'covered-face', 'crowd', 'intrusion', 'line-crossing', 'loitering', 'object-left', 'object-removed', 'person-down', 'presence', 'queue', 'second-person', 'tailgating', 'wrong-way' is asked for, e.g. kind = \"covered-face\""),
    ('kind = "presence"', "kind = 5", "22: rules[0].kind: 5 is a whole number; one of 'covered-face', 'crowd', 'intrusion', 'line-crossing', 'loitering', 'object-left', 'object-removed', 'person-down', 'presence', 'queue', 'second-person', 'tailgating', 'wrong-way' is asked for, e.g. kind = \"covered-face\""),
    ('kind = "presence"\n', "", "21: rules[0].kind: is missing; one of 'covered-face', 'crowd', 'intrusion', 'line-crossing', 'loitering', 'object-left', 'object-removed', 'person-down', 'presence', 'queue', 'second-person', 'tailgating', 'wrong-way' is asked for, e.g. kind = \"covered-face\""),
    ('kind = "presence"', 'kind = "wrong-way"', "21: rules[0].line: is missing; text is asked for, e.g. line = \"door\""),
    ('kind = "presence"', 'kind = "wrong-way"\nline = "dor"', "23: rules[0].line: 'dor' is no line of camera 'atm'; there is none"),
    ('kind = "presence"', 'kind = "crowd"\ncount = 0', "23: rules[0].count: 0 is too small; a whole number of at least 1 is asked for, e.g. count = 5"),
    ('kind = "presence"', 'kind = "presence"\ncount = 2', "23: rules[0].count: is no key of [[rules]]; known: 'cameras', 'classes', 'cooldown', 'grace', 'kind', 'name', 'place', 'schedule', 'seconds', 'severity', 'zone'"),
    ('kind = "presence"', 'kind = "presence"\nplace = "head"', "23: rules[0].place: 'head' is not known; one of 'feet', 'body' is asked for"),
    ("[[rules]]", '[[cameras.lines]]\nname = "a"\npoints = [[0, 0.5], [0, 0.5]]\n[[rules]]', "23: cameras[1].lines[0].points: the line has the point [0.0, 0.5] twice; two are asked for"),
    ("[[rules]]", '[[cameras.lines]]\nname = "a"\npoints = [[0, 0.5], [2, 0.5]]\n[[rules]]', "23: cameras[1].lines[0].points: the line lies outside the picture with [2, 0.5]; fractions of the picture's width and height from 0 to 1 are asked for: divide pixels by the width and by the height"),
    ("[[rules]]", '[[cameras.lines]]\nname = "a"\npoints = [[0, 0.5]]\n[[rules]]', "23: cameras[1].lines[0].points: [[0, 0.5]] has 1 entry; a list of 2 entries (each a list of 2 entries (each a number)) is asked for, e.g. points = [[0.2, 0.6], [0.8, 0.6]]"),
    ('cameras = ["atm"]', 'cameras = ["atn"]', "23: rules[0].cameras[0]: 'atn' is no camera; did you mean 'atm'?"),
    ('cameras = ["atm"]', "cameras = []", "23: rules[0].cameras: [] has 0 entries; a list of 1 or more entries (each text) is asked for, e.g. cameras = [\"atm\"]"),
    ('cameras = ["atm"]\n', "", "23: rules[0].zone: 'floor' is no zone of camera 'lobby'; draw it there, too, or list the cameras that have it under cameras"),
    ('zone = "floor"', 'zone = "flour"', "24: rules[0].zone: 'flour' is no zone of camera 'atm'; did you mean 'floor'?"),
    ('zone = "floor"', 'classes = ["person", 5]', "24: rules[0].classes[1]: 5 is a whole number; text that is not empty is asked for, e.g. classes = [\"person\"]"),
    ('zone = "floor"', "secnds = 1", "24: rules[0].secnds: is no key of [[rules]]; did you mean 'seconds'?"),
    ('zone = "floor"', "seconds = -1", "24: rules[0].seconds: -1 is too small; a number of at least 0 is asked for, e.g. seconds = 1.0"),
    ('zone = "floor"', 'severity = "urgent"', "24: rules[0].severity: 'urgent' is not known; one of 'info', 'low', 'medium', 'high', 'critical' is asked for"),
    ("[[rules]]", '[[rules]]\nkind = "presence"\n[[rules]]', "23: rules[1].name: 'presence' is the name of rules[0] already; a name of its own is asked for, for each rule"),
    ('from = "22:00"', 'from = "24:00"', "26: rules[0].schedule.from: '24:00' is no time of day; hours and minutes from '00:00' to '23:59' are asked for"),
    ('from = "22:00"', "from = 22:00:00", '26: rules[0].schedule.from: 22:00:00 has no quotes; text is asked for, e.g. "22:00"'),
    ('from = "22:00"', "from = 22", '26: rules[0].schedule.from: 22 is a whole number; text is asked for, e.g. from = "22:00"'),
    ('from = "22:00"', 'start = "22:00"', "26: rules[0].schedule.start: is no key of [rules.schedule]; known: 'days', 'from', 'outside', 'time_zone', 'to'"),
    ('from = "22:00"', 'days = ["monday"]', "26: rules[0].schedule.days[0]: 'monday' is not known (did you mean 'mon'?); one of 'mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun' is asked for, e.g. days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"]"),
    ('from = "22:00"', 'time_zone = "Europe/Pari"', "26: rules[0].schedule.time_zone: 'Europe/Pari' is no time zone; did you mean 'Europe/Paris'? (a name of the IANA time zone database is asked for, e.g. \"Europe/Paris\")"),
    ("[rules.schedule]", 'schedule = "night"\n[model.thresholds]', "25: rules[0].schedule: 'night' is text; a table is asked for, e.g. [rules.schedule]"),
]  # fmt: skip


@pytest.mark.parametrize(("good", "bad", "said"), CASES, ids=[case[2][:60] for case in CASES])
def test_a_mistake_is_told_in_one_sentence(
    good: str, bad: str, said: str, complain: Complain
) -> None:
    assert GOOD.count(good) >= 1
    assert f"atm.toml:{said}" in complain(GOOD.replace(good, bad, 1))


@pytest.mark.parametrize("name", ["../etc/passwd", "/etc/passwd", "Europe", "", "UTC\0", "é"])
def test_a_time_zone_that_is_a_way_to_somewhere_else_is_none(name: str, complain: Complain) -> None:
    said = complain(GOOD + f"time_zone = {name!a}\n".replace("'", '"').replace("\\x", "\\u00"))
    assert len(said) == 1
    assert "is no time zone" in said[0]


def test_the_configuration_that_the_mistakes_are_put_into_is_good(tmp_path: Path) -> None:
    path = tmp_path / "atm.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert load(path, check_files=False).device.name == "atm-1"


def test_everything_is_told_at_once_and_in_the_order_of_the_file(complain: Complain) -> None:
    bad = GOOD
    for good, mistake in {
        'path = "detector.tflite"': 'pth = "detector.tflite"',
        "fps = 5": 'fps = "ten"',
        "[1, 1]]": "[1, 2]]",
        'name = "lobby"': 'name = "atm"',
        'zone = "floor"': 'zone = "door"',
        'from = "22:00"': 'from = "10pm"',
    }.items():
        bad = bad.replace(good, mistake)
    places = [line.split(": ")[:2] for line in complain(bad)]
    assert places == [
        ["atm.toml:4", "model"],
        ["atm.toml:5", "model.pth"],
        ["atm.toml:11", "cameras[0].fps"],
        ["atm.toml:17", "cameras[0].zones[0].polygon"],
        ["atm.toml:19", "cameras[1].name"],
        ["atm.toml:24", "rules[0].zone"],
        ["atm.toml:26", "rules[0].schedule.from"],
    ]


def test_an_empty_file_lacks_what_every_device_needs(complain: Complain) -> None:
    assert complain("") == [
        "atm.toml:1: device: is missing; a table is asked for, e.g. [device]",
        "atm.toml:1: model: is missing; a table is asked for, e.g. [model]",
        "atm.toml:1: cameras: is missing; a list of tables is asked for, e.g. [[cameras]]",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[device]\nsite = paris', '2: column 8: no value; text stands in quotes, e.g. site = "paris-12"'),
        ("a = 1 2\n", "1: column 7: more follows the value; one key stands on a line, and text in quotes"),
        ("from = 22:00\n", "1: column 10: more follows the value; one key stands on a line, and text in quotes"),
        ("[device]\n[device]\n", "2: column 8: this key or table stands here a second time; only [[tables in two brackets]] may repeat"),
        ("site\n= 1", "1: column 5: Expected '=' after a key in a key/value pair"),
        ("= 1", '1: column 1: no key; a line such as site = "paris-12" or [device] is asked for'),
        ("x = 1\na = [1,\n", "2: the file ends too early; a value, a closing quote or a closing bracket is missing"),
        ("a = 1\na = 2", "2: this key or table stands here a second time; only [[tables in two brackets]] may repeat"),
        ("\ufeff[device]", "1: the file begins with a byte order mark; save it as UTF-8 without one"),
        (b"a = 1\nsite = \"Gen\xe8ve\"", "2: byte 0xe8 is not UTF-8; save the file as UTF-8"),
        ("a = " + "[" * 5000, " lists stand in lists too deeply to be read; no key needs more than three levels"),
        ("a = " + "1" * 5000, " a number has thousands of digits; no key needs more than five"),
        ("a = 1" + "0" * 400, "1: a: is no key of the file's top level; known: 'cameras', 'commands', 'device', 'heads', 'model', 'mqtt', 'outbox', 'rules', 'snapshots'"),
    ],
)  # fmt: skip
def test_what_is_not_toml_is_told_with_line_and_column(
    text: str | bytes, said: str, complain: Complain
) -> None:
    assert f"atm.toml:{said}" in complain(text)


def test_a_number_too_large_for_any_machine_is_a_mistake_like_others(complain: Complain) -> None:
    for key in ("fps", "stale_after"):
        assert len(complain(GOOD.replace("fps = 5", f"{key} = 1{'0' * 400}"))) == 1


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for path, said in {
        tmp_path / "no.toml": "there is no such file; the path of a configuration is asked for",
        tmp_path: "this is a folder; the path of a configuration in it is asked for",
        tmp_path / ("x" * 300): "cannot be read (File name too long); a file that this user can "
        "read is asked for",
    }.items():
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert str(caught.value) == f"{path}: {said}"


def test_files_that_it_names_are_looked_at(complain: Complain, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    bad = GOOD.replace(
        '"detector.tflite"', '"folder"\nlabels = "empty"\nedgetpu_path = "no.tflite"'
    )
    mqtt = 'host = "broker"\nusername = "a"\npassword_file = '
    assert complain(bad.replace('host = "broker"', mqtt + '"empty"'), check_files=True) == [
        f"atm.toml:5: model.path: {tmp_path}/folder is not a file; the path of a file is asked for",
        f"atm.toml:6: model.labels: the labels file {tmp_path}/empty is empty: one label a line is "
        "needed",
        f"atm.toml:7: model.edgetpu_path: there is no file {tmp_path}/no.tflite; put it there, or "
        "correct the path (it counts from the configuration's folder)",
        f"atm.toml:11: mqtt.password_file: {tmp_path}/empty is empty; one line with the password "
        "is asked for",
    ]
    said = complain(bad.replace('host = "broker"', mqtt + '"binary"'), check_files=True)
    assert (
        f"atm.toml:11: mqtt.password_file: {tmp_path}/binary is not UTF-8 text; one line with the "
        "password is asked for" in said
    )


def test_a_class_that_the_model_does_not_know_is_told(complain: Complain, tmp_path: Path) -> None:
    (tmp_path / "detector.tflite").touch()
    (tmp_path / "labels.txt").write_text("bicycle\ndog\n", encoding="utf-8")
    bad = GOOD.replace(
        'path = "detector.tflite"',
        'path = "detector.tflite"\nlabels = "labels.txt"\nthresholds.dgo = 0.5',
    )
    assert complain(bad, check_files=True) == [
        "atm.toml:7: model.thresholds.dgo: 'dgo' is no class of the model; did you mean 'dog'?",
        "atm.toml:23: rules[0].classes[0]: 'person' is no class of the model; known: 'bicycle', "
        "'dog'",
    ]
    bad = bad.replace("dgo", "dog").replace('zone = "floor"', 'classes = ["dog", "bycicle"]')
    assert complain(bad, check_files=True) == [
        "atm.toml:26: rules[0].classes[1]: 'bycicle' is no class of the model; did you mean "
        "'bicycle'?"
    ]
