"""Files that are not read are counted and named; pairs are found by names as users have them."""

from __future__ import annotations

import os
import unicodedata
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from semanticgan.data import PairDataset, open_dataset
from semanticgan.errors import DataWarning, InputError

Make = Callable[..., Path]
SIDE = 24


def opened(folder: Path, kind: str = "folder", **options: Any) -> PairDataset:
    return open_dataset(kind, folder, SIDE, "photographs-11", **options)


def said(folder: Path, kind: str = "folder", **options: Any) -> list[str]:
    """The warnings of opening a data set."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        opened(folder, kind, **options)
    assert all(issubclass(warning.category, DataWarning) for warning in caught)
    return [str(warning.message) for warning in caught]


def test_nothing_is_said_of_a_plain_set(make_folder: Make) -> None:
    folder = make_folder(2)
    for note in ("README.md", "image/0000.txt", "image/captions.json", "image/LICENSE", "label/Thumbs.db"):
        (folder / note).write_text("x")
    assert said(folder) == said(folder, "pictures") == []


@pytest.mark.parametrize("name", ["a.heic", "b.gif", "c.avif", "d.cr2", "e.jpg~", "f", "g.mp4", "h.svg", "i.jpg.part"])
def test_other_formats(make_folder: Make, name: str) -> None:
    folder = make_folder(2)
    (folder / "image" / name).write_bytes(b"x")
    for kind in ("folder", "pictures"):
        (message,) = said(folder, kind)
        assert (
            "1 file is not read" in message
            and f"image/{name}" in message
            and (Path(name).suffix or "no suffix") in message
        )


def test_many_are_counted_and_a_few_named(make_folder: Make) -> None:
    folder = make_folder(2)
    for index in range(9):
        (folder / "image" / f"{index}.heic").write_bytes(b"x")
        (folder / "label" / f"{index}.jpg").write_bytes(b"x")
    (message,) = said(folder)
    assert "18 files are not read (9 .heic, 9 .jpg)" in message and message.count(".heic") == 6


def test_pictures_beside_image_and_label(make_folder: Make) -> None:
    folder = make_folder(2)
    (folder / "Image").mkdir()
    (folder / "Image" / "5.png").write_bytes(b"x")
    assert "Image/5.png" in said(folder)[0]


@pytest.mark.parametrize(("suffix", "kind"), [(".bmp", "BMP"), (".tif", "TIFF"), (".TIFF", "TIFF"), (".webp", "WEBP")])
def test_other_formats_that_are_read(make_folder: Make, draw: Callable[..., Any], suffix: str, kind: str) -> None:
    folder, (picture, _) = make_folder(2), draw(1)
    (folder / "image" / "0001.png").unlink()
    Image.fromarray(picture).save(folder / "image" / f"0001{suffix}", kind, lossless=True)
    assert said(folder) == []
    assert np.array_equal(opened(folder)[1].image.permute(1, 2, 0).numpy(), picture)


def test_a_missing_partner_that_is_there_in_another_format(make_folder: Make) -> None:
    folder = make_folder(3)
    (folder / "image" / "0001.png").rename(folder / "image" / "0001.heic")
    with pytest.raises(InputError, match=r"1 label map without picture .*Not read are image/0001\.heic"):
        opened(folder)
    (folder / "image" / "0001.heic").rename(folder / "image" / "0001.png")
    (folder / "label" / "0002.png").rename(folder / "label" / "0002.jpg")
    with pytest.raises(InputError, match=r"1 picture without label map .*Not read are label/0002\.jpg"):
        opened(folder)


@pytest.mark.parametrize(("picture", "label"), [("NFD", "NFC"), ("NFC", "NFD"), ("NFD", "NFD")])
def test_composed_and_decomposed_names_match(make_folder: Make, picture: str, label: str) -> None:
    """Also of the folders on the way, and with the same key, whatever the form."""
    keys = set()
    for name in ("plain", "faces"):
        folder = make_folder(1, name)
        for kind, form in (("image", picture), ("label", label)):
            where = folder / kind / unicodedata.normalize(form if name == "faces" else "NFC", "Ærø é")
            where.mkdir()
            (folder / kind / "0000.png").rename(where / unicodedata.normalize(form, "Zoë.png"))
        data = opened(folder)
        assert len(data) == 1 and data.stem(0) == unicodedata.normalize("NFC", "Zoë") and data[0]
        keys.add(data.key())
    assert len(keys) == 1


def test_two_files_of_one_picture_or_map(make_folder: Make) -> None:
    for kind, suffix in (("image", ".bmp"), ("image", ".PNG"), ("label", ".PNG")):
        folder = make_folder(2, f"faces{kind}{suffix}")
        (folder / kind / f"0001{suffix}").write_bytes((folder / kind / "0001.png").read_bytes())
        if len(list((folder / kind).iterdir())) == 3:  # names that differ in case may be one
            with pytest.raises(InputError, match="share a name"):
                opened(folder)


def test_pictures_of_one_name_in_two_formats_are_named(tmp_path: Path) -> None:
    for name in ("a.png", "a.bmp", "b.png", "more/a.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (SIDE, SIDE)).save(tmp_path / "set" / name)
    (message,) = said(tmp_path / "set", "pictures")
    assert "2 pictures differ only in the suffix: a.bmp, a.png" in message


@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_pictures_behind_links_count_once(make_folder: Make) -> None:
    folder = make_folder(3)
    os.symlink(folder / "image" / "0001.png", folder / "image" / "again.png")
    os.symlink(folder / "label" / "0001.png", folder / "label" / "again.png")
    os.symlink(folder, folder / "image" / "up")
    for kind in ("folder", "pictures"):
        (message,) = said(folder, kind)
        assert "left out as links to other pictures of it (1): image/again.png" in message
        assert len(opened(folder, kind)) == 3


@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_label_maps_may_share_a_file(make_folder: Make) -> None:
    folder = make_folder(3)
    (folder / "label" / "0001.png").unlink()
    os.symlink(folder / "label" / "0000.png", folder / "label" / "0001.png")
    assert said(folder) == [] and len(opened(folder)) == 3


def test_a_broken_link_is_named(make_folder: Make) -> None:
    folder = make_folder(2)
    os.symlink(folder / "nowhere.png", folder / "image" / "0005.png")
    (message,) = said(folder)
    assert "links that lead nowhere (1): image/0005.png" in message


def test_zips_of_other_programs(make_folder: Make, tmp_path: Path) -> None:
    folder = make_folder(3)
    with zipfile.ZipFile(tmp_path / "windows.zip", "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            entry = zipfile.ZipInfo("x")
            entry.filename = "set\\" + str(path.relative_to(folder)).replace("/", "\\")
            archive.writestr(entry, path.read_bytes())
        archive.writestr("__MACOSX/set/image/._0000.png", b"x")
    assert opened(tmp_path / "windows.zip").key() == opened(folder).key()
    assert said(tmp_path / "windows.zip") == []


@pytest.mark.parametrize("kind", ["folder", "pictures"])
def test_fewer_pictures_than_asked_for(make_folder: Make, kind: str) -> None:
    folder = make_folder(3)
    assert said(folder, kind, length=3) == said(folder, kind, length=2) == []
    (message,) = said(folder, kind, length=24000)
    assert "3 of 24000" in message and len(opened(folder, kind, length=24000)) == 3


def test_prepare_data_says_that_there_are_fewer(make_folder: Make, command: Callable[..., Any]) -> None:
    arguments = ("prepare-data", "folder", make_folder(3), "--scheme", "photographs-11", "--size", 16, "--workers", 0)
    run = command(*arguments, "--count", 7, "--out", "out")
    assert run.result["count"] == 3 and "warning: the data have only 3 of 7 pictures" in run.err
    assert "only" not in command(*arguments, "--count", 2, "--out", "two").err
