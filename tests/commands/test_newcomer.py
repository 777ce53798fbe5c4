"""The first hour from a wheel: recipes and models by name, examples of --help in an empty folder, tables, sheets."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import semanticgan as sg
from semanticgan.commands import VERBS, build_parser
from semanticgan.data.portraits import PortraitDataset
from semanticgan.errors import DataWarning, InputError, MissingFileError
from semanticgan.extras import problem
from semanticgan.perception.face_detector import FaceDetector
from semanticgan.registry import bundled, resolve
from semanticgan.training.config import load_config, recipe_text, recipes
from semanticgan.training.loop import train

Command = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[2]
# Read by an example, and made by whoever types it.
OWN = ("data", "runs", "checkpoint", "photographs", "CelebAMask-HQ")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 9 steps with two states."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    words = ["schedule.total_images=36", "schedule.save_every=4", "schedule.keep=5", "log_to=[]", "device=cpu"]
    train(load_config("tiny", [f"run_dir={folder}", *words]))
    return folder


def examples(verb: str) -> list[list[str]]:
    text = build_parser(verb, f"semanticgan {verb}").format_help()
    return [shlex.split(line)[2:] for line in text.splitlines() if line.startswith(f"  semanticgan {verb} ")]


@pytest.mark.parametrize("verb", VERBS)
def test_no_example_needs_a_checkout(verb: str) -> None:
    assert examples(verb)
    for words in examples(verb):
        for word in words:
            value = word.rpartition("=")[2]
            own = bool(value) and Path(value).parts[0] in OWN  # made by an earlier example
            assert own or not (ROOT / value).exists(), f"{value} is a file of the checkout"
            assert not value.startswith(("configs", "tools", "tests", "docs", "semanticgan/")), value
        if verb == "train":
            assert words[0] in recipes()
        for option in ("--model", "--parser"):
            if option in words and not words[words.index(option) + 1].endswith(".safetensors"):
                kinds = ("", "parsers")
                assert any(words[words.index(option) + 1] in bundled(kind) for kind in kinds), words


CHEAP = [
    ("generate", 0),
    ("generate", 1),
    ("edit-region", 0),
    ("components", 0),
    ("components", 1),
    ("interpolate", 0),
    ("train", 0),
]


@pytest.mark.slow
@pytest.mark.parametrize(("verb", "index"), CHEAP)
def test_cheap_examples_run_in_an_empty_folder(verb: str, index: int, command: Command) -> None:
    assert command(verb, *examples(verb)[index]).code == 0


@pytest.mark.slow
def test_examples_with_a_photograph(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of edit-region, invert, label and inspect, with a drawn portrait as the photograph."""
    if problem("faces"):
        pytest.skip(str(problem("faces")))
    drawn = PortraitDataset(160, length=1, seed=5)[0].image
    for name in ("me.jpg", "photographs/me.jpg"):
        Path(name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.ascontiguousarray(np.asarray(drawn).transpose(1, 2, 0))).save(name)
    assert command("edit-region", *examples("edit-region")[1]).code == 0
    assert Image.open("me2.jpg").size == (160, 160)
    assert command("invert", *examples("invert")[0]).code == 0
    assert command("label", *examples("label")[0]).code == 0
    assert command("inspect", "me2.jpg").result["mark"]["kind"] == "composite"
    monkeypatch.setattr("semanticgan.extras._why_not", lambda module: "is not installed")
    monkeypatch.setattr("semanticgan.inversion.target._detector", FaceDetector)
    refused = command("edit-region", *examples("edit-region")[1], "--overwrite")
    complaint = refused.err.splitlines()[-1]  # after the note on the model's terms
    assert refused.code == 2 and 'pip install "semanticgan[align]"' in complaint and "--landmarks" in complaint


@pytest.mark.parametrize("path", ["configs/portraits-64.yaml", "portraits-64.yml", "/none/portraits-64.yaml"])
def test_a_recipe_that_is_missing_suggests_its_name(path: str, command: Command) -> None:
    complaint = command("train", path, "run_dir=x").complaint
    assert f"recipe {path!r} does not exist. Did you mean 'portraits-64', which comes with the package?" in complaint


