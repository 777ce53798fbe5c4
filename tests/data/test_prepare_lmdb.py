"""LMDBs prepared by the command: the same bytes after any interruption, reported and verified."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from semanticgan.data import PairDataset, lmdb_pairs, open_dataset
from semanticgan.data.lmdb_pairs import LmdbDataset
from semanticgan.data.prepare import prepare
from semanticgan.data.verify import verify
from semanticgan.errors import ExistingFileError, InputError, UnwritableError
from semanticgan.regions import CELEBAMASK_PARTS

Make = Callable[..., Path]
Command = Callable[..., Any]


def opened(folder: Path, **options: Any) -> PairDataset:
    return open_dataset("folder", folder, **{"size": 16, "scheme": "photographs-11", **options})


def lasting(folder: Path) -> dict[str, bytes]:
    """Contents of all files but the report, which tells how long it took."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "report.json"}


def everywhere(side: int = 16) -> np.ndarray:
    return np.ones((side, side), bool)


@pytest.fixture(autouse=True)
def small_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmdb_pairs, "PAIRS_A_COMMIT", 4)


@pytest.mark.parametrize("broken", [0, 3, 4, 9, 21])
def test_stopped_by_a_bad_file_and_continued(make_folder: Make, tmp_path: Path, broken: int) -> None:
    folder = make_folder(22)
    prepare(opened(folder), tmp_path / "whole", output_format="lmdb", workers=0)
    picture = folder / "image" / f"{broken:04d}.png"
    good = picture.read_bytes()
    picture.write_bytes(b"<html>" + good[6:])  # of the same length: the plan is the same
    with pytest.raises(InputError, match=r"\.png' is a web page"):
        prepare(opened(folder), tmp_path / "out", output_format="lmdb", workers=2)
    assert not (tmp_path / "out").exists()
    picture.write_bytes(good)
    again = prepare(opened(folder), tmp_path / "out", output_format="lmdb", workers=2)
    assert again.report["num_taken_up"] == 21
    assert lasting(tmp_path / "out") == lasting(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces", "out", "whole"]


def test_an_unfinished_one_cannot_be_read(make_folder: Make, tmp_path: Path) -> None:
    folder = make_folder(6)
    (folder / "image" / "0005.png").write_bytes(b"")
    with pytest.raises(InputError, match="empty file"):
        prepare(opened(folder), tmp_path / "out", output_format="lmdb", workers=0)
    with pytest.raises(InputError, match="is unfinished"):
        open_dataset("lmdb", tmp_path / ".out.preparing", 16)


def test_another_plan_begins_anew(make_folder: Make, tmp_path: Path) -> None:
    folder = make_folder(6)
    for output_format, picture_format in (("lmdb", "png"), ("folder", "png"), ("lmdb", "jpeg")):
        (folder / "image" / "0005.png").write_bytes(b"")
        with pytest.raises(InputError):
            prepare(
                opened(folder), tmp_path / "out", output_format=output_format, picture_format=picture_format, workers=0
            )
    out = prepare(opened(folder, length=5), tmp_path / "out", output_format="lmdb", workers=0)
    assert (out.count, out.report["num_taken_up"]) == (5, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces", "out"]
    assert LmdbDataset(out.path).read(0, "image").startswith(b"\x89PNG")


KILLED = """
import sys, time
from semanticgan.data import lmdb_pairs, open_dataset
from semanticgan.data.prepare import prepare

lmdb_pairs.PAIRS_A_COMMIT = 4

class Slow:
    def __call__(self, index):
        time.sleep(0.01)
        return {"index": index}

if __name__ == "__main__":
    source = open_dataset("folder", sys.argv[1], 16, "photographs-11")
    prepare(source, sys.argv[2], output_format="lmdb", attributes=Slow(), workers=2)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_killed_and_repeated_gives_the_same_bytes(make_folder: Make, tmp_path: Path) -> None:
    """Three kills at random times, each in the middle of the work that was left."""
    folder, script, out = make_folder(150), tmp_path / "killed.py", tmp_path / "out"
    script.write_text(KILLED)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    arguments = [sys.executable, str(script), str(folder), str(out)]
    written = tmp_path / ".out.preparing" / "data.mdb"
    randomly = random.Random(5)
    for _ in range(3):
        before = written.stat().st_size if written.exists() else 0
        process = subprocess.Popen(arguments, env=environment, start_new_session=True)
        deadline = time.monotonic() + 120
        while not written.exists() or written.stat().st_size <= before + 4 * 4096:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(randomly.random() * 0.1)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not out.exists()
    subprocess.run(arguments, env=environment, check=True, timeout=120)
    prepare(
        opened(folder), tmp_path / "whole", output_format="lmdb", attributes=lambda index: {"index": index}, workers=0
    )
    assert json.loads((out / "report.json").read_text())["num_taken_up"] >= 3
    assert lasting(out) == lasting(tmp_path / "whole")
    assert LmdbDataset(out).record(149).attributes == {"index": 149}


def test_killed_before_publishing(make_folder: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = opened(make_folder(6))
    prepare(source, tmp_path / "whole", output_format="lmdb", workers=0)
    with monkeypatch.context() as patched:
        patched.setattr("semanticgan.data.prepare._publish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            prepare(source, tmp_path / "out", output_format="lmdb", workers=0)
    assert prepare(source, tmp_path / "out", output_format="lmdb", workers=0).report["num_taken_up"] == 6
    assert lasting(tmp_path / "out") == lasting(tmp_path / "whole")


def test_a_full_disk(make_folder: Make, tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk; the same command then continues."""
    resource = pytest.importorskip("resource")
    folder = make_folder(60)
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))\n"
        "from semanticgan.data import lmdb_pairs; lmdb_pairs.PAIRS_A_COMMIT = 4\n"
        "from semanticgan.commands import main; sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["prepare-data", "folder", str(folder), "--scheme", "photographs-11", "--size", "16", "--workers", "0"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments, "--format", "lmdb", "--out", str(tmp_path / "out")],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert resource and done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "cannot write" in done.stderr and "Make room, then repeat the command" in done.stderr
    source = opened(folder)
    prepare(source, tmp_path / "whole", sources=source, output_format="lmdb", workers=0)
    again = prepare(source, tmp_path / "out", sources=source, output_format="lmdb", workers=0)
    assert again.report["num_taken_up"] > 0 and lasting(again.path) == lasting(tmp_path / "whole")


