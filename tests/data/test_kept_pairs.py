"""A preparation that is repeated keeps the pairs whose sources are what they were, and no others."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from semanticgan.data import PairDataset, lmdb_pairs, open_dataset
from semanticgan.data.pairs import first_pairs
from semanticgan.data.prepare import FORMATS, prepare
from semanticgan.errors import InputError

Make = Callable[..., Path]


@pytest.fixture(autouse=True)
def small_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmdb_pairs, "PAIRS_A_COMMIT", 4)


@pytest.fixture(params=FORMATS)
def output_format(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def opened(path: Path, **options: Any) -> PairDataset:
    return open_dataset("folder", path, **{"size": 16, "scheme": "photographs-11", **options})


def lasting(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "report.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def break_off(folder: Path, out: Path, output_format: str, index: int = 9, **options: Any) -> bytes:
    """Begin a preparation of a set whose picture ``index`` is broken; its intact content."""
    picture = folder / "image" / f"{index:04}.png"
    intact = picture.read_bytes()
    picture.write_bytes(intact[: len(intact) // 2])
    with pytest.raises(InputError, match=rf"{picture.name}.* what is prepared is kept"):
        prepare(opened(folder, **options), out, output_format=output_format, workers=0)
    return intact


def require_like_new(folder: Path, out: Path, output_format: str) -> None:
    """The output has the bytes of one that was never cut off."""
    prepare(opened(folder), out.with_name("whole"), output_format=output_format, workers=0)
    assert lasting(out) == lasting(out.with_name("whole"))
    assert not [path for path in out.parent.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("index", [0, 9, 10])
def test_a_broken_picture_is_replaced(make_folder: Make, tmp_path: Path, output_format: str, index: int) -> None:
    folder, out = make_folder(11), tmp_path / "out"
    intact = break_off(folder, out, output_format, index)
    (folder / "image" / f"{index:04}.png").write_bytes(intact)
    report = prepare(opened(folder), out, output_format=output_format, workers=2).report
    assert report["num_taken_up"] == 10
    require_like_new(folder, out, output_format)


def test_it_is_replaced_by_one_in_another_format(make_folder: Make, tmp_path: Path, output_format: str) -> None:
    folder, out = make_folder(11), tmp_path / "out"
    break_off(folder, out, output_format)
    (folder / "image" / "0009.png").unlink()
    Image.new("RGB", (24, 24), "red").save(folder / "image" / "0009.bmp")
    assert prepare(opened(folder), out, output_format=output_format, workers=0).report["num_taken_up"] == 10
    require_like_new(folder, out, output_format)


@pytest.mark.parametrize("kind", ["image", "label"])
@pytest.mark.parametrize("index", [0, 5, 10])
def test_a_source_that_was_prepared_changes(
    make_folder: Make, tmp_path: Path, output_format: str, kind: str, index: int
) -> None:
    """Neither size nor time of change of its file tell it."""
    folder, out = make_folder(11), tmp_path / "out"
    intact = break_off(folder, out, output_format)
    (folder / "image" / "0009.png").write_bytes(intact)
    changed = folder / kind / f"{index:04}.png"
    before = changed.stat()
    values = np.asarray(Image.open(changed)).copy()
    values[:12] = values[12:].copy()
    image = Image.fromarray(values)
    if kind == "label":
        image.putpalette(Image.open(changed).getpalette() or [])
    image.save(changed)
    content = changed.read_bytes()
    assert len(content) <= before.st_size
    changed.write_bytes(content + bytes(before.st_size - len(content)))
    os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert prepare(opened(folder), out, output_format=output_format, workers=0).report["num_taken_up"] == 9
    require_like_new(folder, out, output_format)


def test_pictures_are_added_and_removed(make_folder: Make, tmp_path: Path, output_format: str) -> None:
    folder, out = make_folder(11), tmp_path / "out"
    for number in (11, 3):
        (folder / "image" / "0009.png").write_bytes(break_off(folder, out, output_format))
        for kind in ("image", "label"):
            if number == 11:
                shutil.copy(folder / kind / "0000.png", folder / kind / "0011.png")
            else:
                (folder / kind / "0003.png").unlink()
    report = prepare(opened(folder), out, output_format=output_format, workers=0).report
    assert (report["count"], report["num_taken_up"]) == (11, 3)
    require_like_new(folder, out, output_format)


def test_another_set_under_the_same_names(make_folder: Make, tmp_path: Path, output_format: str) -> None:
    folder, other, out = make_folder(11), make_folder(11, "other"), tmp_path / "out"
    for index in range(11):
        Image.new("RGB", (24, 24), (index, 0, 0)).save(other / "image" / f"{index:04}.png")
    break_off(folder, out, output_format)
    assert prepare(opened(other), out, output_format=output_format, workers=0).report["num_taken_up"] == 0
    require_like_new(other, out, output_format)


def test_fewer_are_prepared_the_second_time(make_folder: Make, tmp_path: Path, output_format: str) -> None:
    folder, out = make_folder(11), tmp_path / "out"
    break_off(folder, out, output_format)
    report = prepare(first_pairs(opened(folder), 6), out, output_format=output_format, workers=0).report
    assert (report["count"], report["num_taken_up"]) == (6, 6)
    assert len(open_dataset("lmdb" if output_format == "lmdb" else "folder", out, 16)) == 6


def test_another_order_of_labels(make_folder: Make, tmp_path: Path, output_format: str) -> None:
    folder, out = make_folder(11), tmp_path / "out"
    intact = break_off(folder, out, output_format, scheme="celebamask-13")
    (folder / "image" / "0009.png").write_bytes(intact)
    again = opened(folder, scheme="celebamask-13", label_order="celebamask-19")
    assert prepare(again, out, output_format=output_format, workers=0).report["num_taken_up"] == 0


def test_stored_files_that_were_spoilt(make_folder: Make, tmp_path: Path) -> None:
    folder, out = make_folder(11), tmp_path / "out"
    intact = break_off(folder, out, "folder")
    (folder / "image" / "0009.png").write_bytes(intact)
    partial = tmp_path / ".out.preparing"
    shutil.copy(partial / "image" / "00001.png", partial / "image" / "00002.png")
    shutil.copy(partial / "label" / "00003.png", partial / "label" / "00004.png")
    (partial / "image" / "00005.png").unlink()
    journal = partial / "sources.jsonl"
    journal.write_bytes(journal.read_bytes()[:-30])  # cut short by a power failure
    assert prepare(opened(folder), out, workers=0).report["num_taken_up"] == 6
    require_like_new(folder, out, "folder")


def test_a_zip_that_was_packed_again(make_folder: Make, to_zip: Make, tmp_path: Path, output_format: str) -> None:
    folder, out = make_folder(11), tmp_path / "out"
    picture = folder / "image" / "0009.png"
    intact = picture.read_bytes()
    picture.write_bytes(intact[:100])
    with pytest.raises(InputError, match=r"0009\.png"):
        prepare(opened(to_zip(folder)), out, output_format=output_format, workers=0)
    picture.write_bytes(intact)
    with zipfile.ZipFile(to_zip(folder)) as archive:
        assert archive.testzip() is None
    report = prepare(opened(tmp_path / "faces.zip"), out, output_format=output_format, workers=0).report
    assert report["num_taken_up"] == 10


def test_a_celebamask_picture_is_replaced(make_celebamask: Make, tmp_path: Path, output_format: str) -> None:
    masks = {"skin": np.ones((16, 16), bool), "hair": np.eye(16, dtype=bool)}
    folder, out = make_celebamask(dict.fromkeys(range(6), masks)), tmp_path / "out"
    mask = folder / "CelebAMask-HQ-mask-anno" / "0" / "00003_hair.png"
    intact = mask.read_bytes()
    mask.write_bytes(b"")
    for _ in range(2):
        with pytest.raises(InputError, match="00003_hair"):
            prepare(open_dataset("celebamask-hq", folder, 16), out, output_format=output_format, workers=0)
    mask.write_bytes(intact)
    again = prepare(open_dataset("celebamask-hq", folder, 16), out, output_format=output_format, workers=0)
    assert again.report["num_taken_up"] == 5


def test_all_broken_pictures_are_named_at_once(make_folder: Make, tmp_path: Path, output_format: str) -> None:
    folder = make_folder(9)
    for index in (1, 2, 7):
        (folder / "image" / f"{index:04}.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"3 of 9 pairs cannot be used: .*0001.*0002.*0007") as caught:
        prepare(opened(folder), tmp_path / "out", output_format=output_format, workers=2)
    assert "\n" not in str(caught.value)


def test_a_set_that_is_wrong_as_a_whole_ends_early(make_folder: Make, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("semanticgan.data.prepare._MOST_COMPLAINTS", 4)
    folder = make_folder(9)
    for picture in (folder / "image").iterdir():
        picture.write_bytes(b"")
    with pytest.raises(InputError, match="at least 4 of 9 pairs"):
        prepare(opened(folder), tmp_path / "out", workers=0)
