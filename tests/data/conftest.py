"""Small datasets made on the spot, each in a layout that the package reads."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semanticgan.regions import CELEBAMASK_PARTS, PHOTOGRAPHS_11

SIDE = 24


def _draw(index: int, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """A picture uint8 [side, side, 3] and labels uint8 [side, side] below 11, different for every index."""
    rng = np.random.default_rng(index)
    return rng.integers(0, 256, (side, side, 3), np.uint8), rng.integers(0, 11, (side, side), np.uint8)


def _save_labels(path: Path, labels: np.ndarray) -> None:
    """Labels uint8 [H, W] as an indexed PNG in the colours of the 11 regions."""
    picture = Image.fromarray(labels)
    picture.putpalette(PHOTOGRAPHS_11.palette())
    picture.save(path)


@pytest.fixture
def draw() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """``draw(index)``: what ``make_folder`` writes as pair ``index``."""
    return _draw


@pytest.fixture
def save_labels() -> Callable[[Path, np.ndarray], None]:
    """``save_labels(path, labels)``: an indexed PNG."""
    return _save_labels


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """``make_folder(count, name)``: pictures and label maps of 11 regions, without dataset.json."""

    def make(count: int = 4, name: str = "faces") -> Path:
        folder = tmp_path / name
        for kind in ("image", "label"):
            (folder / kind).mkdir(parents=True)
        for index in range(count):
            picture, labels = _draw(index)
            Image.fromarray(picture).save(folder / "image" / f"{index:04}.png")
            _save_labels(folder / "label" / f"{index:04}.png", labels)
        return folder

    return make


@pytest.fixture
def make_celebamask(tmp_path: Path) -> Callable[..., Path]:
    """``make_celebamask({number: {part: mask bool [s, s]}})``: the layout of CelebAMask-HQ, 32 pixels."""

    def make(parts: dict[int, dict[str, np.ndarray]], rgb: bool = False) -> Path:
        folder = tmp_path / "CelebAMask-HQ"
        (folder / "CelebA-HQ-img").mkdir(parents=True)
        for number, masks in parts.items():
            picture, _ = _draw(number, 32)
            Image.fromarray(picture).save(folder / "CelebA-HQ-img" / f"{number}.jpg", quality=95)
            where = folder / "CelebAMask-HQ-mask-anno" / str(number // 2000)
            where.mkdir(parents=True, exist_ok=True)
            for part, mask in masks.items():
                assert part in CELEBAMASK_PARTS
                grey = Image.fromarray(mask.astype(np.uint8) * 255)
                (grey.convert("RGB") if rgb else grey).save(where / f"{number:05d}_{part}.png")
        return folder

    return make


@pytest.fixture
def to_zip(tmp_path: Path) -> Callable[..., Path]:
    """``to_zip(folder, prefix)``: the folder's files in a zip, below ``prefix``."""

    def pack(folder: Path, prefix: str = "") -> Path:
        path = tmp_path / f"{folder.name}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(folder.rglob("*")):
                if file.is_file():
                    archive.write(file, prefix + file.relative_to(folder).as_posix())
        return path

    return pack
