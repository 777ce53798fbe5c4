"""Model: the same seed is the same picture whatever the batch, renderings in batches, edits by region."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
import torch

import semanticgan as sg
from semanticgan.checkpoint import load_model
from semanticgan.errors import InputError
from semanticgan.model import Model, choose_device
from semanticgan.rendering import Rendering
from tests.conftest import TINY_CONFIG, TINY_REGIONS


@pytest.fixture(scope="module")
def model(tiny_model_file: Path) -> Model:
    """The tiny model with noise that shows: its strength is 0 in new weights."""
    loaded = sg.load(tiny_model_file, device="cpu")
    for name, parameter in loaded.generator.named_parameters():
        if name.endswith("noise.weight"):
            parameter.data.fill_(0.5)
    return loaded


def assert_same_rendering(rendering: Rendering, expected: Rendering, tolerance: float = 1e-5) -> None:
    for name, value in vars(expected).items():
        torch.testing.assert_close(getattr(rendering, name), value, rtol=tolerance, atol=tolerance)


def test_attributes(model: Model) -> None:
    assert model.regions == TINY_REGIONS and model.config == TINY_CONFIG
    assert model.size == 32 and model.device == torch.device("cpu")
    assert model.metadata.licence == "Apache-2.0"
    assert not model.generator.training
    assert model.to("cpu") is model
    assert "size=32" in repr(model)


def test_samples_depend_on_their_seed_alone(model: Model) -> None:
    """Latents bit for bit, pictures to 1e-5, in any batch and order."""
    state = torch.get_rng_state()
    together = model.sample(seeds=[5, 8, 2**40, 3])
    assert torch.equal(torch.get_rng_state(), state)
    assert together.tensor.shape == (4, TINY_CONFIG.num_rows, TINY_CONFIG.style_dim)
    rendering = model.render(together, batch_size=4)
    for i, seed in enumerate([5, 8, 2**40, 3]):
        alone = model.sample(seed=seed)
        assert torch.equal(alone.tensor[0], together.tensor[i])
        torch.testing.assert_close(model.render(alone).image[0], rendering.image[i], rtol=1e-5, atol=1e-5)
    assert not torch.equal(together.tensor[0], together.tensor[1])
    z = torch.randn(1, TINY_CONFIG.style_dim, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        assert torch.equal(model.generator.map(z)[0], together.tensor[0, 0])


def test_truncation(model: Model) -> None:
    mean, full = model.mean, model.sample(seed=1)
    assert mean.tensor.shape == (1, TINY_CONFIG.num_rows, TINY_CONFIG.style_dim)
    assert torch.equal(mean.tensor[0, 3], model.generator.mean_latent)
    torch.testing.assert_close(model.sample(seed=1, truncation=0.0).tensor, mean.tensor)
    half = model.sample(seed=1, truncation=0.5).tensor
    torch.testing.assert_close(half, (mean.tensor + full.tensor) / 2)


def test_wrong_seeds(model: Model) -> None:
    for arguments in ({}, {"seed": 1, "seeds": [2]}):
        with pytest.raises(InputError, match="either seed=3 or seeds="):
            model.sample(**arguments)
    for seeds in ([], [1.5], [True], ["3"]):
        with pytest.raises(InputError, match="whole number"):
            model.sample(seeds=seeds)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"not a seed\. Seeds are whole numbers from 0 to 2\^63-1"):
        model.sample(seed=2**70)


def test_seeds_may_come_from_numpy(model: Model) -> None:
    assert torch.equal(model.sample(seeds=np.arange(2)).tensor, model.sample(seeds=[0, 1]).tensor)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_batches_change_nothing(model: Model, batch_size: int) -> None:
    code = model.sample(seeds=range(5))
    source = torch.Generator().manual_seed(0)
    num_regions, side = len(model.regions), model.config.coarse_size
    visible = (torch.rand(5, num_regions, generator=source) < 0.7).float()
    visible[:, 0] = 1.0
    coordinates = torch.randn(5, num_regions, side, side, 2, generator=source)
    maps = [torch.randn(5, 1, s, s, generator=source) for s in model.generator.renderer.noise_sides]
    maps[0] = maps[0][:1]
    for options in ({}, {"visible": visible, "coordinates": coordinates, "noise": maps}):
        expected = model.render(code, batch_size=5, **options)
        assert expected.image.shape == (5, 3, 32, 32)
        assert_same_rendering(model.render(code, batch_size=batch_size, **options), expected)
    drawn = [model.render(code, torch.Generator().manual_seed(1), batch_size=size) for size in (batch_size, 5)]
    assert_same_rendering(drawn[0], drawn[1])
    assert not torch.equal(drawn[0].image, expected.image)


def test_forms_of_codes(model: Model) -> None:
    code = model.sample(seed=4)
    expected = model.render(code)
    for tensor in (code.tensor[:, 0], code.tensor, model.generator.expand(code.tensor), code.tensor.double()):
        assert_same_rendering(model.render(tensor), expected)
    assert torch.equal(model.code(code.tensor[0, 0]).tensor, code.tensor)


def test_renderings_are_ordinary_tensors(model: Model) -> None:
    rendering = model.render(model.sample(seed=4))
    assert not rendering.image.requires_grad and not rendering.image.is_inference()
    rendering.image.mul_(0.5)
    assert rendering.labels().dtype == torch.uint8 and int(rendering.labels().max()) < len(model.regions)
    assert rendering.to_pil()[0].size == (32, 32)


def test_codes_can_be_optimised(model: Model) -> None:
    code = model.sample(seed=4).tensor.requires_grad_()
    model.generator(code).image.square().mean().backward()
    assert code.grad is not None and bool(code.grad.any())


def test_random_noise_differs_and_fixed_does_not(model: Model) -> None:
    code = model.sample(seed=4)
    assert torch.equal(model.render(code).image, model.render(code).image)
    assert not torch.equal(model.render(code, "random").image, model.render(code).image)


def test_bfloat16(model: Model) -> None:
    code = model.sample(seeds=[1, 2])
    exact, short = model.render(code), model.render(code, precision="bfloat16")
    assert short.image.dtype == torch.float32
    assert (short.image - exact.image).abs().max() < 0.05 * exact.image.abs().max()
    assert not torch.equal(short.image, exact.image)


def test_edit(model: Model) -> None:
    a, b = model.sample(seeds=[1, 2]), model.sample(seed=3)
    edited = model.edit(a, "hair", b, what="texture")
    assert torch.equal(edited.texture("hair"), b.texture("hair").expand(2, -1))
    changed = (edited.tensor != a.tensor).any(-1)[0].nonzero().flatten().tolist()
    assert changed == a.rows.indices(["hair"], "texture")
    assert torch.equal(model.edit(a, ["hair"], 3, "texture").tensor, edited.tensor)
    with_base = model.edit(a, ["hair", "eyes"], b, include_base=True)
    assert torch.equal(with_base.base, b.base.expand(2, -1, -1))
    with pytest.raises(InputError, match=r"unknown region 'hare'. Did you mean 'hair'"):
        model.edit(a, "hare", b)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_session_runs_only_what_changed(model: Model, precision: str) -> None:
    session = model.session(precision)
    a, b = model.sample(seeds=[1, 2]), model.sample(seeds=[3, 4])
    hair = model.edit(a, "hair", b)
    hair_texture = model.edit(hair, "hair", a, what="texture")
    tolerance = 1e-5 if precision == "float32" else 2e-2
    for code, run in (
        (a, TINY_REGIONS.names),
        (hair, ("hair",)),
        (hair_texture, ("hair",)),
        (model.edit(hair_texture, "background", b), ("background",)),
        (model.edit(a, ["eye", "glasses"], b), ("background", "eye", "hair", "glasses")),
        (model.edit(a, ["eye", "glasses"], b), ()),
        (model.edit(a, ["eye", "glasses"], b, include_base=True), TINY_REGIONS.names[1:]),
        (b[0], TINY_REGIONS.names),
    ):
        rendering = session.render(code)
        assert session.regions_run == run
        assert_same_rendering(rendering, model.render(code, precision=precision), tolerance)
    visible = torch.tensor([[1.0, 1.0, 0.0, 0.0, 0.0]])
    rendering = session.render(b[0], torch.Generator().manual_seed(0), visible)
    expected = model.render(b[0], torch.Generator().manual_seed(0), visible=visible, precision=precision)
    assert session.regions_run == ()
    assert_same_rendering(rendering, expected, tolerance)
    with pytest.raises(InputError, match="unknown precision"):
        model.session("float8")


def test_what_does_not_fit_is_refused(model: Model) -> None:
    code = model.sample(seeds=[1, 2])
    other = sg.LatentCode(code.tensor[:, :-2], sg.RegionScheme(("background", "a", "b", "c")))
    with pytest.raises(InputError, match="Use a code of this model"):
        model.render(other)
    for shape in ((3,), (2, 3), (0, TINY_CONFIG.style_dim), (2, 3, TINY_CONFIG.style_dim)):
        with pytest.raises(InputError, match="latents"):
            model.render(torch.zeros(shape))
    sides = model.generator.renderer.noise_sides
    for options, message in (
        ({"precision": "float8"}, "unknown precision 'float8'"),
        ({"batch_size": 0}, "batch_size is a whole number, at least 1"),
        ({"noise": "fixd"}, "unknown noise 'fixd'. Did you mean 'fixed'"),
        ({"noise": [torch.zeros(1, 1, 16, 16)]}, f"a list of {len(sides)} maps"),
        ({"noise": [torch.zeros(3, 1, side, side) for side in sides]}, "noise map 0"),
        ({"visible": torch.ones(1, len(model.regions))}, "visible has the shape"),
        ({"coordinates": torch.zeros(2, 2)}, "coordinates has the shape"),
    ):
        with pytest.raises(InputError, match=message):
            model.render(code, **options)


def test_devices(tiny_model_file: Path) -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type in ("cuda", "mps", "cpu")
    for wrong in ("gpu", "cpo", "meta", "xpu", "cuda:99"):
        with pytest.raises(InputError, match="device"):
            sg.load(tiny_model_file, device=wrong)
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match=r"'cuda' is not available here. Available: .*cpu"):
            sg.load(tiny_model_file, device="cuda")


def test_everything_is_on_the_models_device(tiny_model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The device "meta" stands for an accelerator: it refuses operations with tensors of the CPU."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())  # which meta has not
    moved, here = Model(load_model(tiny_model_file), "meta"), torch.Generator().manual_seed(0)
    a, b = moved.sample(seeds=[1, 2], truncation=0.7), moved.sample(seed=3)
    num_regions, side = len(moved.regions), moved.config.coarse_size
    for options in (
        {"noise": here},
        {"noise": "random"},
        {"noise": [torch.zeros(1, 1, s, s) for s in moved.generator.renderer.noise_sides]},
        {"visible": torch.ones(2, num_regions), "coordinates": torch.zeros(2, num_regions, side, side, 2)},
    ):
        rendering = moved.render(moved.edit(a, "hair", b), batch_size=1, **options)
        assert {value.device.type for value in vars(rendering).values()} == {"meta"}
    moved_between = sg.interpolate([a[0], b], [0.0, 0.5], method="cubic")
    assert sg.mix(a, b, "hair", 0.5).tensor.device == moved_between.tensor.device == moved.device


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_other_devices_draw_the_same(model: Model, tiny_model_file: Path, kind: str) -> None:
    if not (torch.cuda.is_available() if kind == "cuda" else torch.backends.mps.is_available()):
        pytest.skip(f"no {kind} here")
    moved, fresh = sg.load(tiny_model_file, device=kind), sg.load(tiny_model_file, device="cpu")
    code = fresh.sample(seeds=[1, 2])
    torch.testing.assert_close(moved.sample(seeds=[1, 2]).tensor.cpu(), code.tensor, rtol=1e-4, atol=1e-4)
    image = moved.render(code.to(kind)).image.cpu()
    torch.testing.assert_close(image, fresh.render(code).image, rtol=1e-2, atol=1e-2)
