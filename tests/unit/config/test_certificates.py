from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import ValidationError

from edge_runtime.certificates import read_certificates
from edge_runtime.config import TlsConfig, load
from edge_runtime.config.values import Context
from tests.certificates import Authority
from tests.unit.config.conftest import Complain

START = """\
[device]
site = "paris-12"
name = "atm-1"
[model]
path = "atm.toml"
[[cameras]]
name = "atm"
source = "synthetic:"
[mqtt]
host = "broker"
[mqtt.tls]
"""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "tls")


def self_signed(first: datetime, last: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody" * 8)])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 2**150 + 1, first, last)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (datetime(1950, 1, 1), datetime(1969, 12, 31, 23, 59, 59)),
        (datetime(1999, 12, 31, 12, 30, 15), datetime(2049, 12, 31, 23, 59, 59)),
        (datetime(2049, 12, 31), datetime(2050, 1, 1)),
        (datetime(2050, 6, 1), datetime(9999, 12, 31, 23, 59, 59)),
    ],
)
def test_the_dates_of_a_certificate_are_read(
    tmp_path: Path, first: datetime, last: datetime
) -> None:
    path = tmp_path / "certificate.pem"
    path.write_bytes(self_signed(first, last))
    (read,) = read_certificates(path)
    assert (read.first, read.last) == (first.replace(tzinfo=UTC), last.replace(tzinfo=UTC))


def test_the_authorities_that_this_system_trusts_are_read(tmp_path: Path) -> None:
    context = ssl.create_default_context()
    known = context.get_ca_certs()
    if not known:
        pytest.skip("this system trusts no authority")
    path = tmp_path / "bundle.pem"
    ders = context.get_ca_certs(binary_form=True)
    path.write_text("".join(map(ssl.DER_cert_to_PEM_cert, ders)), encoding="ascii")
    told = [datetime.fromtimestamp(ssl.cert_time_to_seconds(c["notAfter"]), UTC) for c in known]
    assert [certificate.last for certificate in read_certificates(path)] == told


def test_certificates_in_order_are_taken(tmp_path: Path, authority: Authority) -> None:
    authority.client("atm-1")
    path = tmp_path / "atm.toml"
    path.write_text(
        START + 'ca = "tls/ca.pem"\ncertificate = "tls/atm-1.pem"\nkey = "tls/atm-1.key"\n',
        encoding="utf-8",
    )
    mqtt = load(path).mqtt
    assert mqtt is not None
    assert mqtt.tls == TlsConfig(
        ca=authority.certificate,
        certificate=tmp_path / "tls/atm-1.pem",
        key=tmp_path / "tls/atm-1.key",
    )


def test_everything_that_is_wrong_with_certificates_is_told(
    complain: Complain, tmp_path: Path, authority: Authority
) -> None:
    authority.client("late", valid=timedelta(days=-2))
    authority.client("other")
    (tmp_path / "tls/der.pem").write_bytes(
        ssl.PEM_cert_to_DER_cert(authority.certificate.read_text(encoding="ascii"))
    )
    expired = datetime.now(UTC) - timedelta(days=2)
    text = START + 'ca = "tls/der.pem"\ncertificate = "tls/late.pem"\nkey = "tls/none.key"\n'
    said = complain(text, check_files=True)
    assert said[0] == (
        f"atm.toml:12: mqtt.tls.ca: {tmp_path}/tls/der.pem holds no certificate in PEM form "
        "(-----BEGIN CERTIFICATE-----)"
    )
    assert said[1].startswith(
        f"atm.toml:13: mqtt.tls.certificate: the certificate {tmp_path}/tls/late.pem expired on "
        f"{expired:%Y-%m-%d}"
    )
    assert said[1].endswith(" UTC; a renewed one is asked for")
    assert said[2] == (
        f"atm.toml:14: mqtt.tls.key: there is no file {tmp_path}/tls/none.key; put it there, or "
        "correct the path (it counts from the configuration's folder)"
    )
    assert len(said) == 3


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("other.key", "{0}/other.key is not the key of the certificate {0}/atm-1.pem"),
        (
            "ca.pem",
            "{0}/ca.pem holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)",
        ),
        (
            "locked.key",
            "{0}/locked.key is encrypted, and nobody is there to type its passphrase; a key "
            "without one, readable by the service's user only, is asked for",
        ),
    ],
)
def test_a_key_that_does_not_open_the_certificate_is_told(
    complain: Complain, tmp_path: Path, authority: Authority, key: str, said: str
) -> None:
    authority.client("atm-1")
    authority.client("other")
    authority.client("locked", passphrase="secret")
    text = START + f'certificate = "tls/atm-1.pem"\nkey = "tls/{key}"\n'
    assert complain(text, check_files=True) == [
        "atm.toml:13: mqtt.tls.key: " + said.format(tmp_path / "tls")
    ]


def test_a_damaged_certificate_is_told(
    complain: Complain, tmp_path: Path, authority: Authority
) -> None:
    text = authority.certificate.read_text(encoding="ascii")
    for number, damaged in enumerate([text.replace("MII", "NII"), text[:60] + text[80:]]):
        (tmp_path / f"{number}.pem").write_text(damaged, encoding="ascii")
        assert complain(START + f'ca = "{number}.pem"\n', check_files=True) == [
            f"atm.toml:12: mqtt.tls.ca: {tmp_path}/{number}.pem is damaged: its PEM block is no "
            "certificate"
        ]


def test_a_certificate_of_tomorrow_is_told_with_the_clock(authority: Authority) -> None:
    now = datetime.now(UTC) - timedelta(days=60)
    with pytest.raises(ValidationError) as caught:
        TlsConfig.model_validate(
            {"ca": str(authority.certificate)}, context=Context(check_files=True, now=now)
        )
    (error,) = caught.value.errors()
    assert "is not valid before" in error["msg"]
    assert f"this machine's clock says {now:%Y-%m-%d %H:%M}" in error["msg"]


def test_of_a_bundle_of_authorities_one_that_is_valid_is_enough(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    old = self_signed(now - timedelta(days=9), now - timedelta(days=3))
    good = self_signed(now - timedelta(days=9), now + timedelta(days=3))
    path = tmp_path / "bundle.pem"
    context = Context(check_files=True)
    path.write_bytes(old + good)
    assert TlsConfig.model_validate({"ca": str(path)}, context=context).ca == path
    path.write_bytes(old + old)
    with pytest.raises(ValidationError, match="expired on"):
        TlsConfig.model_validate({"ca": str(path)}, context=context)
