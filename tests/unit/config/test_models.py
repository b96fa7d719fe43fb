"""What is found in a bundle that a configuration names, before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_runtime.bundle import shipped
from edge_runtime.bundle.trust import DEMONSTRATION_SEED
from edge_runtime.config import load
from model_export.signing import SigningKey, keygen, load_key
from tests.unit.bundle.making import manifest, packed
from tests.unit.config.conftest import Complain

DEMONSTRATION = SigningKey(Ed25519PrivateKey.from_private_bytes(DEMONSTRATION_SEED))
PASSPHRASE = "correct horse"
HEAD = '[device]\nsite = "paris-12"\nname = "atm-1"\n'
REST = '[[cameras]]\nname = "atm"\nsource = "synthetic:"\n[[rules]]\nkind = "presence"\n'
BUNDLE = '[model]\nbundle = "person-1.edgebundle"\n'
KEYS = 'trusted_keys = "keys"\n'
DUTY = "production = true\n"


@pytest.fixture(scope="session")
def key_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    keygen(folder / "bank.key", PASSPHRASE)
    return folder


@pytest.fixture
def own(key_folder: Path, tmp_path: Path) -> SigningKey:
    """A key of one's own, whose public half lies in the folder `keys`."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "bank.pem").write_bytes((key_folder / "bank.pem").read_bytes())
    return load_key(key_folder / "bank.key", PASSPHRASE)


@pytest.fixture
def ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets the package ship bundles of these names and versions."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    monkeypatch.setattr(shipped, "FOLDER", folder)

    def ship(name: str, version: int) -> None:
        document = manifest(DEMONSTRATION, name=name, version=version, labels=["person", "bicycle"])
        (folder / f"{name}-{version}.edgebundle").write_bytes(packed(DEMONSTRATION, document))

    return ship


def put(folder: Path, key: SigningKey, change: Callable[[bytes], bytes] = bytes) -> None:
    content = packed(key, manifest(key))
    (folder / "person-1.edgebundle").write_bytes(change(content))


def test_a_bundle_of_ones_own_key_is_good_on_duty_too(own: SigningKey, tmp_path: Path) -> None:
    put(tmp_path, own)
    path = tmp_path / "atm.toml"
    path.write_text(HEAD + DUTY + BUNDLE + KEYS + "threshold = 0.7\n" + REST)
    config = load(path)
    assert config.device.production
    assert config.model.bundle == tmp_path / "person-1.edgebundle"
    assert (config.model.threshold, config.model.path) == (0.7, None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda whole: whole[:5000], "is cut short: it ends after 5000 bytes"),
        (lambda whole: whole[:-600] + b"x" + whole[-599:], "is damaged near byte"),
        (lambda whole: whole.replace(b"TFL3", b"TFL4"), "model.tflite in bundle "),
        (lambda whole: whole.replace(b'"version": 1', b'"version": 2'), "is not what key "),
        (lambda whole: b"", "is empty"),
        (lambda whole: b"GIF89a" * 99, "is not a model bundle"),
    ],
    ids=["cut", "flipped padding", "flipped model", "another version", "empty", "something else"],
)
def test_a_bundle_that_is_not_whole_is_told_at_its_line(
    change: Callable[[bytes], bytes], said: str, own: SigningKey, tmp_path: Path, complain: Complain
) -> None:
    put(tmp_path, own, change)
    (line,) = complain(HEAD + BUNDLE + KEYS + REST, check_files=True)
    assert line.startswith("atm.toml:5: model.bundle: ")
    assert said in line


def test_a_bundle_of_a_strange_key_is_told(
    own: SigningKey, tmp_path: Path, complain: Complain
) -> None:
    strange = SigningKey(Ed25519PrivateKey.generate())
    put(tmp_path, strange)
    (line,) = complain(HEAD + BUNDLE + KEYS + REST, check_files=True)
    assert line.endswith(
        f"is signed with key {strange.key_id}, which is not trusted here: "
        f"{tmp_path}/keys has {own.key_id}"
    )
    (line,) = complain(HEAD + BUNDLE + REST, check_files=True)
    assert line.endswith("which is not trusted here: model.trusted_keys has none")


def test_keys_that_cannot_be_read_are_told_at_their_own_line(
    own: SigningKey, tmp_path: Path, complain: Complain
) -> None:
    put(tmp_path, own)
    text = HEAD + BUNDLE + 'trusted_keys = "no-keys"\n' + REST
    (line,) = complain(text, check_files=True)
    assert line == (
        f"atm.toml:6: model.trusted_keys: the trusted keys {tmp_path}/no-keys cannot be read: "
        "No such file or directory"
    )


def test_a_demonstration_is_taken_off_duty_and_refused_on_duty(
    own: SigningKey, tmp_path: Path, complain: Complain
) -> None:
    put(tmp_path, DEMONSTRATION)
    (tmp_path / "good.toml").write_text(HEAD + BUNDLE + REST)
    assert load(tmp_path / "good.toml").model.bundle
    (line,) = complain(HEAD + DUTY + BUNDLE + KEYS + REST, check_files=True)
    assert "is signed with the demonstration key, with which anyone can sign" in line


def test_a_name_stands_for_the_bundle_of_the_highest_version(
    ships: Callable[..., None], tmp_path: Path
) -> None:
    for version in (2, 10, 9):
        ships("person", version)
    assert shipped.shipped()["person"].name == "person-10.edgebundle"
    path = tmp_path / "atm.toml"
    path.write_text('model = "person"\n' + HEAD + REST)
    assert load(path).model.name == "person"
    path.write_text(HEAD + '[model]\nname = "person"\nthreads = 2\n' + REST)
    assert load(path).model.threads == 2


def test_a_name_that_does_not_ship_is_told_with_those_that_do(
    ships: Callable[..., None], complain: Complain
) -> None:
    said = "is no model that comes with edge-runtime"
    (line,) = complain('model = "person"\n' + HEAD + REST, check_files=True)
    assert line == f"atm.toml:1: model: 'person' {said}; there is none"
    ships("person", 1)
    ships("face", 1)
    (line,) = complain('model = "persn"\n' + HEAD + REST, check_files=True)
    assert line == f"atm.toml:1: model: 'persn' {said}; did you mean 'person'?"
    (line,) = complain(HEAD + '[model]\nname = "dog"\n' + REST, check_files=True)
    assert line == f"atm.toml:5: model.name: 'dog' {said}; known: 'face', 'person'"


def test_on_duty_nothing_that_ships_is_taken(
    ships: Callable[..., None], tmp_path: Path, complain: Complain
) -> None:
    ships("person", 1)
    (line,) = complain('model = "person"\n' + HEAD + DUTY + REST, check_files=True)
    assert line == (
        f"atm.toml:1: model: {tmp_path}/shipped/person-1.edgebundle is signed with the "
        "demonstration key, with which anyone can sign; a device in production "
        "(device.production) takes a bundle that one of your trusted_keys signed"
    )


def test_the_classes_of_rules_are_those_of_the_bundle(
    own: SigningKey, tmp_path: Path, complain: Complain
) -> None:
    put(tmp_path, own)
    text = HEAD + BUNDLE + KEYS + "thresholds.persn = 0.5\n" + REST + 'classes = ["bicycl"]\n'
    assert complain(text, check_files=True) == [
        "atm.toml:7: model.thresholds.persn: 'persn' is no class of the model; "
        "did you mean 'person'?",
        "atm.toml:13: rules[0].classes[0]: 'bicycl' is no class of the model; "
        "did you mean 'bicycle'?",
    ]
