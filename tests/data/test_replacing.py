"""What a preparation may replace and remove: the files of its own list, after a kill too, and one process at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from semanticgan.data import PairDataset, open_dataset
from semanticgan.data.prepare import FORMATS, prepare
from semanticgan.errors import ExistingFileError, InputError

Make = Callable[..., Path]
Command = Callable[..., Any]


@pytest.fixture(params=FORMATS)
def output_format(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def opened(folder: Path, **options: Any) -> PairDataset:
    return open_dataset("folder", folder, **{"size": 16, "scheme": "photographs-11", **options})


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    "name", ["mine.txt", "image/mine.png", "image/00099.png", "label/notes/a.txt", ".git/config", ".env", "data2.mdb"]
)
def test_a_users_file_is_never_removed(make_folder: Make, tmp_path: Path, output_format: str, name: str) -> None:
    source, out = opened(make_folder(3)), tmp_path / "out"
    prepare(source, out, output_format=output_format, workers=0)
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_text("mine")
    before = contents(out)
    with pytest.raises(ExistingFileError, match="holds more than a prepared dataset") as caught:
        prepare(source, out, output_format=output_format, overwrite=True, workers=0)
    assert name.split("/")[0] in str(caught.value)
    assert contents(out) == before and sorted(path.name for path in tmp_path.iterdir()) == ["faces", "out"]


@pytest.mark.skipif(os.name != "posix", reason="needs links")
@pytest.mark.parametrize("name", ["image", "more", "dataset.json"])
def test_links_are_not_replaced(make_folder: Make, tmp_path: Path, name: str) -> None:
    source, out = opened(make_folder(3)), tmp_path / "out"
    prepare(source, out, workers=0)
    if (out / name).exists():
        (out / name).rename(tmp_path / "elsewhere")
    else:
        (tmp_path / "elsewhere").mkdir()
    os.symlink(tmp_path / "elsewhere", out / name)
    if name == "dataset.json":
        prepare(source, out, workers=0, overwrite=True)  # a file of the set's list; what it leads to stays
    else:
        with pytest.raises(ExistingFileError):
            prepare(source, out, workers=0, overwrite=True)
        assert (out / name).is_symlink()
    assert (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("spoil", ["list", "digest", "kind", "no list"])
def test_a_folder_that_looks_like_a_prepared_set(make_folder: Make, tmp_path: Path, spoil: str) -> None:
    source, out = opened(make_folder(3)), tmp_path / "out"
    prepare(source, out, workers=0)
    described = json.loads((out / "dataset.json").read_text())
    sums = (out / "SHA256SUMS").read_text()
    if spoil == "list":
        Image.new("RGB", (9, 9)).save(out / "image" / "00003.png")
        (out / "SHA256SUMS").write_text(sums + f"{'0' * 64}  image/00003.png\n{'0' * 64}  label/00003.png\n")
    elif spoil == "no list":
        (out / "SHA256SUMS").unlink()
    else:
        described["digest" if spoil == "digest" else "output_format"] = "0" * 64
        (out / "dataset.json").write_text(json.dumps(described))
    before = contents(out)
    with pytest.raises(ExistingFileError, match="not a prepared dataset, so it is not replaced"):
        prepare(source, out, workers=0, overwrite=True)
    assert contents(out) == before


@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_a_link_that_leads_nowhere_is_an_existing_file(make_folder: Make, tmp_path: Path) -> None:
    source, out = opened(make_folder(2)), tmp_path / "out"
    os.symlink(tmp_path / "nowhere", out)
    for overwrite in (False, True):
        with pytest.raises(ExistingFileError, match="exists"):
            prepare(source, out, workers=0, overwrite=overwrite)
    os.symlink(tmp_path / "nowhere", tmp_path / ".two.preparing")
    with pytest.raises(ExistingFileError, match="in the way"):
        prepare(source, tmp_path / "two", workers=0)
    assert out.is_symlink() and not (tmp_path / "nowhere").exists()


def test_a_users_file_among_unfinished_ones(make_folder: Make, tmp_path: Path) -> None:
    folder = make_folder(2)
    (folder / "image" / "0001.png").write_bytes(b"")
    with pytest.raises(InputError, match="empty file"):
        prepare(opened(folder), tmp_path / "out", workers=0)
    mine = tmp_path / ".out.preparing" / "image" / "mine.png"
    mine.write_text("mine")
    for size in (16, 8):
        with pytest.raises(ExistingFileError, match=r"mine\.png"):
            prepare(opened(folder, size=size, length=1), tmp_path / "out", workers=0)
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("where", ["before", "between", "after"])
def test_a_kill_while_an_earlier_output_is_replaced(
    make_folder: Make, tmp_path: Path, output_format: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old set or the new one is there, nothing is lost, and the same command ends well."""
    old, new, out = opened(make_folder(3)), opened(make_folder(4, "new")), tmp_path / "out"
    prepare(old, out, output_format=output_format, workers=0)
    before = contents(out)

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    renames = iter(("before", "between"))
    rename = os.rename
    with monkeypatch.context() as patched:
        patched.setattr("os.rename", lambda *paths: killed() if next(renames) == where else rename(*paths))
        if where == "after":
            patched.setattr("semanticgan.data.prepare.remove_files", self_or(killed, tmp_path / ".out.replaced"))
        with pytest.raises(Killed):
            prepare(new, out, output_format=output_format, overwrite=True, workers=0)
    if where == "between":
        with pytest.raises(ExistingFileError):
            prepare(new, out, output_format=output_format, workers=0)
        assert contents(out) == before  # came back
    prepare(new, out, output_format=output_format, overwrite=True, workers=0)
    assert len(open_dataset("lmdb" if output_format == "lmdb" else "folder", out, 16)) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces", "new", "out"]


