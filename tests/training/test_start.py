"""A training that begins with the weights of another: where they may come from, and what of them stays."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from semanticgan.checkpoint import load_model
from semanticgan.errors import InputError
from semanticgan.model import load
from semanticgan.runs.state import load_state, newest_state
from semanticgan.training.config import TrainingConfig, load_config
from semanticgan.training.loop import train
from semanticgan.training.start import Start
from tests.conftest import Run
from tests.training.conftest import tiny_overrides
from tests.training.exactness import assert_same, assert_same_run, stop_after

Make = Callable[..., TrainingConfig]
Command = Callable[..., Run]
FROZEN = ("freeze.generator=[mapping,local]", "freeze.discriminator_blocks=1")


@pytest.fixture(scope="module")
def source(tiny_pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of 8 steps, with states after 4 and 8."""
    run_dir = tmp_path_factory.mktemp("runs") / "source"
    train(
        load_config(
            "tiny",
            [*tiny_overrides(tiny_pictures, run_dir), "schedule.total_images=32", "schedule.save_every=4", "log_to=[]"],
        )
    )
    return run_dir


def begun(config: TrainingConfig) -> dict[str, Any]:
    """The state of a run after its last step."""
    newest = newest_state(train(config).run_dir)
    assert newest is not None
    return load_state(newest)


# With no rate of learning what a run starts with is what it ends with.
STILL = ("optimiser.learning_rate=0", "schedule.total_images=4", "log_to=[]")


@pytest.mark.parametrize(("start", "step"), [("", 8), ("step-0000004", 4)], ids=["run folder", "step folder"])
def test_start_from_a_state_takes_both_networks(
    start: str, step: int, source: Path, tiny_config: Make, tmp_path: Path
) -> None:
    expected = load_state(source / f"step-{step:07d}")
    state = begun(tiny_config(tmp_path / "run", *STILL, f"start={source / start}"))
    assert state["steps_done"] == 1
    assert_same(state["networks"]["generator"], expected["networks"]["generator"])
    assert_same(state["networks"]["discriminator"], expected["networks"]["discriminator"])


def test_the_discriminator_of_a_start_is_configured_as_it_was_written(source: Path, tiny_config: Make) -> None:
    """An empty segmentation_channels stays empty: a run begun from a run must not look changed when it is repeated."""
    written = load_config(source / "config.yaml").discriminator
    assert written.segmentation_channels == {}
    start = Start.read(str(source))
    assert start.configure(tiny_config(source)).discriminator == written
    assert start.discriminator is not None and start.discriminator.config.segmentation_channels != {}


