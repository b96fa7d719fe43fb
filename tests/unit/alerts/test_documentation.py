"""docs/alerts.md is the contract: it names what there is, and its Python verifies a chain."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.alerts.alert import Alert, AlertData, AlertEvent, Origin
from edge_runtime.alerts.chain import HEAD_TYPE, Head, to_sign
from edge_runtime.alerts.outbox import Outbox
from edge_runtime.alerts.signing import Signer
from edge_runtime.alerts.verification import Fault
from tests.certificates import Authority, Identity

TEXT = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text()
CHAIN, SIGNATURE = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
TIME = "2026-11-25T03:00:00.000Z"


@pytest.mark.parametrize("part", [AlertEvent, AlertData])
def test_every_field_is_documented(part: type[AlertEvent]) -> None:
    assert [field.name for field in fields(part) if f"`{field.name}`" not in TEXT] == []


def test_the_head_is_shown_whole() -> None:
    (shown,) = re.findall(r'^"chain": ({.*?})$', TEXT, re.DOTALL | re.MULTILINE)
    assert set(json.loads(shown)) == {each.name for each in fields(Head)} | {
        "time",
        "key",
        "signature",
    }


def test_every_fault_is_documented() -> None:
    assert [fault for fault in Fault if f"| `{fault}` |" not in TEXT] == []


def test_what_is_signed_is_documented() -> None:
    signed = to_sign(Head("s", "d", 1, 1, 1, ""), TIME).decode()
    assert signed.startswith(f"DSSEv1 {len(HEAD_TYPE)} {HEAD_TYPE} ")
    assert f"    DSSEv1 LENGTH {HEAD_TYPE} LENGTH BODY\n" in TEXT


def test_the_verification_is_twenty_lines_and_uses_no_code_of_ours() -> None:
    lines = [line for line in CHAIN.splitlines() if line]
    assert len(lines) <= 20
    assert "edge_runtime" not in CHAIN + SIGNATURE


class Material:
    """Alerts and a health message as a centre has them."""

    def __init__(self, folder: Path, alert: Alert, origin: Origin) -> None:
        self._folder = folder
        self.identity: Identity = Authority(folder / "bank").client("atm-1")
        with Outbox(folder / "o.db", origin) as outbox:
            made = [outbox.commit(alert, model=None, clock_synchronised=True) for _ in range(5)]
            self.chain = Signer(self.identity.key).signed(outbox.head, TIME)
        self.alerts: list[dict[str, Any]] = [json.loads(each.to_json()) for each in made]

    def run(self, code: str) -> tuple[int, str]:
        """Exit status, and what was said."""
        alerts, health = self._folder / "alerts.jsonl", self._folder / "health.json"
        alerts.write_text("".join(f"{json.dumps(each)}\n" for each in self.alerts))
        health.write_text(json.dumps({"state": "online", "chain": self.chain}))
        done = subprocess.run(
            [sys.executable, "-c", code, alerts, health, self.identity.certificate],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, (done.stdout + done.stderr).strip()


@pytest.fixture
def material(tmp_path: Path, alert: Alert, origin: Origin) -> Material:
    return Material(tmp_path, alert, origin)


def test_the_documented_python_finds_a_whole_chain_whole_and_signed(material: Material) -> None:
    assert material.run(CHAIN + SIGNATURE) == (0, "whole\nsigned")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda m: m.alerts.pop(2), "3 is missing"),
        (lambda m: m.alerts.pop(), "5 is missing"),
        (lambda m: m.alerts[1].update(severity="low"), "2 is changed"),
        (lambda m: m.alerts[1].update(hash="0" * 64), "2 is changed"),
        (lambda m: m.chain.update(first=2), "2 does not follow 1"),
        (lambda m: m.chain.update(hash="0" * 64), "this is not the chain that the device told"),
    ],
)
def test_the_documented_python_tells_what_is_wrong(
    material: Material, harm: Callable[[Material], Any], said: str
) -> None:
    harm(material)
    assert material.run(CHAIN) == (1, said)


def test_the_documented_python_refuses_a_head_that_was_not_signed(material: Material) -> None:
    material.chain["time"] = "2026-11-25T04:00:00.000Z"
    status, said = material.run(CHAIN + SIGNATURE)
    assert status == 1
    assert said.endswith("InvalidSignature")