def self_or(killed: Callable[..., None], folder: Path) -> Callable[..., None]:
    """``remove_files``, but for a folder after whose first file the process is killed."""
    from semanticgan.data.prepared_files import remove_files

    def removed(where: Path, names: Any) -> None:
        if where == folder:
            (where / next(iter(names))).unlink()
            killed()
        remove_files(where, names)

    return removed


SLOW = """
import sys, time
from semanticgan.data import open_dataset
from semanticgan.data.prepare import prepare

def slow(index):
    print(index, flush=True)
    time.sleep(0.5)
    return {"index": index}

prepare(open_dataset("folder", sys.argv[1], 16, "photographs-11"), sys.argv[2], attributes=slow, workers=0,
        overwrite=True, output_format=sys.argv[3])
"""


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("overwrite", [False, True])
def test_two_at_a_time(
    make_folder: Make, command: Command, tmp_path: Path, output_format: str, overwrite: bool
) -> None:
    """The second is refused and changes nothing; a killed one holds nothing."""
    folder, out, script = make_folder(60), tmp_path / "out", tmp_path / "slow.py"
    if overwrite:
        prepare(opened(folder, length=1), out, output_format=output_format, workers=0)
    script.write_text(SLOW)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    arguments = [sys.executable, str(script), str(folder), str(out), output_format]
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True) as first:
        try:
            assert first.stdout is not None and first.stdout.readline() == "0\n"
            words = ("--scheme", "photographs-11", "--size", 16, "--workers", 0, "--format", output_format)
            before = contents(tmp_path / ".out.preparing").keys()
            complaint = command("prepare-data", "folder", folder, *words, "--out", "out", "--overwrite").complaint
            assert "another process is preparing 'out'" in complaint
            assert contents(tmp_path / ".out.preparing").keys() >= before
            assert command("prepare-data", "folder", folder, *words, "--out", "other").result["count"] == 60
            assert first.poll() is None
        finally:
            first.send_signal(signal.SIGKILL)
    (tmp_path / ".out.preparing" / ".dataset-12345678.json").write_text("left by a kill")
    started = time.monotonic()
    assert command("prepare-data", "folder", folder, *words, "--out", "out", "--overwrite").result["count"] == 60
    assert time.monotonic() - started < 30
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces", "other", "out", "slow.py"]


def test_output_around_or_inside_of_the_source(make_folder: Make, command: Command, tmp_path: Path) -> None:
    folder = make_folder(2)
    arguments = ("prepare-data", "folder", "--scheme", "photographs-11", "--size", 16, "--overwrite")
    (tmp_path / "link").symlink_to(folder)
    for source, out in (
        ("faces", "faces/image/out"),
        ("link", "faces/out"),
        ("faces", "link/out"),
        ("faces/image", "faces"),
        ("faces", "."),
        (".", "out"),
    ):
        assert "source" in command(*arguments, source, "--out", out).complaint
    assert len(contents(tmp_path / "faces")) == 4
