"""A bundle is read if it is whole and signed; anything else ends in one sentence."""

from __future__ import annotations

import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.bundle.container import MAX_BUNDLE, MAX_MANIFEST, pack
from edge_runtime.bundle.errors import (
    BundleError,
    DamagedError,
    DemonstrationKeyError,
    HashMismatchError,
    ManifestError,
    NewerFormatError,
    NotABundleError,
    SignatureError,
    TooLargeError,
    TruncatedError,
    UnknownKeyError,
)
from edge_runtime.bundle.reading import parse, read, read_folder
from edge_runtime.bundle.trust import TrustedKeys
from model_export.signing import SigningKey, demonstration_key
from tests.unit.bundle.making import FILES, entries, manifest, packed


def test_a_bundle_gives_its_manifest_and_its_files(content: bytes, trusted: TrustedKeys) -> None:
    bundle = parse("x", content, trusted)
    assert bundle.manifest.title == "person 1"
    assert bundle.manifest.labels == ("person", "bicycle")
    assert {name: bytes(file) for name, file in bundle.files.items()} == FILES


def test_a_bundle_is_a_tar_that_any_tar_reads(content: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        names = archive.getnames()
        first = archive.getmembers()[0]
        assert names == ["edge-bundle-1.sig", "manifest.json", *FILES]
        assert (first.mode, first.uid, first.mtime, first.isreg()) == (0o644, 0, 0, True)
        for name, expected in FILES.items():
            member = archive.extractfile(name)
            assert member is not None
            assert member.read() == expected


def test_every_changed_byte_is_refused(content: bytes, trusted: TrustedKeys) -> None:
    damaged = bytearray(content)
    for at in range(len(content)):
        damaged[at] ^= 1 << at % 8
        with pytest.raises(BundleError):
            parse("x", bytes(damaged), trusted)
        damaged[at] = content[at]


def test_a_letter_of_the_signature_in_capitals_is_refused(
    content: bytes, trusted: TrustedKeys
) -> None:
    """The signature would be the same, but not the file."""
    at = next(i for i in range(529, 658) if content[i : i + 1].isalpha())
    with pytest.raises(DamagedError, match="the signature of bundle x is damaged"):
        parse("x", content[:at] + content[at : at + 1].upper() + content[at + 1 :], trusted)


def test_every_bundle_that_is_cut_short_is_refused(content: bytes, trusted: TrustedKeys) -> None:
    for size in range(len(content)):
        with pytest.raises(BundleError):
            parse("x", content[:size], trusted)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_change_is_refused(data: st.DataObject, content: bytes, trusted: TrustedKeys) -> None:
    start = data.draw(st.integers(0, len(content) - 1))
    end = data.draw(st.integers(start, min(len(content), start + 1200)))
    changed = content[:start] + data.draw(st.binary(max_size=1200)) + content[end:]
    if changed == content:
        return
    with pytest.raises(BundleError):
        parse("x", changed, trusted)


@settings(max_examples=200, deadline=None)
@given(junk=st.binary(max_size=2000), begins=st.integers(0, 1200))
def test_anything_else_is_refused(
    junk: bytes, begins: int, content: bytes, trusted: TrustedKeys
) -> None:
    with pytest.raises(BundleError):
        parse("x", content[:begins] + junk, trusted)


@settings(max_examples=200, deadline=None)
@given(
    document=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
        max_leaves=10,
    ),
    field=st.sampled_from(list(manifest(demonstration_key()))),
)
def test_any_signed_nonsense_is_refused_or_read(
    document: object, field: str, key: SigningKey, trusted: TrustedKeys
) -> None:
    for nonsense in (document, manifest(key) | {field: document}):
        try:
            parse("x", packed(key, json.dumps(nonsense).encode()), trusted)
        except BundleError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "b.edgebundle is empty"),
        (b"\x1c\0\0\0TFL3" + bytes(999), "is not a model bundle: it does not begin with"),
        (b"hello", "is not a model bundle: it does not begin with edge-bundle-1.sig"),
    ],
)
def test_what_is_no_bundle_is_named(
    content: bytes, sentence: str, tmp_path: Path, trusted: TrustedKeys
) -> None:
    path = tmp_path / "b.edgebundle"
    path.write_bytes(content)
    with pytest.raises(NotABundleError, match=sentence):
        read(path, trusted)


def test_a_zip_is_no_bundle(tmp_path: Path, trusted: TrustedKeys) -> None:
    path = tmp_path / "b.edgebundle"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("edge-bundle-1.sig", "x")
    with pytest.raises(NotABundleError):
        read(path, trusted)


