"""Codes, renderings and models at a prompt: what they show, when they are equal, how they are called."""

from __future__ import annotations

import inspect
import io
from pathlib import Path

import pytest
import torch
from PIL import Image

import semanticgan as sg
from semanticgan.networks.config import DiscriminatorConfig, GeneratorConfig
from tests.conftest import TINY_CONFIG, TINY_REGIONS


@pytest.fixture(scope="module")
def model(tiny_model_file: Path) -> sg.Model:
    return sg.load(tiny_model_file, device="cpu")


def png(content: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(content))
    picture.load()
    assert picture.format == "PNG"
    return picture


def test_a_notebook_shows_the_pictures_of_a_rendering(model: sg.Model) -> None:
    one, many = model.render(model.sample(seed=3)), model.render(model.sample(seed=3, n=40))
    shown = png(one._repr_png_())
    assert shown.size == (256, 256)
    assert shown.resize((32, 32), Image.Resampling.NEAREST).tobytes() == one.to_pil()[0].tobytes()
    assert png(many._repr_png_()).size == (256, 256), "16 pictures of 32 pixels in rows of four, enlarged"


def test_a_notebook_shows_the_rows_of_a_code(model: sg.Model) -> None:
    code = model.sample(seed=3)
    shown = png(code._repr_png_())
    assert shown.size == (512, 6 * code.tensor.shape[1])
    other = model.edit(code, "hair", 8)
    rows = [row for row in range(11) if png(other._repr_png_()).crop((0, 6 * row, 512, 6 * row + 6)).tobytes()
            != shown.crop((0, 6 * row, 512, 6 * row + 6)).tobytes()]  # fmt: skip
    assert set(code.rows.indices("hair")) <= set(rows)
    for tensor in (torch.zeros(1, 11, 16), torch.full((1, 11, 16), float("nan")), torch.randn(50, 11, 700)):
        png(sg.LatentCode(tensor, TINY_REGIONS)._repr_png_())


def test_short_texts(model: sg.Model) -> None:
    code = model.sample(seed=3, n=2)
    assert repr(code) == "LatentCode([2, 11, 16], num_base=1, num_regions=5, device='cpu')"
    assert repr(model.render(code)) == "Rendering(num_images=2, size=32, num_regions=5, device='cpu')"
    assert len(repr(model)) < 120


def test_equality_of_codes_and_renderings(model: sg.Model) -> None:
    a, b = model.sample(seed=3), model.sample(seed=8)
    same = sg.LatentCode(a.tensor.clone(), TINY_REGIONS)
    assert a == same and hash(a) == hash(same) and a != b and a != "code" and a != a.tensor
    assert a != model.sample(seed=3, n=2) and a in [b, same] and len({a, same, b}) == 2
    other = sg.RegionScheme(("background", "face", "eye", "hat", "glasses"), transparent=("glasses",))
    assert a != sg.LatentCode(a.tensor, other)
    rendering = model.render(a)
    assert rendering == model.render(same) and hash(rendering) == hash(model.render(same))
    assert rendering != model.render(b) and rendering != 3 and len(rendering) == 1


def test_equality_of_configs() -> None:
    same = GeneratorConfig.from_dict(TINY_CONFIG.to_dict())
    assert same == TINY_CONFIG and hash(same) == hash(TINY_CONFIG) and len({same, TINY_CONFIG}) == 1
    assert GeneratorConfig(channels=TINY_CONFIG.channels | {64: 8}, size=64) != TINY_CONFIG
    one, two = (DiscriminatorConfig(32, 5, {side: 8 for side in sides}) for sides in ((4, 8, 16, 32), (32, 16, 8, 4)))
    assert one == two and hash(one) == hash(two)


def test_codes_are_iterated_image_by_image(model: sg.Model) -> None:
    code = model.sample(seed=3, n=3)
    assert [len(one) for one in code] == [1, 1, 1] and sg.LatentCode.cat(list(code)) == code


def test_n_codes_have_the_seeds_from_the_first_on(model: sg.Model) -> None:
    assert model.sample(seed=5, n=3) == model.sample(seeds=[5, 6, 7])
    assert model.sample(5, n=1) == model.sample(seed=5)
    assert model.sample(n=2) == model.sample(seeds=[0, 1])
    assert model.sample(n=2, truncation=0.5) == model.sample(seeds=[0, 1], truncation=0.5)


def test_interpolation_between_two_codes(model: sg.Model) -> None:
    a, b = model.sample(seed=3), model.sample(seed=8)
    assert sg.interpolate(a, b, 0) == a and sg.interpolate(a, b, 1.0) == b
    several = sg.interpolate(a, b, [0.0, 0.5, 1.0])
    assert len(several) == 3 and several[1] == sg.interpolate(a, b, 0.5) == sg.interpolate([a, b], 0.5)
    assert sg.interpolate(a, b, torch.tensor([0.5])) == several[1]
    hair = sg.interpolate(a, b, 0.5, regions=["hair"])
    assert (hair.tensor != a.tensor).any(-1)[0].nonzero().flatten().tolist() == a.rows.indices("hair")
    with pytest.raises(sg.InputError, match=r"interpolate\(a, b, 0\.5\)"):
        sg.interpolate(a, b)  # type: ignore[arg-type]


def test_gradients_reach_the_code_and_only_it(model: sg.Model) -> None:
    code = model.sample(seed=3, n=3)
    tensor = code.tensor.requires_grad_()
    plain = model.render(code, batch_size=2)
    assert not plain.image.requires_grad
    rendering = model.render(code, batch_size=2, gradients=True)
    torch.testing.assert_close(rendering.image, plain.image, rtol=1e-5, atol=1e-5)
    rendering.image.square().mean().backward()
    assert tensor.grad is not None and bool(tensor.grad.flatten(1).any(1).all())
    assert not any(parameter.requires_grad for parameter in model.generator.parameters())
    assert len(rendering.to_pil()) == 3 and png(rendering._repr_png_())
    assert rendering.labels().shape == (3, 32, 32)
    swapped = sg.swap(code, model.sample(seed=9), "hair")
    assert model.render(swapped, gradients=True).image.requires_grad


def test_the_docs_say_first_that_latents_are_not_z() -> None:
    assert "not z" in (inspect.getdoc(sg.Generator.forward) or "").splitlines()[0]
    for function in (sg.Generator, sg.Model.code, sg.Model.render):
        documentation = inspect.getdoc(function) or ""
        assert "never z" in documentation or "z is not w" in documentation
    for name in ("image", "segmentation", "coarse_segmentation", "depth", "gradients=True"):
        assert name in (sg.Rendering.__doc__ or "")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_renderings_are_saved(model: sg.Model, tmp_path: Path, suffix: str) -> None:
    rendering = model.render(model.sample(seed=3))
    rendering.save(tmp_path / f"a{suffix}")
    assert Image.open(tmp_path / f"a{suffix}").size == (32, 32)
