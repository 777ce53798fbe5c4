"""The scripts that make pages and pictures of docs/ start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
SCRIPTS = sorted(path.name for path in DOCS.glob("*.py") if "argparse" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_starts(script: str) -> None:
    done = subprocess.run([sys.executable, DOCS / script, "--help"], capture_output=True, text=True, cwd=DOCS.parent)
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout
