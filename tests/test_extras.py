"""Packages that only some features need: a line before any work where one is missing or broken."""

from __future__ import annotations

import configparser
import importlib.util
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from semanticgan import extras
from semanticgan.errors import DataWarning, InputError
from semanticgan.runs.logs import SINKS, chosen_sinks
from semanticgan.training.config import TrainingConfig

Command = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[1]
PACKAGES = sorted({module.partition(".")[0] for need in extras.NEEDS.values() for module in need.modules} - {"torch"})


class _Broken(MetaPathFinder, Loader):
    """Finds packages that fail while they are imported."""

    def __init__(self, names: Sequence[str], error: Exception) -> None:
        self.names, self.error = names, error

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in self.names else None

    def exec_module(self, module: ModuleType) -> None:
        raise self.error


def _forget(monkeypatch: pytest.MonkeyPatch, names: Sequence[str]) -> None:
    for module in list(sys.modules):
        if module.partition(".")[0] in names or module.startswith("torch.utils.tensorboard"):
            monkeypatch.delitem(sys.modules, module)


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """None of the packages is installed."""
    _forget(monkeypatch, PACKAGES)
    for name in PACKAGES:
        monkeypatch.setitem(sys.modules, name, None)
    yield


@pytest.mark.parametrize("feature", extras.NEEDS)
def test_what_is_missing_is_named_with_what_installs_it(feature: str, missing: None) -> None:
    need = extras.NEEDS[feature]
    with pytest.raises(InputError) as told:
        extras.require(feature)
    assert "is not installed. Run `pip install " in str(told.value) and need.install in str(told.value)


@pytest.mark.parametrize(
    "error", [ImportError("libx.so: no such file"), RuntimeError("old"), AttributeError("np.float")]
)
@pytest.mark.parametrize("feature", extras.NEEDS)
def test_what_is_broken_is_told_from_what_is_missing(
    feature: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    _forget(monkeypatch, PACKAGES)
    monkeypatch.setattr(sys, "meta_path", [_Broken(PACKAGES, error), *sys.meta_path])
    with pytest.raises(InputError, match=f"is installed but cannot be imported .*{error}.*pip install"):
        extras.require(feature)


def test_a_package_that_prints_leaves_stdout_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Talking(_Broken):
        def exec_module(self, module: ModuleType) -> None:
            print("not at all well")

    _forget(monkeypatch, ["wandb"])
    monkeypatch.setattr(sys, "meta_path", [Talking(["wandb"], Exception()), *sys.meta_path])
    extras.require("wandb")
    monkeypatch.delitem(sys.modules, "wandb")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "not at all well\n")


def test_what_a_package_itself_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _forget(monkeypatch, ["wandb"])
    error = ModuleNotFoundError("No module named 'click'", name="click")
    monkeypatch.setattr(sys, "meta_path", [_Broken(["wandb"], error), *sys.meta_path])
    with pytest.raises(InputError, match=r"cannot be imported .*'click'"):
        extras.require("wandb")


def test_extras_are_those_of_the_package() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    for feature, need in extras.NEEDS.items():
        match = re.fullmatch(r'"semanticgan\[(\w+)\]"', need.install)
        if match is None:
            assert feature == "wandb"
            continue
        listed = re.findall(r"^([\w-]+)", setup["options.extras_require"][match[1]], re.MULTILINE)
        assert set(map(extras.distribution_of, need.modules)) <= set(listed), feature
    assert set(SINKS) <= set(extras.NEEDS)


@pytest.mark.parametrize(
    ("words", "package"),
    [
        (("interpolate", "--seeds", "1,2", "--out", "x.mp4"), "imageio-ffmpeg"),
        (("evaluate", "--metrics", "fid", "--data-kind", "portraits", "--extractor", "random"), "scipy"),
        (("evaluate", "--metrics", "pr", "--data-kind", "portraits", "--model", "none"), "scipy"),
        (("evaluate", "--metrics", "miou", "--data-kind", "lmdb", "--data", "x", "--model", "none"), "lmdb"),
        (("prepare-data", "portraits", "--size", "16", "--format", "lmdb", "--out", "x"), "lmdb"),
        (("prepare-data", "lmdb", "x", "--out", "y"), "lmdb"),
        (("train-parser", "lmdb", "x", "--out", "y.safetensors"), "lmdb"),
        (("studio", "--port", "0"), "fastapi"),
        (("train", "tiny", "run_dir=x", "log_to=[tensorboard]"), "tensorboard"),
        (("train", "tiny", "run_dir=x", "log_to=[wandb]"), "wandb"),
        (("train", "tiny", "run_dir=x", "data.kind=lmdb", "data.path=x"), "lmdb"),
        (("train", "tiny", "run_dir=x", "--metrics", "kid", "metrics.extractor=random"), "scipy"),
    ],
)
def test_every_verb_says_so_before_any_work(
    words: tuple[str, ...], package: str, missing: None, command: Command, tmp_path: Path
) -> None:
    complaint = command(*words).complaint
    assert f"needs {package}, which is not installed. Run `pip install" in complaint
    assert list(tmp_path.iterdir()) == []


def test_the_default_log_does_not_stop_a_plain_installation(missing: None, command: Command, tmp_path: Path) -> None:
    assert TrainingConfig().log_to is None
    done = command("train", "tiny", "run_dir=x", "device=cpu", "schedule.total_images=4", "schedule.save_every=1")
    assert done.result["finished"]
    told = [line for line in done.err.splitlines() if line.startswith("warning:")]
    assert len(told) == 1 and "TensorBoard" in told[0] and 'pip install "semanticgan[train]"' in told[0]
    assert not (tmp_path / "x" / "tensorboard").exists()


def test_no_log_is_no_warning(missing: None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert chosen_sinks([]) == []
    with pytest.warns(DataWarning, match="tensorboard"):
        assert chosen_sinks(None) == ()


def test_where_it_is_installed_it_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "problem", lambda feature: None)
    assert chosen_sinks(None) == ("tensorboard",)
    assert importlib.util.find_spec("semanticgan.extras") is not None
