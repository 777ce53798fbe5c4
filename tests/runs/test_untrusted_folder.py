"""A run's folder from somebody else: links, pipes and nonsense in it are one line, and nothing outside is touched."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from semanticgan.errors import InputError
from semanticgan.training.config import TrainingConfig
from semanticgan.training.loop import train
from tests.conftest import Run
from tests.training.conftest import tiny_overrides

Make = Callable[..., TrainingConfig]
Command = Callable[..., Run]
LENGTH = ("schedule.total_images=8", "schedule.save_every=1", "schedule.sheet_every=1", "log_to=[]")
STEP = "step-0000002"
pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs links and pipes")


@pytest.fixture(scope="module")
def whole(tiny_pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from semanticgan.training.config import load_config

    run_dir = tmp_path_factory.mktemp("runs") / "whole"
    train(load_config("tiny", [*tiny_overrides(tiny_pictures, run_dir), *LENGTH]))
    return run_dir


@pytest.fixture
def run_dir(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "run")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("mine")
    return tmp_path / "run"


def clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def as_link(path: Path, outside: Path) -> None:
    path.symlink_to(outside if path.suffix == "" and path.name != ".lock" else outside / "file")


def as_dangling_link(path: Path, outside: Path) -> None:
    path.symlink_to(outside / "new")


def as_pipe(path: Path, outside: Path) -> None:
    os.mkfifo(path)


def as_socket(path: Path, outside: Path) -> None:
    before = Path.cwd()
    os.chdir(path.parent)  # the name of a socket may have 100 characters
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(before)


def as_the_other_kind(path: Path, outside: Path) -> None:
    if path.suffix or path.name == ".lock":
        path.mkdir()
    else:
        path.write_text("file")


KINDS = (as_link, as_dangling_link, as_pipe, as_socket, as_the_other_kind)
NAMES = ("config.yaml", "stats.jsonl", ".lock", "sheets", "tensorboard", "features", STEP, f"{STEP}/training.pt")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_links_pipes_and_other_kinds(
    name: str, kind: Callable[[Path, Path], None], run_dir: Path, tiny_config: Make, command: Command
) -> None:
    outside = run_dir.parent / "outside"
    clear(run_dir / name)
    kind(run_dir / name, outside)
    if name == f"{STEP}/training.pt" and kind is as_the_other_kind:
        assert train(tiny_config(run_dir, *LENGTH)).finished  # damaged, and made anew
        return
    with pytest.raises(InputError, match="Move it away") as refused:
        train(tiny_config(run_dir, *LENGTH, "schedule.total_images=16"))
    assert "\n" not in str(refused.value)
    command("report", run_dir, "--out", "report.html").complaint  # noqa: B018
    command("export", run_dir, "--out", "model.safetensors").complaint  # noqa: B018
    assert [path.name for path in outside.iterdir()] == ["file"] and (outside / "file").read_text() == "mine"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "content",
    [
        b"\x00\xff\xfe\x80" * 100,
        b"[" * 200_000,
        b"- " * 60_000,
        b"a: &a [x, x]\nb: &b [*a, *a]\n",
        b"size: .nan\n",
        b"size: [1]\n",
        b"- a\n- b\n",
        b"just words",
        b"",
        b"x: " + b"y" * 1_000_000,
        b"schedule: {total_images: " + b"9" * 5000 + b"}",
        b"seed: ${oc.env:HOME}\n",
    ],
    ids=lambda content: content[:12].decode(errors="backslashreplace"),
)
def test_configurations_that_are_none(content: bytes, run_dir: Path, tiny_config: Make, command: Command) -> None:
    (run_dir / "config.yaml").write_bytes(content)
    with pytest.raises(InputError) as refused:
        train(tiny_config(run_dir, *LENGTH, "schedule.total_images=16"))
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 3000
    ended = command("report", run_dir, "--out", "report.html")
    assert ended.code in (0, 2) and "Traceback" not in ended.err


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        "\x00\x01",
        '{"step": NaN, "images": 1}',
        '{"step": "a", "images": []}',
        '{"step": 1' + "0" * 400 + ', "images": 9}',
        '{"step": 3, "images": 1000000, "loss/\\u001b[2J\\u202e\\ud800": 1' + "0" * 400 + "}",
        '{"step": 3, "images": 1000000, "loss/\\u001b[2J\\u202e\\ud800": 1.5}',
        '{"a": ' + "9" * 5000 + "}",
        "x" * 3_000_000,
        "null",
    ],
    ids=range(10),
)
def test_lines_of_the_log_that_are_none(line: str, run_dir: Path, tiny_config: Make, command: Command) -> None:
    with open(run_dir / "stats.jsonl", "a", encoding="utf-8") as stats:
        stats.write(line + "\n")
    assert command("report", run_dir, "--out", "report.html").code == 0
    assert command("report", run_dir, "--out", "report.png").code == 0
    page = Path("report.html").read_text(encoding="utf-8")
    assert all(character.isprintable() or character in "\n\t" for character in page)
    assert train(tiny_config(run_dir, *LENGTH, "schedule.total_images=16")).finished


def rewrite(run_dir: Path, change: Callable[[Any], Any], name: str = STEP) -> None:
    """Change what a state holds, and its manifest with it."""
    path = run_dir / name / "training.pt"
    torch.save(change(torch.load(path, weights_only=True)), path)
    manifest = json.loads((run_dir / name / "manifest.json").read_text())
    manifest["sha256"]["training.pt"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (run_dir / name / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "change",
    [
        lambda state: [1, 2],
        lambda state: {},
        lambda state: {**state, "networks": {**state["networks"], "generator": {}}},
        lambda state: {**state, "networks": {**state["networks"], "generator": 3}},
        lambda state: {**state, "steps_done": "many"},
        lambda state: {**state, "steps_done": -5},
        lambda state: {**state, "recent": {"loss": "x"}},
        lambda state: {**state, "recent": 7},
        lambda state: {**state, "method": None},
        lambda state: {**state, "optimisers": {"generator": {"state": {}, "param_groups": []}}},
        lambda state: {name: value for name, value in state.items() if name != "data_key"},
    ],
    ids=range(11),
)
def test_states_that_are_none(change: Callable[[Any], Any], run_dir: Path, tiny_config: Make) -> None:
    rewrite(run_dir, change)
    with pytest.raises(InputError, match=r"the training state .* is damaged or not of this run") as refused:
        train(tiny_config(run_dir, *LENGTH, "schedule.total_images=16"))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["../../outside/file", "/etc/hostname", "pipe"])
@pytest.mark.timeout(60)
def test_manifests_name_files_of_their_own_folder(name: str, run_dir: Path, tiny_config: Make) -> None:
    os.mkfifo(run_dir / "pipe")
    manifest = run_dir / STEP / "manifest.json"
    manifest.write_text(json.dumps({"sha256": {name: "0"}}))
    for other in run_dir.glob("step-*"):
        if other.name != STEP:
            shutil.rmtree(other)
    with pytest.raises(InputError, match="every training state"):
        train(tiny_config(run_dir, *LENGTH, "schedule.total_images=16"))


def test_litter_is_not_looked_for_behind_links(run_dir: Path, tiny_config: Make) -> None:
    outside = run_dir.parent / "outside"
    (outside / ".step-0000001-mine").mkdir()
    (run_dir / "notes").symlink_to(outside)
    (run_dir / ".step-0000009-abcdefgh.partial").symlink_to(outside)
    assert train(tiny_config(run_dir, *LENGTH, "schedule.total_images=16")).finished
    assert sorted(path.name for path in outside.iterdir()) == [".step-0000001-mine", "file"]
