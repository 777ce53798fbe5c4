"""Checkpoints of layered models, through the command's own function."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import semanticgan as sg
from semanticgan.checkpoint import load_model
from semanticgan.errors import InputError, WeightsError
from semanticgan.reference import convert_checkpoint
from tests.networks.fixtures import FOLDER, assert_parity, case

BASELINES = FOLDER / "baselines"


@torch.no_grad()
@pytest.mark.parametrize("name", ["sg2_converted", "sg2_train_000001"])
def test_stylegan2(tmp_path: Path, name: str) -> None:
    given = case(f"baselines/{name.removesuffix('_000001')}_outputs")
    out = tmp_path / "a.safetensors"
    found = convert_checkpoint(BASELINES / f"{name}.pt", out, trust=True)
    model = sg.load(out, device="cpu")
    z = given["in/z"]
    assert_parity(model.render(model.generator.map(z)).image, given["out/image"])
    assert model.metadata.architecture == "stylegan2" and model.rows.names[0] == "layer.0" and len(model.rows) == 8
    assert found.averaged and found.has_mean == (name == "sg2_converted")
    if not found.has_mean:
        assert model.generator.mean_latent.any()
        return
    assert_parity(model.mean.tensor[0, 3], given["out/latent_avg"])
    code = sg.truncate(model.code(model.generator.map(z)), model.generator.mean_latent, 0.5)
    assert_parity(model.render(code).image, given["out/image_trunc"])
    loaded = load_model(out, with_discriminator=True)
    assert_parity(loaded.discriminator(given["out/image"]), given["out/d_logit"])


def test_damaged_stylegan2(tmp_path: Path) -> None:
    case("baselines/sg2_converted_outputs")
    content = torch.load(BASELINES / "sg2_converted.pt", weights_only=True)
    for change, message in (
        (lambda weights: weights.pop("convs.1.noise.weight"), "lacks the tensor 'convs.1.noise.weight'"),
        (lambda weights: weights.update(more=torch.zeros(1)), r"unknown to StyleGAN2: \['more'\]"),
        (lambda weights: weights.update({"input.input": torch.zeros(1, 3, 4, 4)}), "its config asks for"),
    ):
        weights = dict(content["g_ema"])
        change(weights)
        torch.save({"g_ema": weights}, tmp_path / "a.pt")
        with pytest.raises(WeightsError, match=message) as caught:
            convert_checkpoint(tmp_path / "a.pt", tmp_path / "a.safetensors", trust=True)
        assert "\n" not in str(caught.value) and not (tmp_path / "a.safetensors").exists()


def test_a_layered_model_says_what_it_lacks(tmp_path: Path) -> None:
    case("baselines/sg2_converted_outputs")
    out = tmp_path / "a.safetensors"
    convert_checkpoint(BASELINES / "sg2_converted.pt", out, trust=True, precision="float16")
    model = sg.load(out, device="cpu")
    a, b = model.sample(seed=3), model.sample(seed=8)
    mixed = sg.swap(a, b, layers="0-3")
    assert bool((mixed.tensor[0, :4] == b.tensor[0, :4]).all()) and bool((mixed.tensor[0, 4:] == a.tensor[0, 4:]).all())
    assert model.render(mixed).image.shape == (1, 3, 32, 32)
    with pytest.raises(InputError, match="there are no regions here"):
        sg.swap(a, b, regions=["hair"])
    with pytest.raises(InputError, match="has layers, not regions"):
        model.render(a, visible=torch.ones(1, 13))
    with pytest.raises(InputError, match="there are no regions here"):
        model.session()
