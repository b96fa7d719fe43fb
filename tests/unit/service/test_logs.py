"""The log as a process writes it; it has one standard error, so each test has its own process."""

from __future__ import annotations

import json
import subprocess
import sys

PREPARE = """
import logging, os, sys, threading
from edge_runtime.service.logs import LogFormat, configured
log = logging.getLogger("atm")
"""


def written(code: str, form: str, *, verbose: bool = False) -> list[str]:
    """The lines on standard error of `code` with the log configured."""
    indented = "\n".join(f"    {line}" for line in code.strip().splitlines())
    script = f"{PREPARE}\nwith configured(LogFormat({form!r}), verbose={verbose}):\n{indented}\n"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_a_line_for_people_has_time_level_camera_and_text() -> None:
    (line,) = written("log.warning('%s is dark', 'it', extra={'camera': 'hall'})", "text")
    time, rest = line.split(" ", 1)
    assert time.endswith("Z")
    assert rest == "WARNING [hall] it is dark"


def test_a_line_for_machines_has_them_as_fields() -> None:
    (line,) = written("log.warning('it is \"dark\"', extra={'camera': 'hall'})", "json")
    fields = json.loads(line)
    assert fields.pop("time").endswith("Z")
    assert fields == {
        "level": "warning",
        "logger": "atm",
        "message": 'it is "dark"',
        "camera": "hall",
    }


def test_only_who_asks_for_it_gets_what_developers_want() -> None:
    code = "log.debug('detail')"
    assert written(code, "text") == []
    assert len(written(code, "text", verbose=True)) == 1


def test_a_password_in_a_url_is_masked_in_both_forms() -> None:
    code = "log.error('no %s', 'rtsp://a:s3c\"ret@cam/1', extra={'camera': 'rtsp://a:s3c@cam'})"
    (text,) = written(code, "text")
    (line,) = written(code, "json")
    assert "s3c" not in text + line
    assert json.loads(line)["message"] == "no rtsp://***@cam/1"
    assert json.loads(line)["camera"] == "rtsp://***@cam"


def test_what_libraries_write_to_standard_error_becomes_json_too() -> None:
    lines = written(
        "os.write(2, b'INFO: Created a delegate.\\nERROR: no \\xff\\n')\n"
        "print('a warning of Python', file=sys.stderr)\n"
        "os.write(2, b'without an end')",
        "json",
    )
    told = [json.loads(line) for line in lines]
    assert [(each["level"], each["message"]) for each in told] == [
        ("info", "INFO: Created a delegate."),
        ("error", "ERROR: no \ufffd"),
        ("info", "a warning of Python"),
        ("info", "without an end"),
    ]
    assert {each["logger"] for each in told} == {"native"}


def test_after_the_log_standard_error_is_as_it_was() -> None:
    lines = written("log.info('in')\nlogging.shutdown()\n", "json")
    assert len(lines) == 1
    script = f"{PREPARE}\nwith configured(LogFormat.JSON): pass\nprint('out', file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.stderr == b"out\n"


def test_what_nobody_caught_in_a_thread_is_logged_with_its_name() -> None:
    code = "thread = threading.Thread(target=int, args=('x',), name='analysis-atm')\n"
    code += "thread.start(); thread.join()"
    (line,) = written(code, "json")
    fields = json.loads(line)
    assert fields["level"] == "critical"
    assert fields["message"].startswith(
        "this should not have happened, and ends the thread analysis-atm: ValueError("
    )
    assert "Traceback" in fields["traceback"]


def test_what_nobody_caught_at_all_is_one_line_of_json() -> None:
    (line,) = written("raise OSError('disk')", "json")
    fields = json.loads(line)
    assert fields["level"] == "critical"
    assert fields["message"] == "this should not have happened: OSError('disk')"
    assert "Traceback" in fields["traceback"]


def test_a_log_that_nobody_reads_any_more_neither_stops_nor_busies_the_process() -> None:
    code = """
with configured(LogFormat.JSON):
    sys.stdin.readline()
    for _ in range(1000):
        log.warning("is anybody there")
        os.write(2, b"INFO: nobody" + bytes(100) + b"\\n")
    sys.stdin.readline()
    print(time.process_time())
"""
    process = subprocess.Popen(
        [sys.executable, "-c", f"import time\n{PREPARE}\n{code}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    process.stderr.close()
    try:
        output, _ = process.communicate(b"go on\nend\n", timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0
    assert float(output) < 5.0
