"""Checkpoints of layered models, through the command's own function."""

from __future__ import annotations

import importlib
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import semanticgan as sg
from semanticgan.checkpoint import load_model
from semanticgan.errors import InputError, WeightsError
from semanticgan.formats.archive import load_archive
from semanticgan.latents import LatentCode
from semanticgan.networks.comparison.alae import ALAEConfig, ALAEDiscriminator, ALAEDiscriminatorConfig, ALAEGenerator
from semanticgan.networks.comparison.layered import style_channels
from semanticgan.reference import alae, convert_checkpoint
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


def alae_content() -> dict[str, Any]:
    """The fixture's checkpoint, read as an importer does."""
    case("baselines/alae_checkpoint_outputs")
    content: dict[str, Any] = load_archive(BASELINES / "alae_checkpoint.pth")
    return content


@torch.no_grad()
def test_alae(tmp_path: Path) -> None:
    given = case("baselines/alae_checkpoint_outputs")
    out = tmp_path / "a.safetensors"
    found = convert_checkpoint(BASELINES / "alae_checkpoint.pth", out, trust=True)
    assert found.averaged and found.has_mean
    loaded = load_model(out, with_discriminator=True)
    generator = loaded.generator
    assert loaded.metadata.architecture == "alae" and generator.mean_latent.shape == (8, 32)
    w = generator.map(given["in/z"])
    assert_parity(w, given["out/w"])
    code = sg.truncate(LatentCode.from_w(w, loaded.metadata.rows), generator.mean_latent, 0.7)
    zeros = [torch.zeros(1, 1, side, side) for side in generator.noise_sides]
    assert_parity(generator(code.tensor, zeros).image, given["out/image"])
    encoded = generator.encode(given["in/x"])
    assert_parity(encoded.unsqueeze(1), given["out/Z"])
    assert_parity(loaded.discriminator(encoded).squeeze(1), given["out/D"])


