"""Commands that write several files, killed before each rename: what has its final name is whole, and a repeat ends."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors import safe_open

from semanticgan.commands import main
from semanticgan.temporary_files import remove_leftovers

Command = Callable[..., Any]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the test forks")

FOUND = ("--labels", "masks", "--num", "40", "--ratio", "0.3", "--attributes", "hair_reach", "--region", "hair")
COMMANDS: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "invert": (
        ("invert", "photograph.png", "--aligned", "--method", "optimise", "--steps", "1", "--out", "out"),
        {
            *("inversions.json", "photograph.safetensors", "photograph.png", "photograph-aligned.png"),
            *("photograph.json", "sheet.png", "figures.json"),
        },
    ),
    "find-directions": (
        ("find-directions", *FOUND, "--overwrite", "--out", "out/found.safetensors"),
        {"found.safetensors", "found.scores.safetensors"},
    ),
}


def killed(words: list[str], moment: int) -> bool:
    """Whether a command in a process of its own came to its rename number ``moment``, and was killed there."""
    process = os.fork()
    if not process:
        replace, count = os.replace, iter(range(1, 100))

        def replace_or_die(*paths: Path) -> None:
            if next(count) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            replace(*paths)

        os.replace = replace_or_die  # type: ignore[assignment]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            os._exit(main(words))
    return os.WIFSIGNALED(os.waitpid(process, 0)[1])


def require_whole(path: Path) -> None:
    if path.suffix == ".json":
        json.loads(path.read_text())
    elif path.suffix == ".png":
        with Image.open(path) as picture:
            picture.load()
    elif path.suffix == ".safetensors":
        with safe_open(path, "pt") as file:
            assert [file.get_tensor(name) for name in file.keys()]  # noqa: SIM118
    else:
        assert path.read_text().endswith("\n")


@pytest.mark.parametrize("verb", COMMANDS)
def test_a_kill_at_every_rename(verb: str, command: Command, tiny_model_file: Path) -> None:
    words, written = COMMANDS[verb]
    all_words = [words[0], "--model", str(tiny_model_file), "--device", "cpu", *words[1:]]
    Image.new("RGB", (32, 32), (200, 150, 120)).save("photograph.png")
    moment = 1
    while killed(all_words, moment):
        for path in Path("out").iterdir():
            if ".partial" not in path.name:
                require_whole(path)
        moment += 1
    assert moment > 2, "it was never killed"
    remove_leftovers.cache_clear()
    assert command(*all_words).code == 0
    assert {path.name for path in Path("out").iterdir()} == written
