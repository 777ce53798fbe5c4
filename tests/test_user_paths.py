"""Paths from outside: ``~`` is the home folder wherever one is given, and what is not a path is one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import semanticgan as sg
from semanticgan.commands import VERBS, arguments, build_parser
from semanticgan.data import open_dataset
from semanticgan.editing.outputs import save_picture
from semanticgan.editing.videos import require_video_writer
from semanticgan.errors import InputError, MissingFileError
from semanticgan.files import folder_written_aside, require_file, require_free, user_path, written_aside
from semanticgan.metrics.statistics import FeatureCache
from semanticgan.perception.extractors import open_extractor
from semanticgan.perception.parser import load_parser
from semanticgan.perception.perceptual import open_distance
from semanticgan.runs.report import write_report
from semanticgan.training.config import TrainingConfig, load_config, recipe_text
from semanticgan.training.start import Start

Command = Callable[..., Any]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder, while the current one is another."""
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "home"


def test_the_home_folder(home: Path) -> None:
    assert user_path("~") == home and user_path("~/a/b.png") == user_path(Path("~/a/b.png")) == home / "a/b.png"
    assert user_path("a/~/b") == Path("a/~/b") and user_path("/a/~") == Path("/a/~")


@pytest.mark.parametrize("text", ["./~", "./~/x", "./~nobody", ".//~/x"])
def test_a_name_that_begins_with_a_tilde(text: str, home: Path) -> None:
    """It stays that name however often it passes."""
    found = user_path(text)
    assert found == Path.cwd() / text and user_path(found) == user_path(str(found)) == found


@pytest.mark.parametrize("value", [None, "", "relative", "/none/such"])
def test_no_home_folder_is_a_line(value: str | None, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME") if value is None else monkeypatch.setenv("HOME", value)
    with pytest.raises(InputError, match=r"'~/x' cannot be found: .* Give the whole path, or \./~/x"):
        user_path("~/x")
    assert user_path("x") == Path("x")


def test_an_unknown_user_is_a_line(home: Path) -> None:
    with pytest.raises(InputError, match="'~no-such-user/x' cannot be found"):
        user_path("~no-such-user/x")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "is empty"),
        (" ", "is empty"),
        ("a\0b", "control characters"),
        ("a\nb", "control characters"),
        ("a\x1b[2J", "control characters"),
        ("a\udcffb", "not Unicode"),
        ("a/" + "b" * 256, "a name of 256 bytes"),
        ("ä" * 128, "a name of 256 bytes"),
        ("a/" * 2048, "has 4096 bytes"),
        (b"a", "is text or a pathlib.Path, got bytes"),
        (3, "is text or a pathlib.Path, got int"),
        (None, "is text or a pathlib.Path, got NoneType"),
    ],
)
def test_what_is_no_path(path: Any, said: str) -> None:
    with pytest.raises(InputError, match=f"^output .*{said}"):
        user_path(path, "output")


def test_names_of_every_script_are_paths() -> None:
    for name in ("ü", "肖像", "صورة", "x y", "a'b", "-x", "👩‍🎨.png", "b" * 255):
        assert user_path(name) == Path(name)


def take_paths() -> dict[str, Callable[[str], Any]]:
    """Functions of the package that take a path, by name."""
    code = sg.load("portraits-64", device="cpu").sample(seed=1)
    return {
        "sg.load": sg.load,
        "require_file": lambda path: require_file(path, "file"),
        "require_free": require_free,
        "written_aside": lambda path: written_aside(path).__enter__(),
        "folder_written_aside": lambda path: folder_written_aside(path).__enter__(),
        "LatentCode.save": lambda path: code.save(f"{path}.safetensors"),
        "LatentCode.load": lambda path: sg.LatentCode.load(f"{path}.safetensors"),
        "open_dataset": lambda path: open_dataset("folder", path),
        "open_dataset, pictures": lambda path: open_dataset("pictures", path, scheme="photographs-11"),
        "load_parser": lambda path: load_parser(f"{path}.safetensors"),
        "open_extractor": lambda path: open_extractor(f"attributes:{path}.safetensors"),
        "open_extractor, run": lambda path: open_extractor(f"discriminator:{path}"),
        "open_distance": lambda path: open_distance(f"attributes:{path}.safetensors"),
        "recipe_text": lambda path: recipe_text(f"{path}.yaml"),
        "Start.read": Start.read,
        "write_report": lambda path: write_report(path, "report.html"),
        "save_picture": lambda path: save_picture(Image.new("RGB", (4, 4)), f"{path}.png"),
        "require_video_writer": lambda path: require_video_writer(f"{path}.gif"),
        "FeatureCache": FeatureCache,
        "TrainingConfig": lambda path: TrainingConfig(start=path),
    }


