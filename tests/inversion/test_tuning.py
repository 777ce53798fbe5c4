"""Pivotal tuning: the generator follows a picture, stays what it was elsewhere, and the difference is a small file."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import semanticgan as sg
from semanticgan.checkpoint import save_model
from semanticgan.errors import Cancelled, InputError, WeightsError
from semanticgan.inversion.tuning import TuningSettings, tune, tuned
from semanticgan.model import Model
from semanticgan.networks.generator import Generator
from semanticgan.progress import Progress
from semanticgan.tuning_files import read_tuning, save_tuning
from tests.conftest import TINY_REGIONS

FAST = TuningSettings(steps=8, rate=6e-3)


@pytest.fixture(scope="module")
def model(tiny_model_file: Path) -> Model:
    return sg.load(tiny_model_file, device="cpu")


@pytest.fixture(scope="module")
def code(model: Model) -> sg.LatentCode:
    return model.sample(seeds=[1, 2])


@pytest.fixture(scope="module")
def pictures(model: Model, code: sg.LatentCode) -> Tensor:
    """Pictures near the codes' own."""
    return (0.8 * model.render(code).image + 0.1).clamp(-1, 1)


def error(model: Model, code: sg.LatentCode, pictures: Tensor) -> float:
    return float((model.render(code).image - pictures).square().mean())


def test_a_tuned_model_is_nearer_and_segments_as_before(model: Model, code: sg.LatentCode, pictures: Tensor) -> None:
    before = {name: value.clone() for name, value in model.generator.state_dict().items()}
    tuning = tune(model, code, pictures, distance=None, settings=FAST)
    after = tuned(model, tuning)
    assert error(after, code, pictures) < 0.5 * error(model, code, pictures)
    assert all(torch.equal(value, before[name]) for name, value in model.generator.state_dict().items())
    assert {name.partition(".")[0] for name in tuning.changes} == {"renderer"}
    free = tuned(model, tune(model, code, pictures, distance=None, settings=replace(FAST, segmentation=0.0)))
    segmentation = model.render(code).segmentation
    kept, lost = ((m.render(code).segmentation - segmentation).square().mean() for m in (after, free))
    assert kept < 0.7 * lost
    assert not any(parameter.requires_grad for parameter in after.generator.parameters())


def test_locality_keeps_other_codes(model: Model, code: sg.LatentCode, pictures: Tensor) -> None:
    def change_elsewhere(locality: float) -> float:
        settings = replace(FAST, locality=locality, radius=3.0)
        other = model.sample(seeds=[20, 21, 22], truncation=0.5)
        after = tuned(model, tune(model, code, pictures, distance=None, settings=settings))
        return float((after.render(other).image - model.render(other).image).square().mean())

    assert change_elsewhere(3.0) < 0.7 * change_elsewhere(0.0)


def test_it_ends_when_the_distance_is_small_enough(model: Model, code: sg.LatentCode, pictures: Tensor) -> None:
    far = tune(model, code, pictures, distance="random", settings=TuningSettings(steps=3, enough=0.0))
    near = tune(model, code, pictures, distance="random", settings=TuningSettings(steps=3, enough=10.0))
    assert far.figures["steps"] == 3 and near.figures["steps"] == 0
    assert not near.changes


def test_a_file_holds_the_difference(
    model: Model, code: sg.LatentCode, pictures: Tensor, tiny_model_file: Path, tmp_path: Path
) -> None:
    tuning = tune(model, code, pictures, distance=None, settings=FAST)
    path = tmp_path / "me.safetensors"
    save_tuning(path, tuning)
    again = sg.load(tiny_model_file, device="cpu", tuning=path)
    wanted = tuned(model, tuning).render(code).image
    gained = (wanted - model.render(code).image).abs().mean()
    assert (again.render(code).image - wanted).abs().mean() < 0.1 * gained
    assert path.stat().st_size < 0.6 * tiny_model_file.stat().st_size
    assert read_tuning(path).figures == tuning.figures
    with pytest.raises(InputError, match="--overwrite"):
        save_tuning(path, tuning)
    with pytest.raises(InputError, match="tune that one"):
        save_tuning(tmp_path / "b.safetensors", tune(again, code, pictures, distance=None, settings=FAST))


def test_another_model_refuses_it(
    model: Model, code: sg.LatentCode, pictures: Tensor, tiny_generator: Generator, tmp_path: Path
) -> None:
    path, other = tmp_path / "me.safetensors", tmp_path / "other.safetensors"
    save_tuning(path, tune(model, code, pictures, distance=None, settings=TuningSettings(steps=2)))
    state = tiny_generator.mean_latent.clone()
    tiny_generator.mean_latent.add_(1.0)
    save_model(other, tiny_generator, TINY_REGIONS, training={}, licence="none", data_licence="none")
    tiny_generator.mean_latent.copy_(state)
    with pytest.raises(InputError, match="digest"):
        sg.load(other, tuning=path)
    with pytest.raises(WeightsError):
        sg.load(path, device="cpu")
    with pytest.raises(WeightsError):
        sg.load(other, tuning=other)


def test_wrong_arguments_and_cancel(model: Model, code: sg.LatentCode, pictures: Tensor) -> None:
    with pytest.raises(InputError, match="pictures need a code"):
        tune(model, code, pictures[:1], distance=None)
    with pytest.raises(InputError, match="part"):
        tune(model, code, pictures, distance=None, settings=TuningSettings(parts=("mapping",)))
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        tune(model, code, pictures, distance=None, progress=Progress(cancel=cancel))
