"""What is said of certificates that will not do for long."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from edge_runtime.certificates import read_certificates, warning
from tests.certificates import Authority

MONTH = timedelta(days=30)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "tls")


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        ({"valid": timedelta(days=31)}, None),
        ({"valid": timedelta(days=29, hours=1)}, r"expires on .* UTC, in 29 days; a renewed one"),
        ({"valid": timedelta(days=-1)}, r"expired on .* UTC; a renewed one is asked for"),
        ({"wait": timedelta(days=1)}, r"is not valid before .* UTC"),
    ],
)
def test_a_month_before_its_end_it_is_told(
    authority: Authority, dates: dict[str, timedelta], words: str | None
) -> None:
    path = authority.client("atm-1", **{"valid": timedelta(days=90), **dates}).certificate
    (read,) = read_certificates(path)
    assert read.name == "atm-1"
    told = warning(path, MONTH)
    if words is None:
        assert told is None
    else:
        assert told is not None
        assert told.startswith(f"the certificate {path} ")
        assert re.search(words, told)


def test_of_authorities_one_is_enough_and_of_a_chain_all_are_needed(
    authority: Authority, tmp_path: Path
) -> None:
    long = authority.client("long", valid=timedelta(days=90)).certificate
    short = authority.client("short", valid=timedelta(days=3)).certificate
    both = tmp_path / "both.pem"
    both.write_text(short.read_text() + long.read_text())
    assert warning(both, MONTH, one_is_enough=True) is None
    assert warning(both, MONTH) is not None


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "none.pem"
    assert warning(path, MONTH) == (
        f"the certificate {path} cannot be read: No such file or directory"
    )
    path.write_text("nothing")
    assert warning(path, MONTH) == (
        f"the certificate {path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
    )
