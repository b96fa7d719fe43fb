"""docs/bundle.md is the contract: it names what there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.bundle import errors
from edge_runtime.bundle.container import MANIFEST, SIGNATURE
from edge_runtime.bundle.manifest import (
    FILES,
    Golden,
    InputSpec,
    Manifest,
    Provenance,
    Sighting,
)
from edge_runtime.bundle.trust import DEMONSTRATION_KEY, PAYLOAD_TYPE, key_id, signed_bytes

TEXT = (Path(__file__).parents[3] / "docs" / "bundle.md").read_text()


@pytest.mark.parametrize("part", [Manifest, InputSpec, Golden, Sighting, Provenance])
def test_every_key_of_the_manifest_is_documented(part: type[Manifest]) -> None:
    assert [name for name in part.model_fields if f"`{name}`" not in TEXT] == []


def test_every_member_is_documented_in_its_order() -> None:
    places = [TEXT.index(f"| `{name}` |") for name in (SIGNATURE, MANIFEST, *FILES)]
    assert places == sorted(places)


def test_what_is_signed_is_documented() -> None:
    assert f'"{signed_bytes(b"").decode().removesuffix("0 ")}" LENGTH' in TEXT
    assert PAYLOAD_TYPE in TEXT
    assert f"`{key_id(DEMONSTRATION_KEY)}`" in TEXT


def test_every_reason_not_to_read_a_bundle_is_documented() -> None:
    names = {name for name, value in vars(errors).items() if isinstance(value, type)}
    of_reading = {name for name in names if name.endswith("Error")} - {
        "BundleError",
        "EdgeRuntimeError",
        "GoldenError",
        "NotInstalledError",
        "StoreError",
        "TrustError",
        "VersionError",
    }
    assert {name for name in of_reading if f"`{name}`" not in TEXT} == set()
