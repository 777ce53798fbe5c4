"""Pictures without masks: read as a folder of pairs reads them, in order, and told apart from labelled ones."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semanticgan.data.folders import FolderDataset
from semanticgan.data.unlabelled import PictureDataset
from semanticgan.errors import InputError, MissingFileError
from semanticgan.regions import CELEBAMASK_13, PHOTOGRAPHS_11

Make = Callable[..., Path]
Draw = Callable[..., tuple[np.ndarray, np.ndarray]]
SIDE = 24


@pytest.fixture
def drawings(tmp_path: Path) -> Path:
    """Four pictures of one colour each, named out of their order of writing, and what is not a picture."""
    folder = tmp_path / "drawings"
    (folder / "more").mkdir(parents=True)
    for name, grey in (("c.png", 30), ("a.JPG", 10), ("more/d.webp", 40), ("b.jpeg", 20)):
        Image.new("RGB", (SIDE, SIDE), (grey, grey, grey)).save(folder / name)
    (folder / "notes.txt").write_text("not a picture")
    (folder / ".hidden.png").write_bytes(b"junk")
    return folder


def test_pictures_in_order_of_their_names_with_labels_of_nothing(drawings: Path) -> None:
    dataset = PictureDataset(drawings, SIDE, CELEBAMASK_13)
    assert (len(dataset), dataset.size, dataset.regions) == (4, SIDE, CELEBAMASK_13)
    assert [round(float(pair.image.float().mean()), -1) for pair in map(dataset.__getitem__, range(4))] == [
        10, 20, 30, 40,
    ]  # fmt: skip
    for index in range(4):
        pair = dataset[index]
        assert pair.image.dtype == pair.labels.dtype == torch.uint8
        assert pair.image.shape == (3, SIDE, SIDE) and pair.labels.shape == (SIDE, SIDE)
        assert not pair.labels.any()
    with pytest.raises(IndexError):
        dataset[4]


def test_only_pairs_are_labelled(drawings: Path, make_folder: Make) -> None:
    assert PictureDataset.labelled is False
    assert FolderDataset(make_folder(1), SIDE, PHOTOGRAPHS_11).labelled is True


@pytest.mark.parametrize("size", [SIDE, 12, 7, 40])
@pytest.mark.parametrize("shape", [(24, 24), (30, 51), (52, 31)])
def test_the_picture_is_that_of_a_folder_of_pairs(tmp_path: Path, size: int, shape: tuple[int, int]) -> None:
    """Odd shapes, orientation, grey, CMYK, transparency and 16 bits become what they become there."""
    folder = tmp_path / "faces"
    rng = np.random.default_rng(0)
    for kind in ("image", "label"):
        (folder / kind).mkdir(parents=True)
    colour = Image.fromarray(rng.integers(0, 256, (*shape, 3), np.uint8))
    turned = Image.Exif()
    turned[0x0112] = 6
    colour.save(folder / "image" / "turned.jpg", exif=turned)
    colour.convert("CMYK").save(folder / "image" / "cmyk.jpg")
    colour.convert("L").save(folder / "image" / "grey.png")
    Image.fromarray(rng.integers(0, 256, (*shape, 4), np.uint8)).save(folder / "image" / "clear.png")
    Image.fromarray(rng.integers(0, 65536, shape).astype(np.uint16)).save(folder / "image" / "deep.png")
    for name in ("turned", "cmyk", "grey", "clear", "deep"):
        seen = shape if name != "turned" else shape[::-1]
        Image.fromarray(np.zeros(seen, np.uint8)).save(folder / "label" / f"{name}.png")
    alone, pairs = PictureDataset(folder / "image", size, PHOTOGRAPHS_11), FolderDataset(folder, size, PHOTOGRAPHS_11)
    beside = PictureDataset(folder, size, PHOTOGRAPHS_11)
    assert len(alone) == len(pairs) == len(beside) == 5
    for index in range(5):
        assert torch.equal(alone[index].image, pairs[index].image)
        assert torch.equal(beside[index].image, pairs[index].image)


@pytest.mark.parametrize("prefix", ["", "my drawings/"])
def test_zip_equals_folder(drawings: Path, to_zip: Make, prefix: str) -> None:
    packed = PictureDataset(to_zip(drawings, prefix), 12, CELEBAMASK_13)
    unpacked = PictureDataset(drawings, 12, CELEBAMASK_13)
    assert packed.key() == unpacked.key() and len(packed) == 4
    assert all(torch.equal(packed[index].image, unpacked[index].image) for index in range(4))
    assert torch.equal(pickle.loads(pickle.dumps(packed))[1].image, unpacked[1].image)


def test_key_tells_what_would_be_read(drawings: Path, make_folder: Make) -> None:
    keys = [
        PictureDataset(drawings, SIDE, CELEBAMASK_13).key(),
        PictureDataset(drawings, 12, CELEBAMASK_13).key(),
        PictureDataset(drawings, SIDE, PHOTOGRAPHS_11).key(),
    ]
    folder = make_folder(3)
    keys += [PictureDataset(folder, SIDE, PHOTOGRAPHS_11).key(), FolderDataset(folder, SIDE, PHOTOGRAPHS_11).key()]
    (drawings / "a.JPG").unlink()
    keys.append(PictureDataset(drawings, SIDE, CELEBAMASK_13).key())
    assert len(set(keys)) == len(keys)


def test_unusable_input_is_named(drawings: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nowhere"):
        PictureDataset(tmp_path / "nowhere", SIDE, CELEBAMASK_13)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no pictures in .*empty.*it is empty.*jpg, jpeg, png, webp"):
        PictureDataset(tmp_path / "empty", SIDE, CELEBAMASK_13)
    (tmp_path / "empty" / "notes.txt").write_text("nothing")
    with pytest.raises(InputError, match="it has 1 other files"):
        PictureDataset(tmp_path / "empty", SIDE, CELEBAMASK_13)
    (drawings / "b.jpeg").write_bytes(b"\xff\xd8\xff torn")
    with pytest.raises(InputError, match=r"drawings/b\.jpeg' cannot be decoded"):
        PictureDataset(drawings, SIDE, CELEBAMASK_13)[1]
