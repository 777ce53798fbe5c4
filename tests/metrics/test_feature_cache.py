"""The cache of features knows pixels: others under the same names, byte counts and times are read anew."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semanticgan.data import open_dataset
from semanticgan.data.cache import CachedPairs
from semanticgan.data.forgiving import ForgivingPairs
from semanticgan.data.pairs import PairDataset
from semanticgan.metrics.statistics import FeatureCache, dataset_features
from semanticgan.perception.extractors import RandomExtractor

KINDS = ("folder", "pictures", "celebamask-hq", "zip", "cached", "forgiving", "first")


def write(folder: Path, seed: int) -> None:
    """Three pictures of noise, uncompressed: other pixels under the same names and byte counts, of the same time."""
    noise = np.random.default_rng(seed).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    for name in ("image", "label", "CelebA-HQ-img", "CelebAMask-HQ-mask-anno/0"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number, pixels in enumerate(noise):
        for name in ("image", "CelebA-HQ-img"):
            path = folder / name / f"{number}.png"
            Image.fromarray(pixels).save(path, compress_level=0)
            os.utime(path, (10**9, 10**9))
        Image.new("L", (16, 16)).save(folder / "label" / f"{number}.png")
        Image.new("L", (16, 16), 255).save(folder / f"CelebAMask-HQ-mask-anno/0/{number:05d}_hair.png")
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
        for path in sorted((*(folder / "image").iterdir(), *(folder / "label").iterdir())):
            archive.write(path, path.relative_to(folder))


def opened(kind: str, folder: Path) -> PairDataset:
    if kind in ("pictures", "celebamask-hq"):
        path = folder / "image" if kind == "pictures" else folder
        return open_dataset(kind, path, 16, scheme="celebamask-13")
    path = folder.with_suffix(".zip") if kind == "zip" else folder
    dataset = open_dataset("folder", path, 16, scheme="celebamask-13", length=2 if kind == "first" else None)
    return {"cached": CachedPairs, "forgiving": ForgivingPairs}.get(kind, lambda dataset: dataset)(dataset)


@pytest.mark.parametrize("kind", KINDS)
def test_other_pixels_under_the_same_names_and_sizes(kind: str, tmp_path: Path) -> None:
    cache, extractor = FeatureCache(tmp_path / "cache"), RandomExtractor()
    write(tmp_path / "data", 0)
    first = dataset_features(opened(kind, tmp_path / "data"), range(2), extractor, cache=cache)
    sizes = {path: path.stat().st_size for path in (tmp_path / "data").rglob("*.png")}
    write(tmp_path / "data", 1)
    assert sizes == {path: path.stat().st_size for path in (tmp_path / "data").rglob("*.png")}
    second = opened(kind, tmp_path / "data")
    cached = dataset_features(second, range(2), extractor, cache=cache)
    assert torch.equal(cached.values, dataset_features(second, range(2), extractor).values)
    assert not torch.equal(cached.values, first.values)
    write(tmp_path / "data", 0)
    again = dataset_features(opened(kind, tmp_path / "data"), range(2), extractor, cache=cache)
    assert again.known is not None and torch.equal(again.values, first.values)


def test_only_the_pictures_asked_for_count(tmp_path: Path) -> None:
    """A change of the third leaves the features of the first two where they are."""
    cache, extractor = FeatureCache(tmp_path / "cache"), RandomExtractor()
    write(tmp_path / "data", 0)
    path = cache.path(opened("folder", tmp_path / "data"), range(2), extractor)
    third = tmp_path / "data/image/2.png"
    content = third.read_bytes()
    third.write_bytes(content[:-30] + bytes([content[-30] ^ 1]) + content[-29:])
    assert cache.path(opened("folder", tmp_path / "data"), range(2), extractor) == path
    assert cache.path(opened("folder", tmp_path / "data"), range(3), extractor) != path


def test_portraits_are_not_drawn_for_a_key() -> None:
    dataset = open_dataset("portraits", size=16, length=10**6)
    assert dataset.key_knows_pixels and open_dataset("portraits", size=16, length=5).key_knows_pixels