def test_python_functions_know_the_home_folder_and_its_absence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    functions = take_paths()
    for name, function in functions.items():
        try:
            function("~/new")
        except InputError as error:  # what is read is missing, and is looked for in the right place
            assert str(home / "new") in str(error), name
    assert list(Path.cwd().iterdir()) == []
    monkeypatch.delenv("HOME")
    for name, function in functions.items():
        with pytest.raises(InputError, match="cannot be found"):
            function("~/new")
        assert list(Path.cwd().iterdir()) == [], name


def test_a_rendering_and_a_code_are_saved_at_home(home: Path) -> None:
    model = sg.load("portraits-64", device="cpu")
    code = model.sample(seed=3)
    model.render(code).save("~/a.png")
    code.save("~/a.npy")
    again = sg.LatentCode.load("~/a.npy", model.regions)
    assert (home / "a.png").is_file() and np.array_equal(again.tensor.numpy(), code.tensor.numpy())


KEYS = ("run_dir", "start", "data.path", "loss.parser", "loss.classifier", "metrics.parser")
KINDS = ("features.extractor", "metrics.extractor", "metrics.distance")


@pytest.mark.parametrize("key", [*KEYS, *KINDS])
def test_every_key_that_takes_a_path(key: str, home: Path) -> None:
    prefix = "attributes:" if key in KINDS else ""

    def value(given: str) -> str:
        config: Any = load_config("tiny", [f"{key}={prefix}{given}"])
        for name in key.split("."):
            config = getattr(config, name)
        return config

    assert value("~/x") == f"{prefix}{home}/x"
    assert value("./~/x") == f"{prefix}{Path.cwd()}/~/x"
    assert value("a/./b") == f"{prefix}a/./b", "stays as it was typed"
    with pytest.raises(InputError, match=f"{key} '~no-such-user/x' cannot be found"):
        value("~no-such-user/x")


def test_a_recipe_says_home_too(home: Path) -> None:
    (home / "own.yaml").write_text("start: ~/model.safetensors\ndata: {path: ~/data}\n")
    config = load_config("~/own.yaml")
    assert (config.start, config.data.path) == (f"{home}/model.safetensors", f"{home}/data")


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_that_takes_a_path_reads_it_as_one(verb: str) -> None:
    """No option makes a Path of its own: ``~`` would be a folder's name."""
    parser = build_parser(verb, "x")
    assert [action.dest for action in parser._actions if action.type is Path] == []
    metavars = ("FILE", "FOLDER", "PATH", "OUT.safetensors", "FILE.safetensors", "RUN_DIR", "RUN", "PICTURES")
    for action in parser._actions:
        if action.metavar in metavars:
            assert action.type in (arguments.path, arguments.output_folder), action.dest


@pytest.mark.parametrize(
    "words",
    [
        ("generate", "--out", "~no-such-user/x"),
        ("generate", "--model", "~no-such-user/x"),
        ("train", "tiny", "run_dir=~no-such-user/x"),
        ("train", "~no-such-user/x.yaml", "run_dir=x"),
        ("prepare-data", "portraits", "--out", "~no-such-user/x"),
        ("export", "~no-such-user/x", "--out", "y.safetensors"),
        ("blend", "--with", "~no-such-user/x", "--from-side", "64", "--out", "y.safetensors"),
        ("evaluate", "--metrics", "miou", "--parser", "~no-such-user/x.safetensors"),
        ("generate", "--out", "a" * 300),
        ("generate", "--model", "a" * 300),
        ("train", "tiny", "run_dir=a\nb"),
        ("report", "a\nb"),
        ("benchmark", "--out", "a\x1b]0;x"),
    ],
)
def test_a_path_that_is_none_is_one_line(words: tuple[str, ...], command: Command, tmp_path: Path) -> None:
    assert "\x1b" not in command(*words).complaint
    assert list(tmp_path.iterdir()) == []


def test_missing_is_still_a_missing_file(home: Path) -> None:
    with pytest.raises(MissingFileError, match=str(home)):
        sg.load("~/none.safetensors")
