"""The site of the documentation: built by one command, links checked, nothing from another host."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="the site needs the extra [docs]")
ROOT = Path(__file__).parents[1]

LOADED = re.compile(
    r'<(?:script|img|iframe)[^>]+src="(https?:[^"]+)"|<link[^>]+rel="stylesheet"[^>]+href="(https?:[^"]+)"'
)
"""What a page loads from another host; a link that a reader may follow is none."""


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "sphinx", "-W", "-q", "-d", str(tmp_path / "kept"), "docs", str(tmp_path / "site")]
    built = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    pages = {path: path.read_text(encoding="utf-8") for path in (tmp_path / "site").rglob("*.html")}
    models = pages[tmp_path / "site" / "api" / "models.html"]
    assert 'id="semanticgan.latents.swap"' in models and "with the rows of some regions or layers taken from" in models
    assert {path.name: found for path, text in pages.items() if (found := LOADED.findall(text))} == {}