def test_overwriting(make_folder: Make, tmp_path: Path) -> None:
    source, out = opened(make_folder(5)), tmp_path / "out"
    prepare(source, out, output_format="lmdb", workers=0)
    before = lasting(out)
    with pytest.raises(ExistingFileError, match="exists already"):
        prepare(opened(make_folder(3, "more")), out, output_format="lmdb", workers=0)
    assert lasting(out) == before
    prepare(opened(tmp_path / "more"), out, output_format="lmdb", workers=0, overwrite=True)
    assert len(LmdbDataset(out)) == 3
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ExistingFileError, match=r"holds more than a prepared dataset \(notes\.txt\)"):
        prepare(source, out, output_format="lmdb", workers=0, overwrite=True)
    with pytest.raises(UnwritableError, match="cannot write to"):
        prepare(source, tmp_path / "faces" / "image" / "0000.png" / "out", output_format="lmdb", workers=0)


def test_unknown_formats_and_pictures_without_labels(make_folder: Make, tmp_path: Path) -> None:
    source = opened(make_folder(1))
    for options in ({"output_format": "ldmb"}, {"picture_format": "jpg"}):
        with pytest.raises(InputError, match=r"Did you mean '(lmdb|jpeg)'"):
            prepare(source, tmp_path / "out", **options)
    source.labelled = False
    with pytest.raises(InputError, match="no label maps"):
        prepare(source, tmp_path / "out")