def test_recipes_by_name_and_by_path(tmp_path: Path) -> None:
    for name in recipes():
        assert recipe_text(name) == (ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8")
    (tmp_path / "own.yaml").write_text("batch: 2\n", encoding="utf-8")
    assert recipe_text(tmp_path / "own.yaml") == "batch: 2\n"
    with pytest.raises(
        MissingFileError, match=r"'nothing-like-it-at-all\.yaml' does not exist\. Recipes known by name"
    ):
        recipe_text("nothing-like-it-at-all.yaml")
    with pytest.raises(InputError, match="Did you mean 'lfw-64'"):
        recipe_text("lfw64")


def test_a_run_is_a_model(run_dir: Path, command: Command) -> None:
    newest, older = run_dir / "step-0000009", run_dir / "step-0000008"
    assert resolve(run_dir) == newest / "model.safetensors"
    assert resolve(older) == older / "model.safetensors"
    assert sg.load(run_dir, device="cpu").metadata.training["images"] == 36
    assert sg.load(str(older), device="cpu").metadata.training["images"] == 32
    assert command("generate", "--model", run_dir, "--seed", "1", "--out", "x").result["size"] == 16
    assert command("components", "--model", older, "--seed", "1", "--out", "c.png").code == 0
    blended = command("blend", "--model", run_dir, "--with", older, "--from-side", "16", "--out", "b.safetensors")
    assert blended.result["out"] == "b.safetensors"


def test_the_newest_state_is_the_one_of_the_largest_number(tmp_path: Path) -> None:
    for name in ("step-0999999", "step-1000000", "step-10000000", "step-x", ".step-99999999-a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").touch()
    (tmp_path / "step-20000000").mkdir()
    assert resolve(tmp_path).parent.name == "step-10000000"


def test_a_folder_without_a_model(tmp_path: Path, command: Command) -> None:
    assert "is a folder without a training state" in command("generate", "--model", tmp_path).complaint
    for verb in ("generate", "evaluate", "benchmark", "blend", "interpolate", "locality", "components", "edit-region"):
        assert "--model NAME_OR_PATH_OR_RUN" in build_parser(verb, "x").format_help()


def test_a_name_goes_before_a_folder_of_that_name(
    run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run_dir, tmp_path / "portraits-64")
    with pytest.warns(DataWarning, match=r"Give \./portraits-64 for the run"):
        assert resolve("portraits-64") == bundled()["portraits-64"]
    assert resolve("./portraits-64").parent.name == "step-0000009"


def test_evaluate_shows_its_table_unless_it_writes_it(command: Command, tmp_path: Path) -> None:
    words = ["--metrics", "ownership", "--parser", "portraits-64", "--num-generated", "2", "--device", "cpu"]
    shown = command("evaluate", *words, "--region", "hair")
    assert shown.result["model"] == "portraits-64"
    assert "| metric | value |" in shown.err and "# portraits-64" in shown.err
    written = command("evaluate", *words, "--region", "hair", "--out", "x.md")
    assert written.result["out"] == "x.md" and "| metric" not in written.err
    assert "| metric | value |" in (tmp_path / "x.md").read_text(encoding="utf-8")


WORDS = ("device=cpu", "log_to=[]", "schedule.total_images=8", "schedule.save_every=1", "schedule.sheet_images=1")


def test_equal_runs_are_equal_files(tmp_path: Path) -> None:
    """In folders of other names, by processes whose dictionaries have another order."""
    files = []
    for number, name in enumerate(("a", "b/with a longer name")):
        command = [sys.executable, str(ROOT / "tools/train.py"), "tiny", f"run_dir={tmp_path / name}", *WORDS]
        environment = {**os.environ, "PYTHONHASHSEED": str(number), "OMP_NUM_THREADS": "1"}
        subprocess.run(command, env=environment, check=True, capture_output=True, cwd=tmp_path)
        files.append((tmp_path / name / "step-0000002" / "model.safetensors").read_bytes())
    assert files[0] == files[1]
    assert str(tmp_path).encode() not in files[0]


def test_equal_codes_are_equal_files(tmp_path: Path) -> None:
    text = "import sys, semanticgan as sg; sg.load(device='cpu').sample(seed=1).save(sys.argv[1])"
    for name in ("a", "b", "c"):
        path = str(tmp_path / f"{name}.safetensors")
        subprocess.run([sys.executable, "-c", text, path], check=True, cwd=ROOT)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_the_report_of_a_stopped_training_has_a_sheet(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.training.exactness import stop_after

    stop_after(3, monkeypatch)
    stopped = command("train", "tiny", "run_dir=x", "device=cpu", "log_to=[]", "schedule.sheet_every=1000")
    assert not stopped.result["finished"]
    assert [path.name for path in (tmp_path / "x" / "sheets").iterdir()] == ["step-0000003.png"]
    assert command("report", "x", "--out", "r.html").code == 0
    assert "Newest" in (tmp_path / "r.html").read_text(encoding="utf-8")
