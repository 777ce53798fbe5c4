"""Where outputs may be, and locks that end with their process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from semanticgan.errors import InputError
from semanticgan.places import held, require_no_source_inside, require_outside


def test_outputs_in_their_source(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for out in (data, data / "out", data / "image" / ".." / "deep" / "out", tmp_path / "x" / ".." / "data" / "out"):
        with pytest.raises(InputError, match=r"the source.*Choose one outside of it"):
            require_outside(out, data)
    for out in (tmp_path / "out", tmp_path / "data2", tmp_path / "data-prepared"):
        require_outside(out, data)
        require_no_source_inside(out, data)
    with pytest.raises(InputError, match="lies inside output"):
        require_no_source_inside(tmp_path, data / "image")


@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_outputs_in_their_source_behind_links(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    os.symlink(tmp_path / "data", tmp_path / "link")
    for out, source in (("link/out", "data"), ("data/out", "link"), ("link", "data")):
        with pytest.raises(InputError, match="the source"):
            require_outside(tmp_path / out, tmp_path / source)


HOLDER = """
import sys
from pathlib import Path
from semanticgan.places import held
with held(Path(sys.argv[1]), "held already", keep=False):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    lock = tmp_path / ".out.lock"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    command = [sys.executable, "-c", HOLDER, str(lock)]
    for end in ("kill", "communicate"):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, env=environment, text=True, **pipes) as process:  # type: ignore[call-overload]
            assert process.stdout.readline() == "held\n"
            with pytest.raises(InputError, match="held already"), held(lock, "held already"):
                pytest.fail("entered")
            getattr(process, end)()
        assert lock.exists() == (end == "kill")
        with held(lock, "held already", keep=False):
            assert lock.exists()
        assert not lock.exists()


def test_a_lock_that_was_removed_while_it_was_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between opening and locking the holder ends and removes its file: the lock on that would hold nobody off."""
    from semanticgan import places

    lock, real = tmp_path / ".lock", places._lock

    def removed(file: Any) -> bool:
        monkeypatch.setattr(places, "_lock", real)
        lock.unlink()
        return real(file)

    monkeypatch.setattr(places, "_lock", removed)
    with held(lock, "held already", keep=False):
        assert lock.exists()


def test_a_run_inside_the_data(command: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "data" / "image").mkdir(parents=True)
    recipe = Path(__file__).resolve().parents[1] / "configs" / "tiny.yaml"
    for run_dir in ("data/run", "data/image/run", "data/image"):
        arguments = ("train", recipe, "device=cpu", "data.kind=folder", "data.path=data", f"run_dir={run_dir}")
        assert f"run_dir '{run_dir}'" in command(*arguments).complaint
    assert [path.name for path in (tmp_path / "data").rglob("*")] == ["image"]


def test_a_sheet_inside_the_pictures_it_shows(command: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    arguments = ("evaluate", "--data", "data", "--data-kind", "pictures", "--metrics", "fid")
    assert "lies inside the source 'data'" in command(*arguments, "--sheet", "data/sheet.png").complaint


@pytest.mark.parametrize("out", ["pictures/out", "pictures", "."])
def test_labels_inside_the_pictures(command: Callable[..., Any], tmp_path: Path, out: str) -> None:
    (tmp_path / "pictures").mkdir()
    complaint = command("label-regions", "pictures", "--parser", "photographs-64", "--out", out).complaint
    assert "source" in complaint
