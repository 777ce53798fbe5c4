"""A disk without room: every verb that writes says so in one line, leaves nothing half, and keeps what was there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def commands_on(how: str, tmp_path: Path) -> list[dict[str, Any]]:
    (tmp_path / "disk").mkdir()
    program = [sys.executable, "-m", "tests.commands.shared_full_disk", how, str(tmp_path)]
    if how == "disk":
        if not shutil.which("unshare") or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
            pytest.skip("the system does not let us make a small disk")
        mount = f'mount -t tmpfs -o size=64k none "{tmp_path}/disk" && exec "$@"'
        program = ["unshare", "-rm", "sh", "-c", mount, "sh", *program]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280)
    if "mount:" in done.stderr:
        pytest.skip("the system does not let us make a small disk")
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no limit on the size of files")
@pytest.mark.parametrize("how", ["limit", "disk"])
def test_every_verb_says_so_and_keeps_what_was_there(how: str, tmp_path: Path) -> None:
    found = commands_on(how, tmp_path)
    assert len(found) == 18
    for ended in found:
        lines = [line for line in ended["said"].splitlines() if line.strip() and not line.startswith("warning: ")]
        assert ended["code"] == 2, ended
        assert lines[-1].startswith("error: ") and "Traceback" not in ended["said"], ended
        assert any(words in lines[-1] for words in ("could not be written", "could not write")), ended
        assert not ended["changed"], ended
        assert {Path(path).name for path in ended["left"]} <= {".lock"}, ended
