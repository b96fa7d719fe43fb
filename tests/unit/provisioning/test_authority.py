"""What an authority certifies, what it refuses, and that its files are whole or not there."""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from edge_runtime.provisioning import files
from edge_runtime.provisioning.authority import Authority, Issued, Register, create, opened
from edge_runtime.provisioning.files import ProvisioningError
from edge_runtime.provisioning.names import Kind
from edge_runtime.provisioning.requests import make_request, read_request

YEAR = timedelta(days=365)
PASSPHRASE = "correct horse"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create(tmp_path / "ca", "a bank", PASSPHRASE, 10 * YEAR)
    return tmp_path / "ca"


@pytest.fixture
def authority(folder: Path) -> Iterator[Authority]:
    with opened(folder, PASSPHRASE) as authority:
        yield authority


def signed(
    authority: Authority,
    name: str,
    kind: Kind = Kind.DEVICE,
    *,
    where: str = ".",
    hosts: tuple[str, ...] = (),
    valid: timedelta = YEAR,
) -> Issued:
    place = authority.folder.parent / where
    place.mkdir(exist_ok=True)
    return authority.sign(read_request(make_request(name, place, hosts).request), kind, valid)


def refused(authority: Authority, name: str, kind: Kind = Kind.DEVICE, **options: object) -> str:
    with pytest.raises(ProvisioningError) as error:
        signed(authority, name, kind, **options)  # type: ignore[arg-type]
    return str(error.value)


def test_a_device_is_certified_for_what_it_is(authority: Authority) -> None:
    issued = signed(authority, "atm-1")
    assert (issued.name, issued.kind, issued.revoked) == ("atm-1", Kind.DEVICE, False)
    assert abs(issued.last - datetime.now(UTC) - YEAR) < timedelta(minutes=1)
    certificate = x509.load_pem_x509_certificate(issued.pem)
    certificate.verify_directly_issued_by(authority.certificate)
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]
    limits = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert limits.critical
    assert not limits.value.ca
    assert Register(authority.folder).issued() == [issued]


def test_a_server_is_certified_for_the_hosts_of_its_request(authority: Authority) -> None:
    issued = signed(authority, "mqtt", Kind.SERVER, hosts=("mqtt.bank.example", "10.0.0.7", "::1"))
    certificate = x509.load_pem_x509_certificate(issued.pem)
    hosts = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert hosts.get_values_for_type(x509.DNSName) == ["mqtt.bank.example"]
    assert [str(each) for each in hosts.get_values_for_type(x509.IPAddress)] == ["10.0.0.7", "::1"]
    (renewed,) = [authority.renew(each) for each in authority.current()]
    again = x509.load_pem_x509_certificate(renewed.pem)
    assert again.extensions.get_extension_for_class(x509.SubjectAlternativeName).value == hosts
    assert renewed.kind is Kind.SERVER


def test_a_key_is_for_its_owner_alone_and_is_kept_by_the_next_request(tmp_path: Path) -> None:
    made = make_request("atm-1", tmp_path)
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    before = made.key.read_bytes()
    again = make_request("atm-1", tmp_path)
    assert (made.new_key, again.new_key) == (True, False)
    assert again.key.read_bytes() == before
    assert read_request(again.request).name == "atm-1"


def test_the_key_of_an_authority_opens_with_its_passphrase_only(folder: Path) -> None:
    assert stat.S_IMODE((folder / "ca.key").stat().st_mode) == 0o600
    with pytest.raises(ProvisioningError) as error, opened(folder, "wrong"):
        pass
    assert str(error.value) == (
        f"the authority's key {folder}/ca.key does not open: the passphrase is wrong, or it is "
        "damaged"
    )


def test_one_name_has_one_key(authority: Authority) -> None:
    first = signed(authority, "atm-1")
    assert signed(authority, "atm-1").serial != first.serial  # the same key again
    assert refused(authority, "atm-1", where="elsewhere") == (
        f"atm-1 has a certificate for another key, valid until {first.last:%Y-%m-%d}: choose "
        "another name, or revoke that one first if this device takes its place"
    )
    authority.revoke("atm-1")
    assert signed(authority, "atm-1", where="elsewhere").name == "atm-1"


def test_a_revoked_key_is_not_certified_again(authority: Authority) -> None:
    signed(authority, "atm-1")
    authority.revoke("atm-1")
    assert refused(authority, "atm-1") == (
        "the key of this request was revoked as that of atm-1: move it away on its machine, and "
        "make the request anew"
    )


def test_only_a_centre_has_a_name_of_a_centre(authority: Authority) -> None:
    assert "a centre's, who may hear all devices" in refused(authority, "centre")
    assert "a centre's, who may hear all devices" in refused(authority, "centre-2")
    assert "the broker's rules know it as centre" in refused(authority, "atm-1", Kind.CENTRE)
    assert signed(authority, "centre-3", Kind.CENTRE).kind is Kind.CENTRE
    assert signed(authority, "centreville-atm").kind is Kind.DEVICE