def test_a_missing_file_a_folder_and_a_pipe_are_named(tmp_path: Path, trusted: TrustedKeys) -> None:
    with pytest.raises(NotABundleError, match=r"bundle .*/none does not exist"):
        read(tmp_path / "none", trusted)
    with pytest.raises(NotABundleError, match="is not a plain file"):
        read(tmp_path, trusted)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotABundleError, match="is not a plain file"):
        read(tmp_path / "pipe", trusted)


def test_a_file_larger_than_any_bundle_is_not_read(tmp_path: Path, trusted: TrustedKeys) -> None:
    path = tmp_path / "b.edgebundle"
    with path.open("wb") as file:
        file.truncate(MAX_BUNDLE + 1)
    with pytest.raises(TooLargeError, match="is larger than 67108864 bytes"):
        read(path, trusted)


def test_a_manifest_larger_than_any_is_not_read(key: SigningKey, trusted: TrustedKeys) -> None:
    content = packed(key, b" " * (MAX_MANIFEST + 1))
    with pytest.raises(TooLargeError, match="has 1048577 bytes, and at most 1048576 are read"):
        parse("x", content, trusted)


def test_a_cut_says_how_much_is_missing(content: bytes, trusted: TrustedKeys) -> None:
    with pytest.raises(TruncatedError, match="it ends after 3000 bytes, and at least"):
        parse("x", content[:3000], trusted)


def test_what_follows_the_end_is_refused(content: bytes, trusted: TrustedKeys) -> None:
    with pytest.raises(DamagedError, match="has 512 bytes after its end"):
        parse("x", content + bytes(512), trusted)


def test_a_newer_container_asks_for_an_update(content: bytes, trusted: TrustedKeys) -> None:
    newer = content.replace(b"edge-bundle-1.sig", b"edge-bundle-2.sig", 1)
    with pytest.raises(NewerFormatError, match="has format 2 and this software reads up to 1"):
        parse("x", newer, trusted)


def test_a_newer_manifest_asks_for_an_update(key: SigningKey, trusted: TrustedKeys) -> None:
    document = {"format": 2, "all": "else is different"}
    with pytest.raises(NewerFormatError, match=r"format 2 .* update edge-runtime first"):
        parse("x", packed(key, document), trusted)


def test_a_key_that_is_not_trusted_is_named(content: bytes, key: SigningKey) -> None:
    other = SigningKey(Ed25519PrivateKey.generate())
    trusted = TrustedKeys({other.key_id: other.public_key}, source="/etc/keys")
    sentence = (
        f"signed with key {key.key_id}, which is not trusted here: /etc/keys has {other.key_id}"
    )
    with pytest.raises(UnknownKeyError, match=sentence):
        parse("x", content, trusted)


def test_another_key_cannot_sign_in_the_name_of_a_trusted_one(
    key: SigningKey, trusted: TrustedKeys
) -> None:
    document = json.dumps(manifest(key)).encode()
    forger = SigningKey(Ed25519PrivateKey.generate())
    forged = forger.sign(document).content().replace(forger.key_id.encode(), key.key_id.encode())
    with pytest.raises(SignatureError, match=f"bundle x is not what key {key.key_id} signed"):
        parse("x", b"".join(pack(forged, document, FILES.items())), trusted)


def test_a_signature_over_the_bare_manifest_is_none(key: SigningKey, trusted: TrustedKeys) -> None:
    """What is signed says that it is a manifest, so that no other signature can be used."""
    private = Ed25519PrivateKey.generate()
    own = SigningKey(private)
    document = json.dumps(manifest(own)).encode()
    bare = f"{own.key_id}\n{private.sign(document).hex()}\n".encode()
    with pytest.raises(SignatureError):
        parse(
            "x",
            b"".join(pack(bare, document, FILES.items())),
            TrustedKeys({own.key_id: own.public_key}),
        )


def test_the_demonstration_key_is_taken_only_where_it_is_allowed(trusted: TrustedKeys) -> None:
    key = demonstration_key()
    content = packed(key, manifest(key))
    with pytest.raises(DemonstrationKeyError, match="with which anyone can sign"):
        parse("x", content, trusted)
    assert parse("x", content, TrustedKeys(demonstration=True)).manifest.title == "person 1"


def test_a_manifest_that_names_another_key_is_refused(
    key: SigningKey, trusted: TrustedKeys
) -> None:
    document = manifest(key, key_id="0" * 16)
    with pytest.raises(ManifestError, match="names the key 0000000000000000"):
        parse("x", packed(key, document), trusted)


def test_a_file_that_was_exchanged_is_named(key: SigningKey, trusted: TrustedKeys) -> None:
    files = FILES | {"model.tflite": b"x" * len(FILES["model.tflite"])}
    with pytest.raises(HashMismatchError, match=r"model.tflite in bundle x is not the file that"):
        parse("x", packed(key, manifest(key), files), trusted)