def test_the_report(make_celebamask: Make, command: Command, tmp_path: Path) -> None:
    """Four faces: one without any mask, one whose masks are of another side."""
    source = make_celebamask(
        {
            0: {"skin": everywhere(), "hat": everywhere()},
            1: {},
            2: {"skin": everywhere(8)},
            3: {"skin": everywhere(), "l_eye": everywhere()},
        }
    )
    arguments = ("prepare-data", "celebamask-hq", source, "--size", 16, "--format", "lmdb", "--workers", 0)
    assert "1 of 4 pictures" in (complaint := command(*arguments, "--out", "out").complaint) and "1.jpg" in complaint
    result = command(*arguments, "--missing", "skip", "--out", "out").result
    assert (result["count"], result["size"], result["skipped"]) == (3, 16, ["CelebA-HQ-img/1.jpg"])
    assert result["pairs_with_part"] == {
        part: {"skin": 3, "hat": 1, "l_eye": 1}.get(part, 0) for part in CELEBAMASK_PARTS
    }
    assert result["pairs_with_region"]["face"] == 1 and result["pairs_with_region"]["background"] == 0
    assert result["shares"]["hat"] == result["shares"]["eye"] == pytest.approx(1 / 3, abs=1e-6)
    assert result["picture_sides"] == {"32x32": 3} and result["label_sides"] == {"16x16": 2, "8x8": 1}
    assert result["unusual_sides"] == ["CelebA-HQ-img/2.jpg: picture 32x32, labels 8x8"]
    assert 3 / result["images_per_second"] == pytest.approx(result["seconds"], abs=0.02)  # seconds are rounded
    files = {path.name: path.stat().st_size for path in (tmp_path / "out").iterdir()}
    assert result["bytes"] == sum(files.values()) - files["report.json"]
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == {k: v for k, v in result.items() if k != "out"}
    record = LmdbDataset(tmp_path / "out").record(2)
    assert record.source is not None and record.source.name == "CelebA-HQ-img/3.jpg"
    assert record.source.parts == ("skin", "l_eye")
    fewer = command(*arguments, "--missing", "skip", "--count", 1, "--out", "fewer").result
    assert fewer["pairs_with_part"]["hat"] == 1 and fewer["count"] == 1


def test_an_lmdb_becomes_a_folder_again(make_folder: Make, command: Command, tmp_path: Path) -> None:
    source = opened(make_folder(5))
    prepare(source, tmp_path / "pairs", output_format="lmdb", workers=0)
    command("prepare-data", "lmdb", "pairs", "--size", 16, "--out", "folder", "--workers", 0)
    again = open_dataset("folder", tmp_path / "folder", 16)
    assert all(again[index].image.equal(source[index].image) for index in range(5))
    command("prepare-data", "folder", "folder", "--size", 16, "--format", "lmdb", "--out", "back", "--workers", 0)
    one, other = LmdbDataset(tmp_path / "pairs"), LmdbDataset(tmp_path / "back")
    assert one.metadata["digest"] == other.metadata["digest"] and one.key() == other.key()


@pytest.mark.parametrize("output_format", ["folder", "lmdb"])
def test_verify_finds_nothing_wrong(make_folder: Make, command: Command, tmp_path: Path, output_format: str) -> None:
    prepared = prepare(opened(make_folder(5)), tmp_path / "out", output_format=output_format, workers=0)
    result = command("prepare-data", "verify", "out").result
    assert (result["count"], result["size"], result["digest"]) == (5, 16, prepared.digest)


def test_verify_names_a_broken_pair_of_an_lmdb(make_folder: Make, command: Command, tmp_path: Path) -> None:
    """A bit of two label maps is turned, a colour of the palette: every label is still what it was."""
    out = prepare(opened(make_folder(5)), tmp_path / "out", output_format="lmdb", workers=0).path
    stored = {index: LmdbDataset(out).read(index, "labels") for index in (1, 3)}
    content = (out / "data.mdb").read_bytes()
    for label_map in stored.values():
        colour = label_map.index(b"PLTE") + 20
        turned = label_map[:colour] + bytes([label_map[colour] ^ 1]) + label_map[colour + 1 :]
        content = content.replace(label_map, turned)  # small records lie in freed pages, too
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "data.mdb").write_bytes(content)
    complaint = command("prepare-data", "verify", "copy").complaint
    assert "2 of 5 pairs in 'copy' are broken" in complaint and "00000001" in complaint and "00000003" in complaint


