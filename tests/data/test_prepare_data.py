"""The command `prepare-data`: what it writes, and one clear line for every mistake in the data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from semanticgan.data import open_dataset
from semanticgan.regions import CELEBAMASK_13, PHOTOGRAPHS_11

Make = Callable[..., Path]
Command = Callable[..., Any]


def test_folder(make_folder: Make, command: Command, tmp_path: Path) -> None:
    result = command(
        "prepare-data",
        "folder",
        make_folder(3),
        "--scheme",
        "photographs-11",
        "--size",
        16,
        "--out",
        "out",
        "--count",
        2,
    ).result
    assert (result["count"], result["size"], result["out"]) == (2, 16, "out")
    assert abs(sum(result["shares"].values()) - 1) < 1e-4 and list(result["shares"]) == list(PHOTOGRAPHS_11.names)
    assert len(open_dataset("folder", tmp_path / "out", 16)) == 2


def test_celebamask(make_celebamask: Make, command: Command, tmp_path: Path) -> None:
    source = make_celebamask({28000: {"skin": np.ones((16, 16), bool)}})
    arguments = ("prepare-data", "celebamask-hq", source, "--size", 16, "--workers", 0)
    result = command(*arguments, "--split", "val", "--out", "val").result
    assert result["shares"]["face"] == 1.0
    assert open_dataset("folder", tmp_path / "val", 16).regions == CELEBAMASK_13
    assert "no pictures of split 'train'" in command(*arguments, "--out", "train").complaint
    assert not (tmp_path / "train").exists()


def test_portraits_have_attributes(command: Command, tmp_path: Path) -> None:
    arguments = ("prepare-data", "portraits", "--size", 32, "--count", 3, "--seed", 5, "--workers", 0)
    assert command(*arguments, "--out", "out").result["count"] == 3
    prepared, drawn = open_dataset("folder", tmp_path / "out", 32), open_dataset("portraits", size=32, length=3, seed=5)
    for index in range(3):
        assert prepared[index].image.equal(drawn[index].image) and prepared[index].labels.equal(drawn[index].labels)
    records = [json.loads(line) for line in (tmp_path / "out" / "attributes.jsonl").read_text().splitlines()]
    assert len(records) == 3 and {"smile", "glasses", "hat", "age", "yaw"} <= set(records[0])
    for record, pair in zip(records, prepared, strict=False):
        assert record["glasses"] or not bool((pair.labels == CELEBAMASK_13.index("glasses")).any())


def spoil_label(folder: Path) -> None:
    Image.fromarray(np.full((24, 24), 11, np.uint8)).save(folder / "label" / "0001.png")


def spoil_shape(folder: Path) -> None:
    Image.new("RGB", (24, 12)).save(folder / "image" / "0001.png")


def cut(folder: Path) -> None:
    picture = folder / "image" / "0001.png"
    picture.write_bytes(picture.read_bytes()[:200])


def empty(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "label" / "0001.png").unlink(), "1 picture without label map"),
        (lambda folder: (folder / "image" / "0001.png").unlink(), "1 label map without picture"),
        (spoil_label, "label/0001.png' holds the value 11, but its labels are 0 to 10"),
        (spoil_shape, "image/0001.png' is 24x12 but its label map is 24x24"),
        (cut, "image/0001.png' cannot be decoded"),
        (lambda folder: (folder / "image" / "0001.png").write_bytes(b"<!doctype html>"), "is a web page"),
        (lambda folder: (folder / "image" / "0001.png").write_bytes(b"version https://git-lfs"), "git lfs pull"),
        (empty, "no pictures in"),
    ],
)
def test_mistakes_in_the_data(
    make_folder: Make, command: Command, tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    folder = make_folder(3)
    spoil(folder)
    arguments = ("prepare-data", "folder", folder, "--scheme", "photographs-11", "--size", 16, "--out", "out")
    for workers in (0, 2):
        assert words in command(*arguments, "--workers", workers).complaint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("folder", "nowhere", "--out", "out"), "data 'nowhere' does not exist"),
        (("folder", "--out", "out"), "needs the path"),
        (("folder", "faces", "--out", "out", "--size", 60), "'60' is not a resolution"),
        (("folder", "faces", "--out", "out", "--size", 64), "does not say what its labels mean"),
        (("folder", "faces", "--out", "out", "--scheme", "photograph-11"), "Did you mean 'photographs-11'"),
        (("folders", "faces", "--out", "out"), "invalid choice: 'folders'"),
        (("portraits", "--out", "faces"), "'faces' exists already"),
        (("portraits", "--out", "faces", "--overwrite"), "is not a prepared dataset"),
        (("folder", "faces", "--out", "faces", "--scheme", "guess", "--overwrite"), "is the source 'faces'"),
    ],
)
def test_mistakes_in_the_arguments(
    make_folder: Make, command: Command, tmp_path: Path, arguments: tuple[object, ...], words: str
) -> None:
    make_folder(2)
    assert words in command("prepare-data", *arguments).complaint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces"]
    assert len(list((tmp_path / "faces").rglob("*.png"))) == 4
