"""Every verb that writes, on a disk without room; run by ``test_full_disk.py``.

``python -m tests.commands.shared_full_disk HOW FOLDER``: HOW is "limit" (no file may grow beyond some bytes) or "disk"
(FOLDER/disk is a file system that is full). Prints a line of JSON per command: its words, its exit code, what it said,
and what it left.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path

from semanticgan.commands import main

TRAIN = ["train", "tiny", "device=cpu", "batch=4", "schedule.total_images=8", "schedule.save_every=1"]
LIMIT = 100  # bytes


def prepared(folder: Path) -> None:
    """A run and a data set, written while there is room."""
    assert main([*TRAIN, f"run_dir={folder / 'run'}", "log_to=[]"]) == 0
    words = ["portraits", "--size", "16", "--count", "8", "--workers", "0", "--out", str(folder / "data")]
    assert main(["prepare-data", *words]) == 0
    assert main(["export", str(folder / "run"), "--out", str(folder / "model.safetensors")]) == 0


def commands(folder: Path, disk: Path) -> list[list[str]]:
    """The commands; each writes into ``disk``, where ``old*`` are there already."""
    data, model = str(folder / "data"), ["--model", str(folder / "model.safetensors"), "--device", "cpu"]
    pair = [str(folder / "model.safetensors"), str(folder / "model.safetensors")]
    measured = ["evaluate", *model, "--data", data, "--num-generated", "4", "--extractor", "random", "--metrics"]
    portraits = ["prepare-data", "portraits", "--size", "16", "--count", "4", "--workers", "0"]
    small = ["--held-out", "2", "--steps", "1", "--batch", "2", "--device", "cpu"]
    return [
        ["generate", *model, "--seeds", "1", "--out", f"{disk}/generated"],
        ["generate", *model, "--seeds", "1", "--sheet", "--labels", "--latents", "--out", f"{disk}/more"],
        ["edit-region", *model, "--region", "hair", "--from-seed", "2", "--out", f"{disk}/old.png", "--overwrite"],
        ["interpolate", *model, "--frames", "2", "--seeds", "1,2", "--out", f"{disk}/a.gif"],
        ["interpolate", *model, "--frames", "2", "--seeds", "1,2", "--out", f"{disk}/old.mp4", "--overwrite"],
        ["components", *model, "--seed", "1", "--out", f"{disk}/components.png"],
        ["locality", *model, "--seeds", "1,2", "--region", "hair", "--out", f"{disk}/locality.json"],
        [*measured, "fid", "--out", f"{disk}/table.md"],
        [*measured, "fid", "--cache", f"{disk}/cache"],
        [*portraits, "--out", f"{disk}/set"],
        [*portraits, "--format", "lmdb", "--out", f"{disk}/set.lmdb"],
        ["train-parser", "folder", data, *small, "--out", f"{disk}/parser.safetensors"],
        [*TRAIN, f"run_dir={disk}/run"],
        ["report", str(folder / "run"), "--out", f"{disk}/report.html"],
        ["report", str(folder / "run"), "--out", f"{disk}/report.png"],
        ["export", str(folder / "run"), "--out", f"{disk}/old.safetensors", "--overwrite"],
        ["blend", "--model", pair[0], "--with", pair[1], "--from-side", "16", "--out", f"{disk}/blend.safetensors"],
        ["benchmark", "--model", pair[0], "--device", "cpu", "--repeats", "1", "--out", f"{disk}/speed.md"],
    ]


def fill(how: str, disk: Path) -> None:
    if how == "limit":
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))
        return
    with contextlib.suppress(OSError), open(disk / "filler", "wb", buffering=0) as filler:
        while True:
            filler.write(bytes(512))


def run(how: str, folder: Path) -> None:
    disk = folder / "disk"
    with contextlib.redirect_stdout(io.StringIO()):
        prepared(folder)
    for name in ("old.png", "old.mp4", "old.safetensors"):
        (disk / name).write_text("old")
    fill(how, disk)
    for words in commands(folder, disk):
        before = {path: path.read_bytes() for path in disk.iterdir() if path.is_file()}
        said, told = io.StringIO(), io.StringIO()
        try:
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(told):
                code: int | str = main(words)
        except BaseException as error:
            code = f"{type(error).__name__}: {error}"
        left = {path for path in disk.rglob("*") if path.is_file()} - before.keys()
        changed = [path.name for path in before if not path.exists() or path.read_bytes() != before[path]]
        sys.stdout.write(
            json.dumps({"words": words, "code": code, "said": said.getvalue(), "left": sorted(map(str, left))})[:-1]
            + f', "changed": {json.dumps(changed)}}}\n'
        )
        sys.stdout.flush()


if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2]))
