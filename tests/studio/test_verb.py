"""``semanticgan studio``: what it refuses before it listens, and what it prints."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from semanticgan.errors import InputError
from semanticgan.studio.models import Models

ROOT = Path(__file__).resolve().parents[2]


def test_mistakes_are_told_before_anything_listens(command: Callable[..., Any], tiny_model_file: Path) -> None:
    assert "8 letters" in command("studio", "--token", "short").complaint
    assert "nothing.safetensors" in command("studio", "--model", "nothing.safetensors").complaint
    assert "--port" in command("studio", "--port", "65536").complaint
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port}" in command("studio", "--model", tiny_model_file, "--port", port).complaint
    assert (
        "nowhere.invalid"
        in command("studio", "--model", tiny_model_file, "--host", "nowhere.invalid", "--token", "x" * 9).complaint
    )


def test_two_models_of_one_name_are_refused(tiny_model_file: Path, tmp_path: Path) -> None:
    other = tmp_path / tiny_model_file.name
    shutil.copy(tiny_model_file, other)
    with pytest.raises(InputError, match="Rename"):
        Models([tiny_model_file, other])


def test_few_models_stay_in_memory(tiny_model_file: Path, tmp_path: Path) -> None:
    paths = [tiny_model_file, *(tmp_path / f"{name}.safetensors" for name in ("a", "b"))]
    for path in paths[1:]:
        shutil.copy(tiny_model_file, path)
    models = Models(paths, device="cpu", at_most=2)
    first = models.get(tiny_model_file.stem)
    models.get("a")
    assert models.get(tiny_model_file.stem) is first
    models.get("b")
    assert models.get(tiny_model_file.stem) is first, "the one used longest ago goes first"
    assert len(models._loaded) == 2


def test_the_address_is_printed_and_ctrl_c_ends_it(tiny_model_file: Path) -> None:
    words = [sys.executable, ROOT / "tools" / "studio.py", "--port", "0", "--model", tiny_model_file]
    words += ["--host", "0.0.0.0", "--token", "a secret & more"]
    # As from a terminal: a shell in the background starts its processes with Ctrl-C ignored.
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, preexec_fn=_heed_ctrl_c) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            found = re.search(r"(http://127\.0\.0\.1:\d+/\?token=a%20secret%20%26%20more) ", line)
            assert found, line
            visitor = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            with visitor.open(found[1], timeout=60) as page:  # it answers, so it handles signals
                assert page.status == 200
            process.send_signal(signal.SIGINT)
            assert process.wait(60) in (0, 130)
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()


def _heed_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
