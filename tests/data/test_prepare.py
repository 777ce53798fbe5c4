"""Prepared folders: whole or not at all, the same bytes after any interruption."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from semanticgan.data import PairDataset, open_dataset
from semanticgan.data.prepare import prepare
from semanticgan.errors import ExistingFileError, InputError, UnwritableError
from semanticgan.regions import PHOTOGRAPHS_11

Make = Callable[..., Path]


def opened(folder: Path, **options: Any) -> PairDataset:
    return open_dataset("folder", folder, **{"size": 16, "scheme": "photographs-11", **options})


def contents(folder: Path) -> dict[str, bytes]:
    """All files but the report, which tells how long it took."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "report.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def squares(index: int) -> Mapping[str, Any]:
    return {"index": index, "square": index**2}


def test_prepared_pairs_are_those_of_the_source(make_folder: Make, tmp_path: Path) -> None:
    source = opened(make_folder(5))
    prepared = prepare(source, tmp_path / "out", workers=0)
    again = open_dataset("folder", tmp_path / "out", 16)  # dataset.json says the scheme
    assert again.regions == PHOTOGRAPHS_11 and len(again) == prepared.count == 5
    for index in range(5):
        assert all(torch.equal(one, other) for one, other in zip(source[index], again[index], strict=True))
    label = Image.open(tmp_path / "out" / "label" / "00003.png")
    assert label.mode == "P" and label.getpalette()[:33] == PHOTOGRAPHS_11.palette()[:33]
    described = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert (described["size"], described["count"], described["source"]) == (16, 5, source.key())
    labels = np.concatenate([source[index].labels.numpy().ravel() for index in range(5)])
    expected = np.bincount(labels, minlength=11) / len(labels)
    assert np.allclose(list(prepared.shares.values()), expected, atol=1e-6)
    assert list(prepared.shares) == list(PHOTOGRAPHS_11.names) and described["shares"] == prepared.shares
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces", "out"]


def test_same_bytes_with_any_number_of_processes(make_folder: Make, tmp_path: Path) -> None:
    source = opened(make_folder(5))
    prepare(source, tmp_path / "one", attributes=squares, workers=0)
    prepare(source, tmp_path / "two", attributes=squares, workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    lines = (tmp_path / "one" / "attributes.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [squares(index) for index in range(5)]


def test_stopped_by_a_bad_file_and_continued(make_folder: Make, tmp_path: Path) -> None:
    folder = make_folder(6)
    prepare(opened(folder), tmp_path / "whole", workers=0)
    picture = folder / "image" / "0004.png"
    good = picture.read_bytes()
    picture.write_bytes(b"<html>" + good[6:])  # of the same length: the plan is the same
    with pytest.raises(InputError, match=r"0004\.png' is a web page"):
        prepare(opened(folder), tmp_path / "out", workers=0)
    partial = tmp_path / ".out.preparing"
    assert not (tmp_path / "out").exists() and len(list((partial / "image").iterdir())) == 5
    picture.write_bytes(good)
    first = (partial / "image" / "00000.png").stat().st_mtime_ns
    (partial / "label" / "00001.png").write_bytes(b"")  # as after a power failure
    (partial / "image" / ".00004-half.png").write_bytes(b"half")  # as after a kill while writing aside
    prepare(opened(folder), tmp_path / "out", workers=0)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert (tmp_path / "out" / "image" / "00000.png").stat().st_mtime_ns == first
    assert not partial.exists()


def test_another_plan_begins_anew(make_folder: Make, tmp_path: Path) -> None:
    folder = make_folder(3)
    (folder / "image" / "0002.png").write_bytes(b"")
    with pytest.raises(InputError):
        prepare(opened(folder), tmp_path / "out", workers=0)
    prepare(opened(folder, size=8, length=2), tmp_path / "out", workers=0)
    assert len(open_dataset("folder", tmp_path / "out", 8)) == 2
    assert Image.open(tmp_path / "out" / "image" / "00000.png").size == (8, 8)


KILLED = """
import sys, time
from pathlib import Path
from semanticgan.data import open_dataset
from semanticgan.data.prepare import prepare

class Slow:
    def __call__(self, index):
        time.sleep(0.05)
        return {"index": index}

if __name__ == "__main__":
    prepare(open_dataset("folder", sys.argv[1], 16, "photographs-11"), sys.argv[2], attributes=Slow(), workers=2)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_killed_and_repeated_gives_the_same_bytes(make_folder: Make, tmp_path: Path) -> None:
    folder, script, out = make_folder(40), tmp_path / "killed.py", tmp_path / "out"
    script.write_text(KILLED)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    arguments = [sys.executable, str(script), str(folder), str(out)]
    process = subprocess.Popen(arguments, env=environment, start_new_session=True)
    written = tmp_path / ".out.preparing" / "image"
    deadline = time.monotonic() + 120
    while not (written.is_dir() and sum(not path.name.startswith(".") for path in written.iterdir()) >= 5):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    assert len(list(written.iterdir())) < 40
    subprocess.run(arguments, env=environment, check=True, timeout=120)
    prepare(opened(folder), tmp_path / "whole", attributes=lambda index: {"index": index}, workers=0)
    assert contents(out) == contents(tmp_path / "whole")
    assert not (tmp_path / ".out.preparing").exists()


def test_existing_output_is_kept(make_folder: Make, tmp_path: Path) -> None:
    source, out = opened(make_folder(2)), tmp_path / "out"
    prepare(source, out, workers=0)
    before = contents(out)
    with pytest.raises(ExistingFileError, match=r"exists already.*--overwrite"):
        prepare(opened(make_folder(3, "more")), out, workers=0)
    assert contents(out) == before
    prepare(opened(tmp_path / "more"), out, workers=0, overwrite=True)
    assert len(open_dataset("folder", out, 16)) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces", "more", "out"]


def test_failed_overwriting_keeps_the_earlier_output(make_folder: Make, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare(opened(make_folder(2)), out, workers=0)
    before = contents(out)
    broken = make_folder(3, "broken")
    (broken / "image" / "0001.png").write_bytes(b"")
    with pytest.raises(InputError, match="empty file"):
        prepare(opened(broken), out, workers=0, overwrite=True)
    assert contents(out) == before


def test_nothing_but_prepared_datasets_is_overwritten(make_folder: Make, tmp_path: Path) -> None:
    source, precious = opened(make_folder(2)), make_folder(1, "precious")
    before = contents(precious)
    for out in (precious, tmp_path / "faces" / "image" / "0000.png"):
        with pytest.raises(ExistingFileError, match="is not a prepared dataset, so it is not replaced"):
            prepare(source, out, workers=0, overwrite=True)
    (tmp_path / ".out.preparing").mkdir()
    (tmp_path / ".out.preparing" / "diary.txt").write_text("mine")
    with pytest.raises(ExistingFileError, match="was not written by this command"):
        prepare(source, tmp_path / "out", workers=0)
    assert contents(precious) == before and (tmp_path / ".out.preparing" / "diary.txt").read_text() == "mine"


def test_files_that_a_user_added_are_not_lost(make_folder: Make, tmp_path: Path) -> None:
    source, out = opened(make_folder(2)), tmp_path / "out"
    prepare(source, out, workers=0)
    (out / "splits.txt").write_text("mine")
    before = contents(out)
    with pytest.raises(ExistingFileError, match=r"holds more than a prepared dataset \(splits\.txt\)"):
        prepare(source, out, workers=0, overwrite=True)
    assert contents(out) == before


def test_unwritable_folder(make_folder: Make, tmp_path: Path) -> None:
    with pytest.raises(UnwritableError, match="cannot write to"):
        prepare(opened(make_folder(1)), tmp_path / "faces" / "image" / "0000.png" / "out", workers=0)
