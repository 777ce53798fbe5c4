"""The scripts that make pages and pictures of docs/ start."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
SCRIPTS = sorted(path.name for path in DOCS.glob("*.py") if "argparse" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_starts(script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In this process, since each would import PyTorch anew."""
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    monkeypatch.syspath_prepend(DOCS)  # as Python does for a script
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(DOCS / script), run_name="__main__")
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out
