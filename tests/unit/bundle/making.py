"""Bundles without a real model: reading one never looks into its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from edge_runtime.bundle.container import pack
from model_export.signing import SigningKey

FILES = {
    "model.tflite": b"\0" * 4 + b"TFL3 but no model" * 10,
    "labels.txt": b"person\nbicycle\n",
    "card.md": b"# Person detector\n",
    "golden.png": b"a picture",
}


def entries(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """What a manifest says of its files."""
    return [
        {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    ]


def manifest(key: SigningKey, **changes: Any) -> dict[str, Any]:
    """A manifest that is right, but for `changes`."""
    return {
        "format": 1,
        "name": "person",
        "version": 1,
        "task": "detector",
        "input": {
            "shape": [1, 300, 300, 3],
            "dtype": "uint8",
            "colour": "rgb",
            "resize": "stretch",
        },
        "outputs": {"kind": "ssd"},
        "labels": ["person", "bicycle"],
        "threshold": 0.5,
        "thresholds": {"bicycle": 0.6},
        "files": entries(FILES),
        "golden": {
            "least": 0.3,
            "score_tolerance": 0.04,
            "overlap": 0.8,
            "sightings": [{"label": "person", "score": 0.8, "box": [0.1, 0.2, 0.5, 0.9]}],
        },
        "quality": {"ap50": 0.47},
        "provenance": {
            "created": "2026-11-23T12:00:00Z",
            "data": "COCO train2017",
            "tools": {"tensorflow": "2.21.0"},
        },
        "key_id": key.key_id,
    } | changes


def packed(
    key: SigningKey,
    document: Mapping[str, Any] | bytes,
    files: Mapping[str, bytes] = FILES,
) -> bytes:
    """A signed bundle with that manifest, whatever it says."""
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return b"".join(pack(key.sign(content).content(), content, files.items()))
