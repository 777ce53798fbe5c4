"""Outputs appear whole or not at all, and never replace anything unasked."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import stat
from pathlib import Path

import pytest
from safetensors import SafetensorError

from semanticgan.errors import ExistingFileError, MissingFileError, UnwritableError
from semanticgan.files import (
    folder_written_aside,
    require_file,
    require_free,
    sha256_of,
    written_aside,
)
from semanticgan.temporary_files import remove_leftovers


def test_required_files(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"weights .* is a folder"):
        require_file(tmp_path, "weights")
    with pytest.raises(FileNotFoundError, match=r"weights .* does not exist"):
        require_file(tmp_path / "none", "weights")
    (tmp_path / "a").write_bytes(b"")
    assert require_file(str(tmp_path / "a"), "weights") == tmp_path / "a"


def test_checking_a_free_place_makes_nothing(tmp_path: Path) -> None:
    assert require_free(tmp_path / "new" / "folder" / "a.png") == tmp_path / "new" / "folder" / "a.png"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UnwritableError, match="cannot write to"):
        require_free(tmp_path / "file" / "a.png")


def test_a_file_appears_at_the_end_with_ordinary_rights(tmp_path: Path) -> None:
    with written_aside(tmp_path / "new" / "a.png") as aside:
        assert aside.suffix == ".png" and aside.parent == tmp_path / "new"
        aside.write_bytes(b"whole")
        assert not (tmp_path / "new" / "a.png").exists()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert stat.S_IMODE((tmp_path / "new" / "a.png").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"mine")
    with pytest.raises(ZeroDivisionError), written_aside(path, overwrite=True) as aside:
        aside.write_bytes(b"half")
        raise ZeroDivisionError
    with pytest.raises(ExistingFileError, match="--overwrite"), written_aside(path):
        pytest.fail("entered")
    assert path.read_bytes() == b"mine" and list(tmp_path.iterdir()) == [path]


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with pytest.raises(ExistingFileError, match="appeared"), written_aside(path) as aside:
        aside.write_bytes(b"new")
        path.write_bytes(b"mine")
    assert path.read_bytes() == b"mine" and list(tmp_path.iterdir()) == [path]


def test_a_folder_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(ExistingFileError, match="is a folder"), written_aside(tmp_path / "a", overwrite=True):
        pytest.fail("entered")
    with pytest.raises(ExistingFileError, match="exists already"), folder_written_aside(tmp_path / "a"):
        pytest.fail("entered")


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), folder_written_aside(tmp_path / "a") as aside:
        (aside / "half").write_bytes(b"half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with folder_written_aside(tmp_path / "a") as aside:
        (aside / "b").mkdir()
        (aside / "b" / "c").write_bytes(b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a" / "b" / "c").read_bytes() == b"whole"


def test_files_are_flushed_through_handles_that_may_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows refuses to flush a file that is open for reading only."""
    fcntl = pytest.importorskip("fcntl")
    modes = []
    monkeypatch.setattr(os, "fsync", lambda handle: modes.append(fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE))
    with written_aside(tmp_path / "a") as aside:
        aside.write_bytes(b"x")
    assert modes == [os.O_RDWR]