def test_start_from_a_model_file_takes_the_generator(source: Path, tiny_config: Make, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.safetensors"
    shutil.copy(source / "step-0000008/model.safetensors", path)
    state = begun(tiny_config(tmp_path / "run", *STILL, f"start={path}"))
    model = load_model(path).generator.state_dict()
    assert_same(dict(state["networks"]["generator"]), dict(model))
    taken = load_state(source / "step-0000008")["networks"]["discriminator"]
    assert any(not torch.equal(tensor, taken[name]) for name, tensor in state["networks"]["discriminator"].items())


def test_a_label_network_may_be_added_and_changes_nothing_at_first(
    source: Path, tiny_config: Make, tmp_path: Path
) -> None:
    added = (f"start={source}", "generator.label_channels=6", "log_to=[]", "schedule.total_images=4")
    config = tiny_config(tmp_path / "still", *added, "optimiser.learning_rate=0")
    state, expected = begun(config), load_state(source / "step-0000008")
    assert all(
        torch.equal(state["networks"]["generator"][name], tensor)
        for name, tensor in expected["networks"]["generator"].items()
    )
    assert (
        "renderer.label_network.mix.weight"
        in state["networks"]["generator"].keys() - expected["networks"]["generator"].keys()
    )
    head = "renderer.label_network.to_segmentation."
    assert not any(
        value.any()
        for name, value in state["networks"]["average"].items()
        if name in (head + "conv.weight", head + "bias")
    )
    learnt = begun(tiny_config(tmp_path / "run", *added))["networks"]["generator"]
    assert learnt[head + "conv.weight"].any()
    assert begun(tiny_config(tmp_path / "run", *added))["steps_done"] == 1  # it finds its own configuration again


def test_start_from_a_model_by_name_takes_its_numbers(tmp_path: Path) -> None:
    """The recipe says 16 pixels and other widths: those of the model hold."""
    drawn = ["data.length=8", "device=cpu", "discriminator.channels={4: 16, 8: 16, 16: 8, 32: 8, 64: 8}"]
    state = begun(load_config("tiny", [f"run_dir={tmp_path / 'run'}", *drawn, *STILL, "start=portraits-64"]))
    bundled = load("portraits-64", device="cpu")
    assert_same(dict(state["networks"]["generator"]), dict(bundled.generator.state_dict()))
    model = load_model(tmp_path / "run/step-0000001/model.safetensors")
    assert model.metadata.config == bundled.config and model.regions == bundled.regions


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("nowhere/model.safetensors", "does not exist"),
        ("nowhere", "unknown model 'nowhere'"),
        ("empty", "holds no whole training state. Give a run's folder"),
        ("text.safetensors", "file of weights"),
    ],
)
def test_a_wrong_start_is_one_line(
    start: str, said: str, command: Command, tiny_pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.safetensors").write_text("no weights")
    refused = command("train", "tiny", *tiny_overrides(tiny_pictures, tmp_path / "run"), f"start={start}")
    assert said in refused.complaint
    assert not (tmp_path / "run").exists()


def test_a_damaged_state_is_no_start(source: Path, command: Command, tiny_pictures: Path, tmp_path: Path) -> None:
    shutil.copytree(source / "step-0000004", tmp_path / "step-0000004")
    with open(tmp_path / "step-0000004/training.pt", "r+b") as file:
        file.truncate(1000)
    overrides = tiny_overrides(tiny_pictures, tmp_path / "run")
    refused = command("train", "tiny", *overrides, f"start={tmp_path / 'step-0000004'}")
    assert "holds no whole training state" in refused.complaint


def test_other_regions_are_refused_before_anything_is_written(source: Path, command: Command, tmp_path: Path) -> None:
    refused = command("train", "tiny", f"run_dir={tmp_path / 'run'}", "device=cpu", f"start={source}")
    assert "the data have the regions background, face, " in refused.complaint
    assert "Give data of the same regions, or train from the beginning." in refused.complaint
    assert not (tmp_path / "run").exists()


def test_what_is_frozen_stays_and_the_rest_learns(
    source: Path, tiny_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit, in the networks and in the model that comes out; and a resumed run ends as the whole one."""
    arguments = (f"start={source}", *FROZEN, "schedule.total_images=32")
    state = begun(tiny_config(tmp_path / "whole", *arguments))
    before = load_state(source / "step-0000008")
    model = load_model(source / "step-0000008/model.safetensors").generator
    for network, start in (("generator", model.state_dict()), ("average", before["networks"]["average"])):
        parameters = {name for name, _ in model.named_parameters()}
        moved = {name for name in parameters if not torch.equal(state[network][name], start[name])}
        frozen = {name for name in parameters if name.startswith(("mapping.", "local."))}
        assert len(frozen) > 20 and not moved & frozen, network
        assert len(moved) > 0.8 * len(parameters - frozen), network
    for branch in ("image_branch", "segmentation_branch"):
        first = (f"{branch}.stem.", f"{branch}.blocks.0.")
        for name, tensor in before["networks"]["discriminator"].items():
            if name.startswith(first):
                assert torch.equal(state["networks"]["discriminator"][name], tensor), name
        later = [name for name in before["networks"]["discriminator"] if name.startswith(f"{branch}.blocks.1.")]
        assert any(
            not torch.equal(state["networks"]["discriminator"][name], before["networks"]["discriminator"][name])
            for name in later
        )
    with monkeypatch.context() as patch:
        stop_after(3, patch)
        assert not train(tiny_config(tmp_path / "run", *arguments)).finished
    assert train(tiny_config(tmp_path / "run", *arguments)).finished
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_a_run_needs_its_start_no_more(source: Path, tiny_config: Make, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "start")
    arguments = (f"start={tmp_path / 'start'}", "log_to=[]")
    train(tiny_config(tmp_path / "run", *arguments, "schedule.total_images=8"))
    shutil.rmtree(tmp_path / "start")
    assert train(tiny_config(tmp_path / "run", *arguments, "schedule.total_images=16")).images == 16
    with pytest.raises(InputError, match="start"):
        train(tiny_config(tmp_path / "another", *arguments))


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 6 random pictures of 16 pixels without label maps."""
    folder = tmp_path_factory.mktemp("drawings")
    random = np.random.default_rng(1)
    for index in range(6):
        picture = Image.fromarray(random.integers(0, 256, (16, 16, 3), dtype=np.uint8))
        picture.save(folder / f"{index}.png")
    return folder


def adapting(start: Path, drawings: Path) -> tuple[str, ...]:
    return (f"start={start}", "data.kind=pictures", f"data.path={drawings}", "data.scheme=null")


def test_labels_stay_those_of_the_start(source: Path, drawings: Path, tiny_config: Make, tmp_path: Path) -> None:
    """Beside a training that only measures it. What reads is the start's model, which learns nothing."""
    path = source / "step-0000008/model.safetensors"
    losses = {}
    for weight in (0, 20):
        run_dir = tmp_path / f"run-{weight}"
        wanted = ("loss.parser=start", f"loss.agreement={weight}", "loss.mask=0", "optimiser.learning_rate=0.01")
        schedule = ("schedule.total_images=120", "schedule.log_every=1", "log_to=[]")
        state = begun(tiny_config(run_dir, *adapting(path, drawings), *FROZEN, *wanted, *schedule))
        assert_same(dict(state["reader"]), dict(load_model(path).generator.state_dict()))
        logged = (run_dir / "stats.jsonl").read_text().splitlines()
        losses[weight] = [json.loads(line)["loss/agreement"] for line in logged]
    assert losses[0][0] == losses[20][0] and len(losses[0]) == 30
    assert losses[0][-1] > losses[0][0] + 0.05, losses
    assert losses[20][-1] < losses[20][0] + 0.01, losses


@pytest.mark.parametrize("reading", [(), ("loss.parser=start",)], ids=["no parser", "start"])
def test_pictures_without_label_maps_take_the_regions_of_the_start(
    source: Path,
    drawings: Path,
    tiny_config: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    reading: tuple[str, ...],
) -> None:
    """Adaptation: the branch of the segmentation rests, the pictures are judged alone, and resume is exact."""
    arguments = (*adapting(source, drawings), *reading, "augmentation.adaptive=true", "schedule.total_images=32")
    state = begun(tiny_config(tmp_path / "whole", *arguments))
    before = load_state(source / "step-0000008")
    for name, tensor in before["networks"]["discriminator"].items():
        if name.startswith("segmentation_branch."):
            assert torch.equal(state["networks"]["discriminator"][name], tensor), name
    with monkeypatch.context() as patch:
        stop_after(5, patch)
        assert not train(tiny_config(tmp_path / "run", *arguments)).finished
    assert train(tiny_config(tmp_path / "run", *arguments)).finished
    assert_same_run(tmp_path / "run", tmp_path / "whole")