@torch.no_grad()
@pytest.mark.parametrize("zipped", [True, False])
def test_alae_in_float64(tmp_path: Path, zipped: bool) -> None:
    """Weights divided by their gains and multiplied by them again lose a bit of float32, not more."""
    given, content = case("baselines/alae_checkpoint_outputs"), alae_content()
    torch.save({"models": content["models"]}, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    found = alae.of_content(load_archive(tmp_path / "a.pth"), tmp_path / "a.pth")
    generator, discriminator = found.generator.double(), found.discriminator.double()
    assert_parity(generator.map(given["in/z"].double()), given["out64/w"], 1e-6)
    encoded = generator.encode(given["in/x"].double())
    assert_parity(encoded.unsqueeze(1), given["out64/Z"], 1e-6)
    assert_parity(discriminator(encoded).squeeze(1), given["out64/D"], 1e-6)


def test_alae_of_ffhq_fits() -> None:
    """The released model's tensors, by name and shape, fill the networks of its sizes."""
    layout = FOLDER.parent / "spec" / "alae_ffhq_layout.txt"
    if not layout.is_file():
        pytest.skip("the layout of the released model is not here")
    tensors: dict[str, torch.Tensor] = {}
    part = ""
    for line in layout.read_text(encoding="utf-8").splitlines():
        fields = line.split("\t")
        if line.startswith("## "):
            part = line.split()[1]
        elif len(fields) == 4:
            tensors[f"{part}.{fields[0]}"] = torch.empty(json.loads(fields[1]), device="meta")
    configs = alae.configs_from_reference(tensors)
    assert configs == (ALAEConfig(channels=style_channels(1024), bottom_channels=512), ALAEDiscriminatorConfig())
    with torch.device("meta"):
        networks = (ALAEGenerator(configs[0]), ALAEDiscriminator(configs[1]))
    for network, state in zip(networks, alae.weights_from_reference(tensors, *configs), strict=True):
        wanted = network.state_dict()
        assert {name: tensor.shape for name, tensor in state.items()} == {n: t.shape for n, t in wanted.items()}


def test_alae_without_averages(tmp_path: Path) -> None:
    """The networks as trained are taken where one of the averages is missing, and it is said."""
    content = alae_content()
    models = content["models"]
    del models["generator_s"]
    torch.save({"models": models}, tmp_path / "a.pth")
    found = convert_checkpoint(tmp_path / "a.pth", tmp_path / "a.safetensors", trust=True)
    assert not found.averaged and found.has_mean
    assert torch.equal(found.generator.constant, models["generator"]["const"])
    weight = found.generator.encoder.blocks[3].conv1.weight * math.sqrt(2 / 72)
    torch.testing.assert_close(weight, models["discriminator"]["encode_block.0.conv_1.weight"])
    assert not torch.equal(*(models[name]["encode_block.0.bias_1"] for name in ("discriminator", "discriminator_s")))


def test_damaged_alae(tmp_path: Path) -> None:
    def change(part: str, **tensors: Any) -> Callable[[dict[str, Any]], object]:
        return lambda models: models[part].update({name.replace("__", "."): value for name, value in tensors.items()})

    for damage, message in (
        (lambda models: models["generator_s"].pop("decode_block.1.bias_2"), r"lacks the tensor 'decoder\.decode_block"),
        (lambda models: models.pop("dlatent_avg"), "lacks the model 'dlatent_avg'"),
        (change("mapping_tl_s", more=torch.zeros(1)), r"unknown to StyleALAE: \['mapping_d\.more'\]"),
        (change("generator_s", const=torch.zeros(1, 3, 4, 4)), "its config asks for"),
        (change("discriminator_s", encode_block__0__blur__weight=torch.ones(8, 1, 3, 3)), "is no blur"),
        (change("mapping_fl_s", map_blocks__0__fc__bias=torch.zeros(32).long()), "floating"),
        (lambda models: models.update(mapping_fl_s=[1, 2]), "no dictionary of tensors"),
        (change("discriminator_s", encode_block__0__blur__weight=3), "layout of StyleALAE"),
    ):
        content = alae_content()
        damage(content["models"])
        torch.save({"models": content["models"]}, tmp_path / "a.pth")
        with pytest.raises(WeightsError, match=message) as caught:
            convert_checkpoint(tmp_path / "a.pth", tmp_path / "a.safetensors", trust=True)
        assert "\n" not in str(caught.value) and not (tmp_path / "a.safetensors").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_classes_in_alae_are_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool) -> None:
    """A file names classes of a module ``tracker``: neither that module nor what an object keeps is used."""
    (tmp_path / "tracker.py").write_text("class RunningMeanTorch: pass\nclass Other: pass\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    tracker = importlib.import_module("tracker")
    mean, other = tracker.RunningMeanTorch(), tracker.Other()
    mean.values = [torch.ones(1)]
    models = alae_content()["models"]
    for name, kept in (("known", mean), ("other", other)):
        content = {"models": models, "auxiliary": {"tracker": {"tracks": {"loss": kept}}}}
        torch.save(content, tmp_path / f"{name}.pth", _use_new_zipfile_serialization=zipped)
    monkeypatch.delitem(sys.modules, "tracker")
    (tmp_path / "tracker.py").write_text("raise SystemError('it was run')", encoding="utf-8")

    content = load_archive(tmp_path / "known.pth")
    kept = content["auxiliary"]["tracker"]["tracks"]["loss"]
    assert "tracker" not in sys.modules and not vars(kept)
    assert alae.is_it(content) and alae.of_content(content, tmp_path / "known.pth").averaged
    with pytest.raises(WeightsError, match=r"'tracker\.Other'; nothing in it was run"):
        load_archive(tmp_path / "other.pth")


@torch.no_grad()
@pytest.mark.parametrize(("name", "architecture"), [("pggan_original", "pggan"), ("stylegan1_original_32", "stylegan")])
def test_variables(tmp_path: Path, name: str, architecture: str) -> None:
    """An .npz needs no trust; the level is that of its variable, and the picture the reference's at that level."""
    given = case(f"baselines/{name}")
    source, out = tmp_path / "a.npz", tmp_path / "a.safetensors"
    arrays = {key.removeprefix("sd/"): array for key, array in given.arrays.items() if key.startswith("sd/")}
    arrays = {key: array for key, array in arrays.items() if "_unfused/" not in key}
    np.savez(source, **arrays)
    found = convert_checkpoint(source, out)
    model = sg.load(out, device="cpu")
    assert model.metadata.architecture == architecture and found.discriminator is not None
    code = model.sample(seed=3)
    expected = found.generator(found.generator.map(model._draw(3))).image
    assert_parity(model.render(code).image, expected)
    assert load_model(out, with_discriminator=True).discriminator is not None
    np.savez(source, other=np.zeros(3, np.float32))
    with pytest.raises(WeightsError, match="the variables of PGGAN are named"):
        convert_checkpoint(source, tmp_path / "b.safetensors")
