"""What the README says is so: its commands run, its Python runs, its links lead somewhere."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import semanticgan as sg
from semanticgan.commands import VERBS, build_parser
from semanticgan.registry import RELEASES, bundled
from semanticgan.rendering import Rendering
from semanticgan.training.config import load_config

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def tool_lines() -> list[list[str]]:
    """Every ``python tools/...`` line of the README and the pages, split as a shell does."""
    lines = []
    for page in PAGES:
        for block in blocks("bash", page.read_text()):
            for line in block.replace("\\\n", " ").splitlines():
                command = line.rpartition("&&")[2].strip()
                if command.startswith("python tools/"):
                    lines.append(shlex.split(command, comments=True)[1:])
    return lines


def test_the_two_commands() -> None:
    first, second = (block.strip() for block in blocks("bash")[:2])
    assert first.startswith("pip install -c constraints.txt -e . && python tools/edit_region.py ")
    assert second == 'pip install -c constraints.txt -e ".[test]" && pytest'


def test_first_command_edits_a_picture(tmp_path: Path) -> None:
    words = shlex.split(blocks("bash")[0].rpartition("&&")[2])
    words[1] = str(ROOT / words[1])
    done = subprocess.run([sys.executable, *words[1:]], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"edited.png", "edited-sheet.png"}


def test_python_runs(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for number, block in enumerate(blocks("python")):
        command = [sys.executable, "-c", block]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"block {number}: {done.stderr}"
    assert (tmp_path / "swapped.png").exists()


@pytest.mark.parametrize("words", tool_lines(), ids=" ".join)
def test_commands_parse(words: list[str]) -> None:
    verb = Path(words[0]).stem.replace("_", "-")
    args = build_parser(verb, words[0]).parse_args(words[1:])
    if verb == "train":
        load_config(ROOT / args.recipe if "/" in args.recipe else args.recipe, args.overrides)


def test_every_verb_is_named() -> None:
    commands = README.partition("## From the command line")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `([a-z-]+)` \|", commands, re.MULTILINE)
    assert named == list(VERBS)


def test_a_rendering_has_the_fields_that_are_described() -> None:
    described = README.partition("A `Rendering` of N codes")[2].partition("`labels()`")[0]
    named = re.findall(r"^\| `([a-z_]+)` \|", described, re.MULTILINE)
    assert named == [field.name for field in dataclasses.fields(Rendering)]


def test_the_way_to_gradients() -> None:
    model = sg.load(device="cpu")
    tensor = model.sample(seed=1).tensor.requires_grad_()
    model.render(tensor, gradients=True).image.mean().backward()
    assert tensor.grad is not None and tensor.grad.abs().sum() > 0


def test_every_model_is_named() -> None:
    for name in (*bundled(), *RELEASES):
        assert f"`{name}`" in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not link.startswith("http"):
            assert (page.parent / link).exists(), link


def test_pictures_are_small() -> None:
    pictures = [path for path in (ROOT / "docs").rglob("*") if path.suffix in (".png", ".jpg")]
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size < 500_000, picture.name
