"""Pairs in an LMDB: those of the source, in any process; one clear line for anything that is no such file."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import lmdb
import numpy as np
import pytest
import torch

from semanticgan.data import PairDataset, batches, lmdb_pairs, open_dataset
from semanticgan.data.encoding import Encoder
from semanticgan.data.lmdb_pairs import LmdbDataset, PairWriter
from semanticgan.data.prepare import prepare
from semanticgan.errors import InputError, MissingFileError
from semanticgan.regions import CELEBAMASK_13, PHOTOGRAPHS_11

Make = Callable[..., Path]


@pytest.fixture
def source(make_folder: Make) -> PairDataset:
    return open_dataset("folder", make_folder(5), 16, "photographs-11")


@pytest.fixture
def prepared(source: PairDataset, tmp_path: Path) -> Path:
    return prepare(source, tmp_path / "pairs.lmdb", output_format="lmdb", workers=0).path


def test_pairs_are_those_of_the_source(source: PairDataset, prepared: Path) -> None:
    pairs = open_dataset("lmdb", prepared, 16)
    assert (len(pairs), pairs.size, pairs.regions) == (5, 16, PHOTOGRAPHS_11)
    for index in range(5):
        assert all(torch.equal(one, other) for one, other in zip(source[index], pairs[index], strict=True))
    with pytest.raises(IndexError):
        pairs[5]
    assert sorted(path.name for path in prepared.iterdir()) == ["data.mdb", "dataset.json", "report.json"]


def test_another_library_finds_what_the_docstring_says(source: PairDataset, prepared: Path) -> None:
    with lmdb.open(str(prepared), readonly=True, lock=False) as environment, environment.begin() as transaction:
        keys = [key.decode() for key, _ in transaction.cursor()]
        image, labels = transaction.get(b"00000003/image"), transaction.get(b"00000003/labels")
        record, metadata = (json.loads(transaction.get(key)) for key in (b"00000003/record", b"metadata"))
    assert keys[3:6] == ["00000001/image", "00000001/labels", "00000001/record"] and keys[-1] == "metadata"
    assert image.startswith(b"\x89PNG") and labels.startswith(b"\x89PNG") and len(keys) == 16
    assert record["image"] == hashlib.sha256(image).hexdigest()
    assert record["pixels"] == np.bincount(source[3].labels.numpy().ravel(), minlength=11).tolist()
    assert (metadata["count"], metadata["size"], metadata["source"]) == (5, 16, source.key())
    assert metadata == json.loads((prepared / "dataset.json").read_text())
    assert abs(sum(metadata["shares"].values()) - 1) < 1e-4


def test_jpeg_is_near_and_its_labels_are_exact(tmp_path: Path) -> None:
    drawn = open_dataset("portraits", size=128, length=2)
    options = {"output_format": "lmdb", "picture_format": "jpeg", "workers": 0}
    pairs = LmdbDataset(prepare(drawn, tmp_path / "out", **options).path)
    for index in range(2):
        difference = (pairs[index].image.int() - drawn[index].image.int()).abs()
        assert 0 < difference.float().mean() < 1.5 and difference.max() <= 20
        assert torch.equal(pairs[index].labels, drawn[index].labels)
    image = pairs.read(0, "image")
    start = image.index(b"\xff\xc0") + 10  # the frame header: for each component its id, sampling factors, table
    assert [image[start + 3 * component + 1] for component in range(3)] == [0x11] * 3  # 4:4:4


def test_the_format_of_pictures_follows_the_size(tmp_path: Path) -> None:
    for size, start in ((256, b"\x89PNG"), (512, b"\xff\xd8")):
        drawn = open_dataset("portraits", size=size, length=1)
        pairs = LmdbDataset(prepare(drawn, tmp_path / str(size), output_format="lmdb", workers=0).path)
        assert pairs.read(0, "image").startswith(start)


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_processes_read_what_one_reads(source: PairDataset, prepared: Path, start_method: str) -> None:
    if start_method == "fork" and os.name != "posix":
        pytest.skip("needs fork")
    pairs = open_dataset("lmdb", prepared, 16)
    assert torch.equal(pairs[0].image, source[0].image)  # open in the parent when the processes start
    expected = batches(source, 2, seed=3)
    found = batches(pairs, 2, seed=3, workers=2, start_method=start_method)
    for _ in range(4):
        assert all(torch.equal(one, other) for one, other in zip(next(expected), next(found), strict=True))
    assert torch.equal(pairs[1].image, source[1].image)


def test_opened_twice_in_one_process(source: PairDataset, prepared: Path) -> None:
    one, other = LmdbDataset(prepared), LmdbDataset(prepared / "data.mdb")
    again = pickle.loads(pickle.dumps(one))
    assert one.key() == other.key() == again.key()
    assert all(torch.equal(pairs[4].image, source[4].image) for pairs in (one, other, again))


def test_key(prepared: Path, make_folder: Make, tmp_path: Path) -> None:
    moved = shutil.copytree(prepared, tmp_path / "moved")
    fewer = open_dataset("folder", tmp_path / "faces", 16, "photographs-11", length=4)
    shorter = prepare(fewer, tmp_path / "shorter", output_format="lmdb", workers=0).path
    keys = [LmdbDataset(path).key() for path in (prepared, moved, shorter)]
    assert keys[0] == keys[1] != keys[2]
    assert LmdbDataset(prepared, scheme=CELEBAMASK_13).key() != keys[0]


def test_length_and_key_read_no_pair(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LmdbDataset, "read", None)
    pairs = open_dataset("lmdb", prepared, 16)
    assert len(pairs) == 5 and len(pairs.key()) == 16


@pytest.mark.parametrize(("memory", "readahead"), [(0, False), (10**6, True)])
def test_no_readahead_of_files_larger_than_memory(
    prepared: Path, monkeypatch: pytest.MonkeyPatch, memory: int, readahead: bool
) -> None:
    given, really = [], lmdb.open
    monkeypatch.setattr(lmdb_pairs, "_memory", lambda: memory)
    monkeypatch.setattr(lmdb, "open", lambda *args, **options: given.append(options) or really(*args, **options))
    LmdbDataset(prepared)
    assert [(o["readahead"], o["readonly"], o["lock"]) for o in given] == [(readahead, True, False)]


def test_replaced_while_open(prepared: Path, make_folder: Make) -> None:
    old = LmdbDataset(prepared)
    first = old[0].image
    other = open_dataset("folder", make_folder(3, "others"), 16, "photographs-11", length=2)
    prepare(other, prepared, output_format="lmdb", workers=0, overwrite=True)
    assert torch.equal(old[0].image, first)  # the old file, as long as it is open
    assert len(LmdbDataset(prepared)) == 2
    copied = pickle.loads(pickle.dumps(old))
    lmdb_pairs._opened.clear()
    with pytest.raises(InputError, match="was replaced while it was being read"):
        copied[0]


def test_other_size_kind_and_scheme(prepared: Path, make_folder: Make, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds pairs of 16 pixels, but 32 are asked for\. .*--size 32 --format lmdb"):
        open_dataset("lmdb", prepared, 32)
    for kind in ("folder", "celebamask-hq"):
        with pytest.raises(InputError, match=r"is an LMDB\. Give the kind 'lmdb' \(data\.kind=lmdb"):
            open_dataset(kind, prepared, 16)
    with pytest.raises(InputError, match=r"it holds no data\.mdb\. It is a folder of pictures: give the kind 'folder'"):
        open_dataset("lmdb", tmp_path / "faces", 16)
    assert open_dataset("lmdb", prepared, 16, "celebamask-13").regions == CELEBAMASK_13  # begins with these 11
    with pytest.raises(InputError, match="Did you mean 'photographs-11'"):
        open_dataset("lmdb", prepared, 16, "photographs-12")
    with pytest.raises(InputError, match="no validation part"):
        open_dataset("lmdb", prepared, 16, split="val")
    with pytest.raises(MissingFileError, match="LMDB 'nowhere' does not exist"):
        open_dataset("lmdb", "nowhere", 16)


def garble(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(path.stat().st_size))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def cut_to_nothing(path: Path) -> None:
    path.write_bytes(b"")


def put_another(path: Path) -> None:
    path.unlink()
    with lmdb.open(str(path.parent), map_size=1 << 20) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"00000000", b"a picture")


def put_newer(path: Path) -> None:
    with lmdb.open(str(path.parent), map_size=1 << 20) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"metadata", json.dumps({"format": 99}).encode())


def undo_the_end(path: Path) -> None:
    with lmdb.open(str(path.parent), map_size=1 << 20) as environment, environment.begin(write=True) as transaction:
        transaction.delete(b"metadata")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (garble, "is not an intact LMDB"),
        (lambda path: path.write_text("<!doctype html>" * 1000), "is not an intact LMDB"),
        (cut, "is cut off: it has"),
        (cut_to_nothing, "is not an intact LMDB"),
        (put_another, r"was not written by prepare-data"),
        (put_newer, r"has format 99, this version reads up to 1\. Update"),
        (undo_the_end, r"is unfinished\. Repeat the prepare-data command"),
    ],
)
def test_no_such_file(prepared: Path, spoil: Callable[[Path], None], words: str) -> None:
    spoil(prepared / "data.mdb")
    with pytest.raises(InputError, match=words):
        open_dataset("lmdb", prepared, 16)


def test_a_damaged_pair_is_named(prepared: Path) -> None:
    pairs = LmdbDataset(prepared)
    content = (prepared / "data.mdb").read_bytes()
    picture = pairs.read(2, "image")
    spoilt = picture[:60] + b"damage" + picture[66:]
    shutil.copytree(prepared, prepared.parent / "copy")
    (prepared.parent / "copy" / "data.mdb").write_bytes(content.replace(picture, spoilt))
    with pytest.raises(InputError, match=r"data\.mdb:00000002/image' cannot be decoded"):
        LmdbDataset(prepared.parent / "copy")[2]


def test_two_writers_do_not_mix(source: PairDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmdb_pairs, "PAIRS_A_COMMIT", 2)
    encoder = Encoder(source, "png")
    one, other = PairWriter(tmp_path), PairWriter(tmp_path)
    for index in range(2):
        one.append(encoder[index])
    other.append(encoder[0])
    with pytest.raises(InputError, match="another process is writing"):
        other.append(encoder[1])
    assert len(PairWriter(tmp_path).records) == 2
