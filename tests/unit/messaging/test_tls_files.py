"""When a renewed certificate is taken up."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge_runtime.messaging.settings import MqttSettings
from edge_runtime.messaging.tls_files import TlsFiles
from tests.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def files(tmp_path: Path, authority: Authority) -> TlsFiles:
    mine = authority.client("old")
    shutil.copy(mine.certificate, tmp_path / "my.pem")
    shutil.copy(mine.key, tmp_path / "my.key")
    return TlsFiles(
        MqttSettings(
            "broker",
            "c",
            tls=True,
            ca=authority.certificate,
            certificate=tmp_path / "my.pem",
            key=tmp_path / "my.key",
        )
    )


def test_files_that_stay_as_they_are_are_no_news(files: TlsFiles) -> None:
    assert not any(files.replaced(now) for now in range(100))


def test_a_new_certificate_waits_for_its_key(
    files: TlsFiles, authority: Authority, tmp_path: Path
) -> None:
    new = authority.client("new")
    shutil.copy(new.certificate, tmp_path / "my.pem")
    assert not files.replaced(10.0)
    shutil.copy(new.key, tmp_path / "my.key")
    assert not files.replaced(11.0)  # It looks only now and then.
    assert files.replaced(20.0)
    files.used()
    assert not files.replaced(30.0)


def test_a_certificate_that_is_gone_or_damaged_ends_no_connection(
    files: TlsFiles, tmp_path: Path
) -> None:
    (tmp_path / "my.pem").write_text("half")
    assert not files.replaced(10.0)
    (tmp_path / "my.pem").unlink()
    assert not files.replaced(20.0)


def test_without_tls_there_is_nothing_to_replace() -> None:
    assert not TlsFiles(MqttSettings("broker", "c")).replaced(10.0)