def test_sha256(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(content)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(content).hexdigest()


FAILED_WRITES = {
    "disk full": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "quota": OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
    "too large": OSError(errno.EFBIG, os.strerror(errno.EFBIG)),
    "broken disk": OSError(errno.EIO, os.strerror(errno.EIO)),
    "numpy": OSError("1024 requested and 0 written"),
    "Pillow": OSError("encoder error -2 when writing image file"),
    "safetensors": SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    "torch": RuntimeError("PytorchStreamWriter failed writing file data/3: file write failed"),
}


@pytest.mark.parametrize("kind", FAILED_WRITES)
def test_a_failed_write_is_one_line_in_whatever_words(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"mine")
    with (
        pytest.raises(UnwritableError, match=r"a\.png' could not be written") as caught,
        written_aside(path, overwrite=True) as aside,
    ):
        aside.write_bytes(b"half")
        raise FAILED_WRITES[kind]
    assert "\n" not in str(caught.value)
    with pytest.raises(UnwritableError), folder_written_aside(tmp_path / "new"):
        raise FAILED_WRITES[kind]
    assert path.read_bytes() == b"mine" and list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_when_it_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Network file systems tell of a full disk only then."""

    def failing(handle: int) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(UnwritableError, match="quota"), written_aside(tmp_path / "a") as aside:
        aside.write_bytes(b"whole")
    assert list(tmp_path.iterdir()) == []


def test_errors_of_files_that_are_read_meanwhile_stay_their_own(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="source") as caught, written_aside(tmp_path / "a"):
        raise OSError(errno.EIO, os.strerror(errno.EIO), "source.png")
    assert not isinstance(caught.value, UnwritableError)
    with pytest.raises(RuntimeError, match="shapes"), written_aside(tmp_path / "a"):
        raise RuntimeError("shapes cannot be multiplied")


def test_folders_made_for_a_file_that_fails_are_removed(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), written_aside(tmp_path / "new" / "folder" / "a.png"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the test forks")
def test_leftovers_of_killed_processes_alone_are_removed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("mine")
    folder = tmp_path / "folder"
    folder.mkdir()
    mine = (".a-notes.png", ".a-12345678.png", "a-12345678.partial.png", ".partial")
    for name in mine:
        (folder / name).write_text("mine")
    (folder / ".link-12345678.partial").symlink_to(outside)
    os.mkfifo(folder / ".pipe-12345678.partial")
    process = os.fork()
    if not process:
        with written_aside(folder / "a.png"), folder_written_aside(folder / "b") as aside:
            (aside / "half").write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(process, 0)
    names = {path.name for path in folder.iterdir()}
    assert len([name for name in names if ".partial" in name]) == 6
    with written_aside(folder / "going.png") as going:
        remove_leftovers.cache_clear()
        require_free(folder / "a.png")
        found = {path.name for path in folder.iterdir()}
        assert found == {*mine, going.name, ".link-12345678.partial", ".pipe-12345678.partial"}
    assert (outside / "kept").read_text() == "mine"


def test_a_folder_is_replaced_only_when_asked_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with folder_written_aside(path, overwrite=True) as aside:
        (aside / "old").write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), folder_written_aside(path, overwrite=True) as aside:
        raise ZeroDivisionError
    assert [entry.name for entry in path.iterdir()] == ["old"]
    with folder_written_aside(path, overwrite=True) as aside:
        (aside / "new").write_bytes(b"new")
        assert [entry.name for entry in path.iterdir()] == ["old"]
    assert [entry.name for entry in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(ExistingFileError, match="is no folder"), folder_written_aside(tmp_path / "link", True):
        pytest.fail("entered")


def test_a_folder_that_cannot_be_published_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.mkdir()
    (path / "old").write_bytes(b"old")
    rename = os.rename

    def failing(source: Path, target: Path) -> None:
        if str(source).endswith(".partial"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(UnwritableError), folder_written_aside(path, overwrite=True) as aside:
        (aside / "new").write_bytes(b"new")
    assert [entry.name for entry in path.iterdir()] == ["old"] and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a" * 251 + ".png", "\u00e9" * 125 + ".png", "a" * 235 + ".safetensors"], ids=len)
def test_every_name_that_is_allowed_can_be_written(name: str, tmp_path: Path) -> None:
    with written_aside(tmp_path / name) as aside:
        aside.write_bytes(b"whole")
    with folder_written_aside(tmp_path / f"b{name[1:]}"):
        pass
    with folder_written_aside(tmp_path / f"b{name[1:]}", overwrite=True):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {name, f"b{name[1:]}"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the test forks")
@pytest.mark.parametrize("moment", [1, 2])
def test_a_kill_while_a_folder_is_replaced(moment: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before the first rename or between the two, the old folder is there at the next start."""
    path = tmp_path / "a"
    with folder_written_aside(path) as aside:
        (aside / "old").write_bytes(b"old")
    renames, rename = iter(range(1, 9)), os.rename

    def killed(*paths: Path) -> None:
        if next(renames) == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(*paths)

    process = os.fork()
    if not process:
        monkeypatch.setattr(os, "rename", killed)
        with folder_written_aside(path, overwrite=True) as aside:
            (aside / "new").write_bytes(b"new")
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(process, 0)[1])
    assert path.exists() == (moment == 1)
    remove_leftovers.cache_clear()
    with pytest.raises(ExistingFileError, match="exists already"):
        require_free(path)
    assert [entry.name for entry in path.iterdir()] == ["old"] and list(tmp_path.iterdir()) == [path]