def test_files_in_another_order_or_twice_are_refused(key: SigningKey, trusted: TrustedKeys) -> None:
    listed = list(FILES.items())
    document = json.dumps(manifest(key)).encode()
    signature = key.sign(document).content()
    for files in (listed[::-1], [listed[0], *listed], listed[:-1]):
        with pytest.raises(BundleError):
            parse("x", b"".join(pack(signature, document, files)), trusted)


@pytest.mark.parametrize(
    "change",
    [
        {"type": tarfile.SYMTYPE, "linkname": "/etc/shadow"},
        {"type": tarfile.LNKTYPE, "linkname": "manifest.json"},
        {"name": "../../etc/cron.d/x"},
        {"name": "/model.tflite"},
        {"type": tarfile.GNUTYPE_SPARSE},
        {"mode": 0o4755},
        {"uname": "root"},
    ],
)
def test_headers_that_tar_would_take_are_refused(
    change: dict[str, object], key: SigningKey, trusted: TrustedKeys
) -> None:
    content = packed(key, manifest(key))
    at = content.index(b"model.tflite\0")
    info = tarfile.TarInfo("model.tflite")
    info.size = len(FILES["model.tflite"])
    for name, value in change.items():
        setattr(info, name, value)
    header = info.tobuf(tarfile.USTAR_FORMAT)
    with pytest.raises(DamagedError, match="bundle x is damaged near byte"):
        parse("x", content[:at] + header + content[at + 512 :], trusted)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "../person"}, "name: String should match pattern"),
        ({"version": 0}, "version: Input should be greater than or equal to 1"),
        ({"version": "1"}, "version: Input should be a valid integer"),
        ({"task": "poet"}, "task: Input should be 'detector' or 'classifier'"),
        ({"threshold": 1.5}, "threshold: Input should be less than 1"),
        ({"threshold": None}, "threshold: Input should be a valid number"),
        ({"thresholds": {"cat": 0.5}}, '"cat" is none of the labels'),
        ({"labels": []}, "labels: Tuple should have at least 1 item"),
        ({"labels": ["a\nb"]}, "labels.0: String should match pattern"),
        ({"labels": ["person", "cat", "bicycle"]}, "labels.txt in bundle x does not hold"),
        ({"colour": "rgb"}, "colour: Extra inputs are not permitted"),
        ({"key_id": "../../x"}, "key_id: String should match pattern"),
        ({"files": []}, "files: golden.png is missing"),
        ({"files": entries(FILES)[::-1]}, "files: the files have to be some of model.tflite"),
        ({"files": entries(FILES | {"golden.png": b""})}, "files.3.size: Input should be greater"),
        ({"files": [{**entries(FILES)[0], "name": "../x"}]}, "files.0.name: Input should be"),
        (
            {"files": [e | {"size": 64 << 20} for e in entries(FILES)]},
            "files: the files have more than 67108864 bytes together",
        ),
        (
            {"input": manifest(demonstration_key())["input"] | {"shape": [1, 300, 300, 1]}},
            "input: 1 channels cannot be rgb",
        ),
        (
            {"input": manifest(demonstration_key())["input"] | {"dtype": "float32"}},
            "input: an input of float32 needs a range",
        ),
        (
            {"input": manifest(demonstration_key())["input"] | {"range": [1.0, -1.0]}},
            "input: range is a lower and an upper value",
        ),
        ({"provenance": {"created": "yesterday", "data": "x"}}, "provenance.created"),
    ],
)
def test_a_signed_manifest_that_cannot_be_is_told(
    changes: dict[str, object], sentence: str, key: SigningKey, trusted: TrustedKeys
) -> None:
    with pytest.raises(ManifestError) as error:
        parse("x", packed(key, manifest(key, **changes)), trusted)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_json_is_told_as_such(key: SigningKey, trusted: TrustedKeys) -> None:
    with pytest.raises(ManifestError, match="manifest of bundle x is signed but wrong: it: Inval"):
        parse("x", packed(key, b"{"), trusted)
    with pytest.raises(ManifestError, match="signed but wrong"):
        parse("x", packed(key, b"[" * 100_000), trusted)


def test_a_folder_of_its_members_is_read_like_the_bundle(
    tmp_path: Path, content: bytes, trusted: TrustedKeys
) -> None:
    bundle = parse("x", content, trusted)
    for name, member in bundle.members().items():
        (tmp_path / name).write_bytes(member)
    again = read_folder(tmp_path, trusted)
    assert again.manifest == bundle.manifest
    (tmp_path / "model.tflite").write_bytes(b"another model")
    with pytest.raises(HashMismatchError, match=r"model\.tflite in bundle .* is not the file"):
        read_folder(tmp_path, trusted)
    (tmp_path / "model.tflite").unlink()
    with pytest.raises(NotABundleError, match=r"file .*/model\.tflite does not exist"):
        read_folder(tmp_path, trusted)
