from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from model_export.datasets.duplicates import _bits, group, perceptual_hashes
from model_export.datasets.samples import Sample
from tests.unit.model_export_data.conftest import save, scene


def samples(*paths: Path) -> list[Sample]:
    return [Sample(path, 0) for path in paths]


def test_a_picture_compressed_scaled_mirrored_or_brighter_is_in_one_group(tmp_path: Path) -> None:
    image = scene(1, 200, 160)
    variants = [
        save(tmp_path / "plain.png", image),
        save(tmp_path / "small.png", cv2.resize(image, (70, 60))),
        save(tmp_path / "bright.png", cv2.convertScaleAbs(image, alpha=1.15, beta=10)),
        save(tmp_path / "mirror.png", image[:, ::-1].copy()),
    ]
    cv2.imwrite(str(tmp_path / "poor.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 15])
    variants.append(tmp_path / "poor.jpg")
    others = [save(tmp_path / f"{n}.png", scene(n, 200, 160)) for n in range(10, 16)]
    groups = group(perceptual_hashes(samples(*variants, *others)))
    assert len(set(groups[:5])) == 1
    assert len(set(groups)) == 7


def test_what_is_alike_by_way_of_others_is_in_one_group() -> None:
    chain = np.array([0, 0b111111, 0b111111111111, 2**62 - 1], np.uint64)
    far = np.full(4, 0xAAAAAAAAAAAAAAA, np.uint64)
    hashes = np.stack([chain, far ^ np.arange(4).astype(np.uint64) << np.uint64(20)], axis=1)
    assert group(hashes, 6).tolist() == [0, 0, 0, 1]
    assert group(hashes, 5).tolist() == [0, 1, 2, 3]


def test_pictures_that_cannot_be_read_are_in_groups_of_their_own(tmp_path: Path) -> None:
    broken = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    for path in broken:
        path.write_bytes(b"no picture")
    good = save(tmp_path / "c.png", scene(1))
    assert len(set(group(perceptual_hashes(samples(*broken, good))))) == 3


def test_crops_of_one_picture_are_told_apart(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", scene(3, 400, 300))
    crops = [Sample(path, 0, (0, 0, 150, 150)), Sample(path, 0, (200, 100, 390, 290))]
    assert len(set(group(perceptual_hashes(crops)))) == 2


def test_no_pictures_are_in_no_groups() -> None:
    assert len(group(perceptual_hashes([]))) == 0


def test_bits_are_counted_alike_on_every_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).integers(2**63, size=100).astype(np.uint64)
    expected = [int(value).bit_count() for value in values]
    assert _bits(values).tolist() == expected
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert _bits(values).tolist() == expected


def test_ten_thousand_pictures_are_grouped_in_seconds() -> None:
    hashes = np.random.default_rng(0).integers(2**63, size=(10_000, 2)).astype(np.uint64)
    hashes[5000:5050] = hashes[:50]
    began = time.process_time()
    groups = group(hashes)
    assert time.process_time() - began < 20
    assert len(set(groups)) == 9950
