"""A training that begins with a smaller start: the networks grow, and the run resumes bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from semanticgan.model import load
from semanticgan.runs.state import load_state, newest_state
from semanticgan.surgery.growth import enlarged
from semanticgan.training.config import load_config
from semanticgan.training.loop import train
from semanticgan.training.method import prepared
from semanticgan.training.methods.semanticstylegan import SemanticStyleGAN
from tests.training.exactness import assert_same_run, stop_after

PORTRAITS = ("data.length=32", "data.kind=portraits", "log_to=[]", "device=cpu", "schedule.sheet_images=2")


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 16 pixels."""
    run_dir = tmp_path_factory.mktemp("runs") / "start"
    train(load_config("tiny", [*PORTRAITS, f"run_dir={run_dir}", "schedule.total_images=16"]))
    return run_dir


def grown(start: Path | str, run_dir: Path, *overrides: str, size: int = 32) -> list[str]:
    return [*PORTRAITS, f"start={start}", f"size={size}", f"run_dir={run_dir}", *overrides]


def begun(overrides: list[str], recipe: str = "tiny") -> SemanticStyleGAN:
    """A method before its first step."""
    from semanticgan.distributed import ALONE

    _, opened = prepared(load_config(recipe, overrides))
    method = opened(torch.device("cpu"), ALONE)
    assert isinstance(method, SemanticStyleGAN)
    method.start()
    return method


def test_the_first_picture_is_that_of_the_start_enlarged(start: Path, tmp_path: Path) -> None:
    method = begun(grown(start, tmp_path / "run"))
    model = load(str(start), device="cpu")
    code = model.sample(seeds=[1, 2])
    before = model.render(code)
    after = method.average(code.tensor)
    assert after.image.shape[-1] == 32
    torch.testing.assert_close(after.image, enlarged(before.image, 32), atol=1e-5, rtol=0)
    torch.testing.assert_close(after.segmentation, enlarged(before.segmentation, 32), atol=1e-5, rtol=0)
    assert torch.equal(after.depth, before.depth)


def test_the_bundled_model_grows(tmp_path: Path) -> None:
    method = begun(grown("portraits-64", tmp_path / "run", "data.length=2", size=128), recipe="portraits-64")
    model = load("portraits-64", device="cpu")
    code = model.sample(seed=1)
    with torch.no_grad():
        after = method.average(code.tensor).image
    torch.testing.assert_close(after, enlarged(model.render(code).image, 128), atol=1e-5, rtol=0)


def test_40_steps_are_17_and_23(start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = "schedule.total_images=160"
    train(load_config("tiny", grown(start, tmp_path / "whole", images)))
    with monkeypatch.context() as patch:
        stop_after(17, patch)
        train(load_config("tiny", grown(start, tmp_path / "run", images)))
    assert train(load_config("tiny", grown(start, tmp_path / "run", images))).finished
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_optimisers_and_averages_go_on(start: Path, tmp_path: Path) -> None:
    method = begun(grown(start, tmp_path / "run"))
    newest = newest_state(start)
    assert newest is not None
    old = load_state(newest)
    expected = old["networks"]["generator"]
    assert all(torch.equal(weight, method.generator.state_dict()[name]) for name, weight in expected.items())
    names = [name for name, _ in method.generator.named_parameters()]
    parameters = dict(method.generator.named_parameters())
    moments = old["optimisers"]["generator"]["state"]
    for index, name in enumerate(name for name in names if name in expected):
        kept = method.optimisers["generator"].state[parameters[name]]
        assert torch.equal(kept["exp_avg_sq"], moments[index]["exp_avg_sq"]), name
        assert kept["step"] == moments[index]["step"] > 0
    new = [name for name in names if name not in expected]
    assert new and not any(method.optimisers["generator"].state[parameters[name]] for name in new)


def test_a_size_that_is_not_stated_is_that_of_the_start(start: Path, tmp_path: Path) -> None:
    assert begun([*PORTRAITS, f"start={start}", f"run_dir={tmp_path / 'run'}"]).config.size == 16
