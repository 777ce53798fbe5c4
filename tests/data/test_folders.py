"""A folder or zip of pictures beside label maps."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semanticgan.data import CachedPairs, cached_if_small, open_dataset
from semanticgan.data.folders import FolderDataset
from semanticgan.data.storage import ZipStorage
from semanticgan.errors import InputError, MissingFileError
from semanticgan.regions import BISENET_19_ORDER, CELEBAMASK_13, PHOTOGRAPHS_11, RegionScheme

Make = Callable[..., Path]
Draw = Callable[..., tuple[np.ndarray, np.ndarray]]
Save = Callable[[Path, np.ndarray], None]
SIDE = 24


def test_pairs_are_read_as_written(make_folder: Make, draw: Draw) -> None:
    dataset = open_dataset("folder", make_folder(3), size=SIDE, scheme="photographs-11")
    assert (len(dataset), dataset.size, dataset.regions) == (3, SIDE, PHOTOGRAPHS_11)
    for index in range(3):
        picture, labels = draw(index)
        pair = dataset[index]
        assert pair.image.dtype == pair.labels.dtype == torch.uint8
        assert np.array_equal(pair.image.permute(1, 2, 0).numpy(), picture)
        assert np.array_equal(pair.labels.numpy(), labels)


@pytest.mark.parametrize("prefix", ["", "my faces/"])
def test_zip_equals_folder(make_folder: Make, to_zip: Make, prefix: str) -> None:
    folder = make_folder(3)
    (folder / ".DS_Store").write_bytes(b"junk")
    (folder / "image" / "._0001.png").write_bytes(b"junk")
    (folder / "README.txt").write_text("not a picture")
    packed = open_dataset("folder", to_zip(folder, prefix), size=12, scheme="photographs-11")
    unpacked = open_dataset("folder", folder, size=12, scheme="photographs-11")
    assert packed.key() == unpacked.key() and len(packed) == 3
    for one, other in zip(packed, unpacked, strict=False):
        assert torch.equal(one.image, other.image) and torch.equal(one.labels, other.labels)


def test_zip_is_reopened_where_it_was_sent(make_folder: Make, to_zip: Make) -> None:
    dataset = FolderDataset(to_zip(make_folder(2)), SIDE, PHOTOGRAPHS_11)
    assert torch.equal(pickle.loads(pickle.dumps(dataset))[1].labels, dataset[1].labels)


def test_key_tells_what_would_be_read(make_folder: Make) -> None:
    def key(folder: Path, **options: object) -> str:
        return open_dataset("folder", folder, **{"size": 16, "scheme": "photographs-11", **options}).key()

    folder, same, longer = make_folder(3), make_folder(3, "same"), make_folder(4, "longer")
    keys = [key(folder), key(folder, size=8), key(folder, scheme="celebamask-13"), key(folder, length=2), key(longer)]
    assert len(set(keys)) == len(keys)
    assert key(same) == key(folder) == key(folder, scheme=PHOTOGRAPHS_11)


def test_pictures_in_further_folders(make_folder: Make) -> None:
    folder = make_folder(2)
    for kind in ("image", "label"):
        (folder / kind / "more").mkdir()
        (folder / kind / "0001.png").rename(folder / kind / "more" / "0001.png")
    assert len(FolderDataset(folder, SIDE, PHOTOGRAPHS_11)) == 2


def test_scheme_from_dataset_json(make_folder: Make) -> None:
    folder = make_folder(1)
    with pytest.raises(InputError, match=r"does not say what its labels mean.*photographs-11"):
        FolderDataset(folder, SIDE)
    regions = RegionScheme(names=("nothing", *(f"part {k}" for k in range(10))))
    (folder / "dataset.json").write_text(json.dumps({"regions": regions.to_dict()}))
    assert FolderDataset(folder, SIDE).regions == regions
    with pytest.raises(InputError, match=r"are nothing, part 0.* but the scheme asked for is background"):
        FolderDataset(folder, SIDE, "celebamask-13")
    (folder / "dataset.json").write_text(json.dumps({"regions": PHOTOGRAPHS_11.to_dict()}))
    assert FolderDataset(folder, SIDE, "celebamask-13").regions == CELEBAMASK_13  # begins with the same eleven


@pytest.mark.parametrize("content", ["{", "[]", '{"regions": {"names": ["alone"]}}', '{"regions": 3}'])
def test_unusable_dataset_json(make_folder: Make, content: str) -> None:
    folder = make_folder(1)
    (folder / "dataset.json").write_text(content)
    with pytest.raises(InputError, match=r"dataset\.json"):
        FolderDataset(folder, SIDE)


def test_scheme_is_guessed_only_when_told(make_folder: Make, save_labels: Save) -> None:
    folder = make_folder(2)
    assert FolderDataset(folder, SIDE, "guess").regions == PHOTOGRAPHS_11
    save_labels(folder / "label" / "0001.png", np.full((SIDE, SIDE), 12, np.uint8))
    assert FolderDataset(folder, SIDE, "guess").regions == CELEBAMASK_13
    save_labels(folder / "label" / "0001.png", np.full((SIDE, SIDE), 13, np.uint8))
    with pytest.raises(InputError, match="label 13, more than any known scheme"):
        FolderDataset(folder, SIDE, "guess")


def test_labels_in_another_order(make_folder: Make) -> None:
    folder = make_folder(1)
    hair = BISENET_19_ORDER.index("hair")
    Image.fromarray(np.full((SIDE, SIDE), hair, np.uint8)).save(folder / "label" / "0000.png")
    dataset = open_dataset("folder", folder, SIDE, "celebamask-13", label_order="bisenet-19")
    assert dataset[0].labels.unique().tolist() == [CELEBAMASK_13.index("hair")]
    with pytest.raises(InputError, match=r"unknown label order 'bisenet'.* Did you mean 'bisenet-19'"):
        open_dataset("folder", folder, SIDE, "celebamask-13", label_order="bisenet")


def test_label_outside_the_scheme_names_the_file(make_folder: Make, to_zip: Make, save_labels: Save) -> None:
    folder = make_folder(2)
    save_labels(folder / "label" / "0001.png", np.full((SIDE, SIDE), 12, np.uint8))
    for path in (folder, to_zip(folder)):
        with pytest.raises(InputError, match=rf"{path.name}/label/0001\.png' holds the value 12, .* 0 to 10"):
            FolderDataset(path, SIDE, PHOTOGRAPHS_11)[1]


def test_picture_without_label_map(make_folder: Make) -> None:
    folder = make_folder(8)
    for index in range(1, 8):
        (folder / "label" / f"{index:04}.png").unlink()
    with pytest.raises(InputError, match=r"7 pictures without label map .*0001\.png.*0005\.png, \.\.\.\.") as caught:
        FolderDataset(folder, SIDE, PHOTOGRAPHS_11)
    assert "0006" not in str(caught.value)


def test_label_map_without_picture(make_folder: Make) -> None:
    folder = make_folder(2)
    (folder / "image" / "0001.png").unlink()
    with pytest.raises(InputError, match=r"1 label map without picture .*label/0001\.png"):
        FolderDataset(folder, SIDE, PHOTOGRAPHS_11)


def test_two_pictures_of_one_name(make_folder: Make) -> None:
    folder = make_folder(1)
    Image.new("RGB", (SIDE, SIDE)).save(folder / "image" / "0000.jpg")
    with pytest.raises(InputError, match="share a name"):
        FolderDataset(folder, SIDE, PHOTOGRAPHS_11)


def test_map_of_another_shape(make_folder: Make, save_labels: Save) -> None:
    folder = make_folder(1)
    save_labels(folder / "label" / "0000.png", np.zeros((SIDE, SIDE // 2), np.uint8))
    with pytest.raises(InputError, match=r"image/0000\.png' is 24x24 but its label map is 12x24"):
        FolderDataset(folder, SIDE, PHOTOGRAPHS_11)[0]


def test_no_data(tmp_path: Path, to_zip: Make) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for path in (empty, to_zip(empty)):
        with pytest.raises(InputError, match=r"no pictures in .*it is empty.*image/"):
            FolderDataset(path, SIDE, PHOTOGRAPHS_11)
    (empty / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="1 other files"):
        FolderDataset(empty, SIDE, PHOTOGRAPHS_11)
    with pytest.raises(MissingFileError, match="does not exist"):
        FolderDataset(tmp_path / "nowhere", SIDE, PHOTOGRAPHS_11)
    with pytest.raises(InputError, match="not an intact zip"):
        FolderDataset(empty / "notes.txt", SIDE, PHOTOGRAPHS_11)


def test_damaged_zip(make_folder: Make, to_zip: Make) -> None:
    path = to_zip(make_folder(2))
    content = bytearray(path.read_bytes())
    start = content.find(b"IDAT")
    content[start + 20] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"image/0000\.png' cannot be read from the zip"):
        FolderDataset(path, SIDE, PHOTOGRAPHS_11)[0]
    path.write_bytes(content[:-100])
    with pytest.raises(InputError, match="not an intact zip"):
        ZipStorage(path)


@pytest.mark.parametrize("workers", [0, 2])
def test_cached_pairs_are_the_same(make_folder: Make, workers: int) -> None:
    dataset = open_dataset("folder", make_folder(5), 16, PHOTOGRAPHS_11)
    before = torch.get_rng_state()
    cached = CachedPairs(dataset, workers)
    assert torch.equal(torch.get_rng_state(), before)
    assert (len(cached), cached.key(), cached.regions, cached.size) == (5, dataset.key(), PHOTOGRAPHS_11, 16)
    for index in range(5):
        assert all(torch.equal(one, other) for one, other in zip(cached[index], dataset[index], strict=True))


@pytest.mark.parametrize("workers", [0, 2])
def test_cache_reports_the_one_clear_line(make_folder: Make, workers: int) -> None:
    folder = make_folder(3)
    (folder / "image" / "0002.png").write_bytes(b"<html>")
    with pytest.raises(InputError, match="web page") as caught:
        CachedPairs(open_dataset("folder", folder, 16, PHOTOGRAPHS_11), workers)
    assert "\n" not in str(caught.value)


def test_cache_has_a_limit(make_folder: Make) -> None:
    dataset = open_dataset("folder", make_folder(2), 16, PHOTOGRAPHS_11)
    assert cached_if_small(dataset, limit=2 * 4 * 16 * 16 - 1) is dataset
    assert isinstance(cached_if_small(dataset, limit=2 * 4 * 16 * 16), CachedPairs)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "folders"}, "unknown kind of dataset 'folders'.* Did you mean 'folder'"),
        ({"kind": "folder"}, "needs the path"),
        ({"kind": "portraits", "path": "x"}, "neither a path"),
        ({"kind": "portraits", "scheme": "photographs-11"}, "nor another scheme"),
        ({"kind": "folder", "path": "x", "style": "ink"}, "Only portraits have one"),
        ({"kind": "portraits", "label_order": "bisenet-19"}, "label maps of a folder"),
        ({"kind": "folder", "path": "x", "split": "val"}, "no validation part"),
        ({"kind": "folder", "path": "x", "split": "test"}, "unknown split 'test'"),
        ({"kind": "folder", "path": "x", "size": 0}, "size 0 is not a resolution"),
        ({"kind": "folder", "path": "x", "length": 0}, "length 0 is too small"),
    ],
)
def test_wrong_options(options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        open_dataset(**options)  # type: ignore[arg-type]


def test_unknown_scheme(make_folder: Make) -> None:
    with pytest.raises(InputError, match=r"unknown region scheme 'celebamask'.* Did you mean 'celebamask-13'"):
        open_dataset("folder", make_folder(1), scheme="celebamask")