def test_a_server_is_certified_only_when_that_is_meant(authority: Authority) -> None:
    assert "sign it with --server if it is one" in refused(authority, "mqtt", hosts=("m.example",))
    assert "make the request with --host" in refused(authority, "mqtt-2", Kind.SERVER)


@pytest.mark.parametrize("name", ["", "-atm", "a/b", "a b", "ätm", "a+", "#", "a" * 65, "a\n"])
def test_a_name_that_cannot_be_certified_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(ProvisioningError, match="cannot be certified: 1 to 64 letters"):
        make_request(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["", "a b", "https://mqtt", "mqtt:8883", "-a", "*.bank.example"])
def test_a_host_that_is_none_is_told(tmp_path: Path, host: str) -> None:
    with pytest.raises(ProvisioningError, match="is no host: a name or an address is asked for"):
        make_request("mqtt", tmp_path, [host])


def test_a_request_that_cannot_be_granted_is_told(tmp_path: Path) -> None:
    made = make_request("atm-1", tmp_path)
    text = made.request.read_text()
    der = bytearray(ssl.PEM_cert_to_DER_cert(text.replace("CERTIFICATE REQUEST", "CERTIFICATE")))
    der[der.index(b"atm-1")] ^= 1  # another name, under the signature of the old
    damaged = ssl.DER_cert_to_PEM_cert(bytes(der)).replace("CERTIFICATE", "CERTIFICATE REQUEST")
    made.request.write_text(damaged)
    with pytest.raises(ProvisioningError, match="is damaged: its key did not sign it"):
        read_request(made.request)
    made.request.write_text("nothing")
    with pytest.raises(ProvisioningError, match="is no certificate request in PEM form"):
        read_request(made.request)

    weak = rsa.generate_private_key(65537, 1024)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "atm-1")])
    asked = x509.CertificateSigningRequestBuilder(name).sign(weak, hashes.SHA256())
    made.request.write_bytes(asked.public_bytes(Encoding.PEM))
    with pytest.raises(ProvisioningError, match="is too weak or of a rare kind"):
        read_request(made.request)


def test_renewing_certifies_the_same_key_for_as_long_as_before(authority: Authority) -> None:
    old = signed(authority, "atm-1", valid=timedelta(days=20))
    new = authority.renew(old)
    keys = [x509.load_pem_x509_certificate(each.pem).public_key() for each in (old, new)]
    assert keys[0] == keys[1]
    assert new.serial != old.serial
    assert abs((new.last - new.first) - (old.last - old.first)) <= timedelta(seconds=1)
    assert [each.last for each in authority.current()] == [new.last]


def test_what_was_revoked_stays_so_when_the_list_is_made_anew(authority: Authority) -> None:
    serials = {signed(authority, name).serial for name in ("atm-1", "atm-2")}
    authority.revoke("atm-1")
    authority.revoke("atm-2")
    authority.renew_revocations()
    revoked = authority.revocations()
    assert {each.serial_number for each in revoked} == serials
    assert revoked.is_signature_valid(authority.certificate.public_key())  # type: ignore[arg-type]
    assert authority.current() == []
    with pytest.raises(ProvisioningError, match="there is no valid certificate for 'atm-1'"):
        authority.revoke("atm-1")


def test_nothing_is_certified_for_longer_than_the_authority(tmp_path: Path) -> None:
    create(tmp_path / "short", "a bank", PASSPHRASE, timedelta(days=10))
    with opened(tmp_path / "short", PASSPHRASE) as authority:
        issued = signed(authority, "atm-1")
    assert issued.last == authority.certificate.not_valid_after_utc


def test_an_authority_is_made_whole_or_not_at_all(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (folder / "ca.key").read_bytes()
    with pytest.raises(ProvisioningError, match="a folder that is not there yet is asked for"):
        create(folder, "another bank", PASSPHRASE, YEAR)
    assert (folder / "ca.key").read_bytes() == before

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ProvisioningError, match="No space left on device"):
        create(tmp_path / "new", "a bank", PASSPHRASE, YEAR)
    with pytest.raises(ProvisioningError, match="No space left on device"):
        files.replace(folder / "crl.pem", b"half", 0o644)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["ca"]
    assert sorted(each.name for each in folder.iterdir()) == [
        *("ca.key", "ca.pem", "crl.pem", "issued"),
    ]
    assert (folder / "crl.pem").read_bytes().startswith(b"-----BEGIN X509 CRL-----")


def test_a_folder_that_is_no_authority_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProvisioningError) as error:
        Register(tmp_path)
    assert str(error.value) == (
        f"{tmp_path} is no authority, for there is no ca.pem in it: `provision ca` makes one"
    )
