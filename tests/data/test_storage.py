"""Files of a folder or zip: which are data, under which names, and how large they may be."""

from __future__ import annotations

import os
import tracemalloc
import unicodedata
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from semanticgan.data import storage
from semanticgan.data.storage import FolderStorage, ZipStorage, open_storage
from semanticgan.errors import DataWarning, InputError

NFC, NFD = (unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD"))
SYSTEM = [
    "@eaDir/a.jpg",
    "@eaDir/a.jpg/SYNOFILE_THUMB_M.jpg",
    "image/@eadir/a.jpg",
    ".thumbnails/a.png",
    "__MACOSX/image/._a.jpg",
    ".AppleDouble/a.jpg",
    "image/._a.jpg",
    ".DS_Store",
    "image/Thumbs.db",
    "ehthumbs.db",
    "Desktop.ini",
    "#recycle/a.jpg",
    "@Recycle/a.jpg",
    "#snapshot/a.jpg",
    "$RECYCLE.BIN/S-1-5/a.jpg",
    "lost+found/a.jpg",
    "System Volume Information/a.jpg",
    ".Trash-1000/files/a.jpg",
    ".git/a.jpg",
]


@pytest.fixture(autouse=True)
def warnings_are_errors() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def packed(path: Path, *names: str) -> Path:
    """A zip with entries of exactly these names; each holds its name."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            entry = zipfile.ZipInfo("x")
            entry.filename = name
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of two entries of one name
                archive.writestr(entry, name.encode())
    return path


@pytest.mark.parametrize("name", SYSTEM)
def test_files_of_the_system_are_no_data(tmp_path: Path, name: str) -> None:
    assert [*open_storage(fill(tmp_path / "folder", "image/a.jpg", name)).sizes] == ["image/a.jpg"]
    assert [*open_storage(packed(tmp_path / "a.zip", "image/a.jpg", name)).sizes] == ["image/a.jpg"]


def test_names_that_only_look_like_the_systems_are_data(tmp_path: Path) -> None:
    names = ["#1.jpg", "$a.jpg", "@a.jpg", "thumbs.jpg"]
    assert sorted(open_storage(fill(tmp_path / "folder", *names)).sizes) == sorted(names)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("./image/a.png", "image/a.png"),
        (".\\image\\a.png", "image/a.png"),
        ("set\\image\\a.png", "set/image/a.png"),
        ("image//a.png", "image/a.png"),
        ("image/./a.png", "image/a.png"),
        (f"image/{NFD}.png", f"image/{NFC}.png"),
    ],
)
def test_names_in_zips(tmp_path: Path, written: str, read: str) -> None:
    opened = ZipStorage(packed(tmp_path / "a.zip", written, "./", "image\\"))
    assert [*opened.sizes] == [read] and opened.read(read) == written.encode()


def test_names_without_the_flag_for_utf8(tmp_path: Path) -> None:
    """macOS writes UTF-8 and does not say so; old programs write the encoding of their country."""
    for encoding, read in (("utf-8", f"{NFC}.png"), ("cp437", f"{NFC}.png"), ("shift-jis", None)):
        path = tmp_path / f"{encoding}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("NAMENAME.png", b"content")
        raw = (NFC if read else "名前").encode(encoding)
        path.write_bytes(path.read_bytes().replace(b"NAMENAME", raw + b"_" * (8 - len(raw))))
        (name,) = ZipStorage(path).sizes
        assert read is None or name == f"{NFC}{'_' * (8 - len(raw))}.png"
        assert ZipStorage(path).read(name) == b"content"


@pytest.mark.parametrize(
    "name", ["/a.png", "../a.png", "image/../../a.png", "C:/a.png", "C:\\a.png", "\\\\host\\a.png"]
)
def test_names_that_lead_out_of_a_zip(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="leads out of it"):
        ZipStorage(packed(tmp_path / "a.zip", "image/0.png", name))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.png", "a.png"),
        ("a.png", "./a.png"),
        ("image/a.png", "image\\a.png"),
        (f"{NFC}.png", f"{NFD}.png"),
    ],
)
def test_two_entries_of_one_name(tmp_path: Path, one: str, other: str) -> None:
    with pytest.raises(InputError, match="two entries of the name"):
        ZipStorage(packed(tmp_path / "a.zip", one, other))


def test_two_files_whose_names_differ_only_in_unicode_form(tmp_path: Path) -> None:
    folder = fill(tmp_path / "folder", f"{NFC}.png", f"{NFD}.png")
    if len(list(folder.iterdir())) == 1:
        pytest.skip("this file system composes names")
    with pytest.raises(InputError, match="composed"):
        FolderStorage(folder)


def test_names_that_differ_in_case_are_two(tmp_path: Path) -> None:
    assert [*ZipStorage(packed(tmp_path / "a.zip", "A.png", "a.png")).sizes] == ["A.png", "a.png"]


def test_decomposed_names_on_the_disk(tmp_path: Path) -> None:
    opened = FolderStorage(fill(tmp_path / "folder", f"{NFD}/{NFD}.png"))
    assert [*opened.sizes] == [f"{NFC}/{NFC}.png"]
    assert opened.read(f"{NFC}/{NFC}.png") == f"{NFD}/{NFD}.png".encode() and opened.stamp(f"{NFC}/{NFC}.png")


def test_encrypted_entries(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", "a.png")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.png' is encrypted.*without a password"):
        ZipStorage(path)


def test_links_in_zips_are_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.png", b"a")
        link = zipfile.ZipInfo("b.png")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.warns(DataWarning, match=r"links in a zip.* \(1\): b\.png"):
        assert [*open_storage(tmp_path / "a.zip").sizes] == ["a.png"]


@pytest.mark.parametrize(
    ("method", "said"),
    [
        *((method, None) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)),
        *((method, 1000) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)),
    ],
)
def test_large_entries_are_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: int, said: int | None
) -> None:
    """Whether the zip's directory tells the true size, or a small one that is allowed."""
    side = 60_000_000
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", bytes(side), method)
    if said is not None:
        content = path.read_bytes()
        start = content.rindex(b"PK\x01\x02")
        path.write_bytes(content[: start + 24] + said.to_bytes(4, "little") + content[start + 28 :])
    monkeypatch.setattr(storage, "LARGEST_FILE", 20_000_000)
    opened = ZipStorage(path)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="at most" if said is None else "cannot be read from the zip"):
            opened.read("a.png")
        assert tracemalloc.get_traced_memory()[1] < side / 2
    finally:
        tracemalloc.stop()


