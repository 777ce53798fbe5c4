"""A run's model as one file, with or without its discriminator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from semanticgan.checkpoint import load_model
from semanticgan.perception.extractors import open_extractor
from semanticgan.runs.state import MODEL_FILE, load_state
from semanticgan.training.config import load_config
from semanticgan.training.loop import train
from tests.conftest import Run
from tests.training.exactness import assert_same

Command = Callable[..., Run]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last state of a run of 3 steps."""
    run_dir = tmp_path_factory.mktemp("runs") / "short"
    words = [f"run_dir={run_dir}", "schedule.total_images=12", "schedule.save_every=3", "log_to=[]", "device=cpu"]
    return train(load_config("tiny", words)).model.parent


def test_the_file_has_both_networks_and_what_is_known_of_them(command: Command, state: Path) -> None:
    figures = ("--figure", "hours=2.5", "--figure", "hardware=one core")
    result = command("export", state.parent, "--with-discriminator", *figures, "--out", "a.safetensors").result
    loaded = load_model("a.safetensors", with_discriminator=True)
    assert_same(loaded.generator.state_dict(), load_model(state / MODEL_FILE).generator.state_dict())
    assert loaded.discriminator is not None
    assert_same(dict(loaded.discriminator.state_dict()), dict(load_state(state)["networks"]["discriminator"]))
    assert loaded.metadata.training == result["training"]
    assert {"recipe": "tiny", "images": 12, "hours": 2.5, "hardware": "one core"}.items() <= result["training"].items()
    assert (loaded.metadata.licence, loaded.metadata.description) == ("Apache-2.0", "a test model of 16 pixels")
    assert result["bytes"] == Path("a.safetensors").stat().st_size


def test_a_training_and_an_extractor_take_the_discriminator_of_the_file(command: Command, state: Path) -> None:
    command("export", state, "--with-discriminator", "--out", "a.safetensors")
    pictures = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    of_file, of_run = (open_extractor(f"discriminator:{path}") for path in ("a.safetensors", state))
    assert torch.equal(of_file(pictures).values, of_run(pictures).values) and of_file.key == of_run.key

    still = ["optimiser.learning_rate=0", "schedule.total_images=4", "log_to=[]", "device=cpu"]
    result = train(load_config("tiny", ["run_dir=run", "start=a.safetensors", *still]))
    assert_same(
        load_state(result.model.parent)["networks"]["discriminator"], load_state(state)["networks"]["discriminator"]
    )


def test_half_precision_and_other_words(command: Command, state: Path) -> None:
    words = ("--precision", "float16", "--description", "mine", "--licence", "CC0", "--data-licence", "own")
    half = command("export", state, *words, "--out", "half.safetensors").result
    whole = command("export", state, "--out", "whole.safetensors").result
    assert half["bytes"] < 0.75 * whole["bytes"]
    metadata = load_model("half.safetensors").metadata
    assert (metadata.description, metadata.licence, metadata.discriminator) == ("mine", "CC0", None)
    assert metadata.data_licence == "own"


def test_wrong_input_is_one_line(command: Command, state: Path, tmp_path: Path) -> None:
    command("export", state, "--out", "a.safetensors")
    before = Path("a.safetensors").read_bytes()
    for words, message in (
        ((state, "--out", "a.safetensors"), "exists already"),
        ((state, "--out", "b.pt"), ".safetensors"),
        (("a.safetensors", "--out", "b.safetensors"), "is not a folder of a run"),
        ((tmp_path, "--out", "b.safetensors"), "holds no whole training state"),
        ((state, "--figure", "hours", "--out", "b.safetensors"), "is not NAME=VALUE"),
        ((state, "--figure", "images=5", "--out", "b.safetensors"), "--figure images is known from the run"),
        ((state, "--figure", "hours=nan", "--out", "b.safetensors"), "is not finite"),
        (("a.safetensors", "--with-discriminator", "--out", "b.safetensors"), "is not a folder of a run"),
    ):
        assert message in command("export", *words).complaint
    assert Path("a.safetensors").read_bytes() == before and not Path("b.safetensors").exists()
