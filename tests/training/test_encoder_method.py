"""An encoder's training by the common loop: it learns, resumes bit for bit, and its file finds codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import semanticgan as sg
from semanticgan.checkpoint import save_model
from semanticgan.encoder_files import load_encoder
from semanticgan.errors import InputError
from semanticgan.inversion.encode import encode
from semanticgan.regions import RegionScheme
from semanticgan.runs.state import load_state, newest_state
from semanticgan.training.config import load_config
from semanticgan.training.loop import train
from semanticgan.training.methods.encoder_config import EncoderTrainingConfig
from tests.networks.models import CONFIGS, perturbed_generator
from tests.training.exactness import assert_same, stop_after

KEYS = ["data.kind=portraits", "data.length=8", "batch=4", "passes=2", "device=cpu", "log_to=[]", "size=32"]
SIZES = ["encoder.stem=4", "encoder.channels=[8,8,8]", "encoder.blocks=[1,1,1]", "encoder.head_channels=8"]
REST = ["encoder.head_convolutions=2", "encoder.norm=group", "optimiser.learning_rate=0.003", "ema.half_life=8"]
LOSSES = ["loss.distance=random", "loss.segmentation=0.5", "loss.code=0.2", "loss.w_norm=0.01"]
SCHEDULE = ["schedule.log_every=1", "schedule.save_every=4", "schedule.sheet_every=8"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    generator = perturbed_generator(CONFIGS["13-regions-transparent"])
    scheme = sg.load("portraits-64").regions
    save_model(path, generator, scheme, training={}, licence="", data_licence="")
    return path


def config_of(model: Path, run_dir: Path, images: int, *more: str) -> EncoderTrainingConfig:
    text = "method: encoder\nname: test\n"
    recipe = run_dir.parent / "encoder.yaml"
    recipe.write_text(text)
    keys = [f"model={model}", f"run_dir={run_dir}", f"schedule.total_images={images}"]
    config = load_config(recipe, [*keys, *KEYS, *SIZES, *REST, *LOSSES, *SCHEDULE, *more])
    assert isinstance(config, EncoderTrainingConfig)
    return config


def ended(run_dir: Path) -> Path:
    newest = newest_state(run_dir)
    assert newest is not None
    return newest


def test_stopped_and_resumed_is_the_same(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert train(config_of(model, tmp_path / "whole", 32)).finished
    with monkeypatch.context() as patch:
        stop_after(3, patch)
        assert not train(config_of(model, tmp_path / "parts", 32)).finished
    assert train(config_of(model, tmp_path / "parts", 32)).finished
    whole, parts = ended(tmp_path / "whole"), ended(tmp_path / "parts")
    assert_same(load_state(parts), load_state(whole))
    assert (tmp_path / "whole/stats.jsonl").read_bytes() == (tmp_path / "parts/stats.jsonl").read_bytes()
    assert (whole / "model.safetensors").read_bytes() == (parts / "model.safetensors").read_bytes()


def small_model(folder: Path) -> Path:
    path = folder / "small.safetensors"
    scheme = RegionScheme(names=("background", "a", "b", "c", "d"), transparent=("d",))
    generator = perturbed_generator(CONFIGS["5-regions-from-the-coarse-side"])
    save_model(path, generator, scheme, training={}, licence="", data_licence="")
    return path


def test_it_learns_and_its_file_finds_codes(tmp_path: Path) -> None:
    """On the generator's own pictures: after 60 steps codes are nearer than the mean is."""
    model = small_model(tmp_path)
    losses = ("loss.code=1", "loss.perceptual=0", "loss.segmentation=0", "loss.pixel=0")
    config = config_of(model, tmp_path / "run", 240, "size=16", "ema.half_life=4", *losses)
    assert train(config).finished
    file = ended(tmp_path / "run") / "model.safetensors"
    loaded, generator = load_encoder(file), sg.load(model, device="cpu")
    assert loaded.model["digest"] == generator.metadata.digest
    wanted = generator.sample(seeds=range(8))
    found = encode(loaded, generator, generator.render(wanted).image, passes=2)
    error, of_mean = ((code - wanted.tensor).square().mean() for code in (found.tensor, loaded.mean))
    assert error < 0.9 * of_mean


def test_an_encoder_of_another_model(model: Path, tmp_path: Path) -> None:
    assert train(config_of(model, tmp_path / "run", 4)).finished
    loaded = load_encoder(ended(tmp_path / "run") / "model.safetensors")
    with pytest.raises(InputError, match="belongs to the model"):
        encode(loaded, sg.load("portraits-64", device="cpu"), torch.zeros(1, 3, 64, 64))


def test_data_of_other_regions(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the model has background, a, b, c, d"):
        train(config_of(small_model(tmp_path), tmp_path / "run", 4, "size=16", "encoder.head_convolutions=1"))


def test_a_layered_model(tiny_layered_file: Path, tmp_path: Path) -> None:
    """It has no regions, so labels have no part; the data may be pictures alone."""
    keys = ["data.kind=portraits", "loss.perceptual=0"]
    with pytest.raises(InputError, match=r"the model has 8 layers, no regions\. Give loss.segmentation=0"):
        train(config_of(tiny_layered_file, tmp_path / "refused", 4, *keys))
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(4):
        Image.fromarray(np.full((32, 32, 3), 60 * index, np.uint8)).save(folder / f"{index}.png")
    keys = ["data.kind=pictures", f"data.path={folder}", "data.length=null", "loss.perceptual=0", "loss.segmentation=0"]
    assert train(config_of(tiny_layered_file, tmp_path / "run", 8, *keys)).finished
    model = sg.load(tiny_layered_file, device="cpu")
    loaded = load_encoder(ended(tmp_path / "run") / "model.safetensors")
    code = encode(loaded, model, torch.zeros(2, 3, 32, 32), passes=2)
    assert code.rows == model.rows and code.tensor.shape == (2, 8, 16)