def test_verify_survives_a_damaged_tree(make_folder: Make, tmp_path: Path) -> None:
    """Pages full of keys are overwritten: reading them may end a process, which then is one of verify's."""
    out = prepare(opened(make_folder(30)), tmp_path / "out", output_format="lmdb", workers=0).path
    content = bytearray((out / "data.mdb").read_bytes())
    for start in range(8192, len(content), 4096):
        page = content[start : start + 4096]
        # keys of pairs, but not the page with the metadata, without which nothing is verified
        if int.from_bytes(page[:8], "little") == start // 4096 and b"/record" in page and b"metadata" not in page:
            content[start + 16 : start + 4096] = b"\xff" * 4080
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "data.mdb").write_bytes(content)
    program = "import sys; from semanticgan.commands import main; sys.exit(main(['prepare-data', 'verify', 'damaged']))"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and "error: " in done.stderr and "damaged" in done.stderr, done.stderr


def swap(folder: Path) -> None:
    one, other = (folder / "image" / f"0000{index}.png" for index in (1, 2))
    first = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(first)


def exceed(folder: Path) -> None:
    Image.fromarray(np.full((16, 16), 11, np.uint8)).save(folder / "label" / "00001.png")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (swap, "2 of 5 pairs in 'out' are broken: picture of pair '00001.png' is not what was written, picture of"),
        (exceed, "label/00001.png' holds the value 11"),
        (
            lambda folder: (folder / "image" / "00001.png").write_bytes(b"\x89PNG\r\n"),
            "image/00001.png' cannot be decod",
        ),
        (lambda folder: (folder / "image" / "00001.png").unlink(), "1 label map without picture"),
        (lambda folder: [(folder / kind / "00004.png").unlink() for kind in ("image", "label")], "holds 4 sound pairs"),
        (lambda folder: (folder / "dataset.json").unlink(), "is not a prepared dataset"),
        (lambda folder: (folder / "dataset.json").write_text("[]"), "is not a prepared dataset"),
    ],
)
def test_verify_names_what_is_wrong_with_a_folder(
    make_folder: Make, command: Command, tmp_path: Path, spoil: Callable[[Path], object], words: str
) -> None:
    out = prepare(opened(make_folder(5)), tmp_path / "out", workers=0).path
    spoil(out)
    assert words in command("prepare-data", "verify", "out").complaint


def test_a_folder_of_an_earlier_version_is_verified(make_folder: Make, tmp_path: Path) -> None:
    """Without sums of its files the digest of all still tells that something changed."""
    out = prepare(opened(make_folder(5)), tmp_path / "out", workers=0).path
    (out / "SHA256SUMS").unlink()
    assert verify(out, workers=1)["count"] == 5
    swap(out)
    with pytest.raises(InputError, match="some were exchanged"):
        verify(out, workers=1)


def test_sums_are_those_of_other_tools(make_folder: Make, tmp_path: Path) -> None:
    out = prepare(opened(make_folder(3)), tmp_path / "out", picture_format="jpeg", workers=0).path
    assert len(list((out / "image").glob("*.jpg"))) == 3 and verify(out, workers=1)["count"] == 3
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=out, check=True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("folder", "faces", "--out", "faces/out"), "output 'faces/out' lies inside the source 'faces'"),
        (("folder", "faces", "--out", "faces"), "output 'faces' is the source 'faces'"),
        (("folder", "faces", "--out", "faces", "--overwrite"), "output 'faces' is the source"),
        (("folder", "faces", "--out", "faces/../faces/label/x"), "lies inside the source"),
        (("folder", "faces", "--out", "link/out"), "lies inside the source"),
        (("folder", "faces"), "no output given. Add --out FOLDER"),
        (("folder", "faces", "--out", "out", "--format", "tfrecord"), "invalid choice: 'tfrecord'"),
        (("folder", "faces", "--out", "out", "--picture-format", "gif"), "invalid choice: 'gif'"),
        (("lmdb", "faces", "--out", "out"), "give the kind 'folder'"),
        (("verify",), "Give its path"),
        (("verify", "nowhere"), "'nowhere' does not exist"),
        (("verify", "faces"), "is not a prepared dataset"),
        (("verify", "faces", "--out", "out"), "and no --out"),
    ],
)
def test_mistakes_in_the_arguments(
    make_folder: Make, command: Command, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    make_folder(2)
    (tmp_path / "link").symlink_to("faces")
    assert words in command("prepare-data", *arguments).complaint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces", "link"]
    assert len(list((tmp_path / "faces").rglob("*.png"))) == 4