def test_large_files_are_not_read(tmp_path: Path) -> None:
    folder = fill(tmp_path / "folder", "a.png")
    os.truncate(folder / "a.png", 10 * 2**30)  # takes no room on the disk
    with pytest.raises(InputError, match=r"a\.png' has 10240 MiB; at most 256 MiB are read"):
        FolderStorage(folder).read("a.png")


def test_intact_entries_of_every_method(tmp_path: Path) -> None:
    content = os.urandom(300_000)
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(tmp_path / f"{method}.zip", "w") as archive:
            archive.writestr("a", content, method)
            archive.writestr("b", b"", method)
        opened = ZipStorage(tmp_path / f"{method}.zip")
        assert opened.read("a") == content and opened.read("b") == b""


@pytest.mark.skipif(os.name != "posix", reason="needs links")
class TestLinks:
    def test_to_a_folder_above(self, tmp_path: Path) -> None:
        folder = fill(tmp_path / "data", "a/0.png", "1.png")
        os.symlink(folder, folder / "a" / "up")
        os.symlink(folder / "a", folder / "a" / "self")
        assert [*FolderStorage(folder).sizes] == ["1.png", "a/0.png"]

    def test_folders_linked_into_each_other(self, tmp_path: Path) -> None:
        folder = fill(tmp_path / "data", *(f"{k}/{k}.png" for k in range(6)))
        for one in range(6):
            for other in range(6):
                if one != other:
                    os.symlink(folder / str(other), folder / str(one) / f"to-{other}")
        opened = FolderStorage(folder)
        once = opened.sizes.keys() - opened.repeated([*opened.sizes]).keys()
        assert sorted(once) == [f"{k}/{k}.png" for k in range(6)]

    def test_from_another_disk_and_to_a_folder_beside(self, tmp_path: Path) -> None:
        """What a set needs is a link: to pictures elsewhere, or under another name in the set itself."""
        far = fill(tmp_path / "far", "0.png")
        folder = fill(tmp_path / "data", "photos/1.png")
        os.symlink(far, folder / "label")
        os.symlink(folder / "photos", folder / "image")
        assert [*FolderStorage(folder).sizes] == ["image/1.png", "label/0.png", "photos/1.png"]

    def test_to_files(self, tmp_path: Path) -> None:
        folder = fill(tmp_path / "data", "b.png", "c.png")
        os.link(folder / "b.png", folder / "hard.png")
        for name in ("a.png", "d.png"):
            os.symlink(folder / "b.png", folder / name)
        opened = FolderStorage(folder)
        assert opened.repeated([*opened.sizes]) == {"a.png": "b.png", "d.png": "b.png"}
        assert opened.repeated(["a.png", "c.png"]) == {}

    def test_that_lead_nowhere_and_special_files_are_named(self, tmp_path: Path) -> None:
        folder = fill(tmp_path / "data", "a.png", ".b.png.icloud")
        os.symlink(folder / "gone.png", folder / "dead.png")
        os.symlink(folder / "loop.png", folder / "loop.png")
        os.mkfifo(folder / "pipe.png")
        with pytest.warns(DataWarning) as caught:
            assert [*open_storage(folder).sizes] == ["a.png"]
        (said,) = (str(warning.message) for warning in caught)
        assert "links that lead nowhere (2): dead.png, loop.png" in said
        assert (
            "neither files nor folders (1): pipe.png" in said and "in iCloud only, not on this disk (1): b.png" in said
        )


def test_a_special_file_is_no_zip(tmp_path: Path) -> None:
    mkfifo: Callable[[Path], None] | None = getattr(os, "mkfifo", None)
    if mkfifo is None:
        pytest.skip("needs pipes")
    mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="neither a folder nor a file"):
        open_storage(tmp_path / "pipe")
