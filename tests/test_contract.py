"""The names that other things are built on, on the bundled model, as users type them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import semanticgan as sg
from tests.programs import run_well

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def model() -> sg.Model:
    return sg.load(device="cpu")


def test_sample(model: sg.Model) -> None:
    config = model.generator.config
    code = model.sample(seed=3)
    assert isinstance(code, sg.LatentCode)
    rows = config.num_base_layers + 2 * len(model.regions.names)
    assert code.tensor.shape == (1, rows, config.style_dim)
    several = model.sample(seeds=[8, 3], truncation=0.7)
    assert several.tensor.shape == (2, rows, config.style_dim)
    assert torch.equal(model.sample(seeds=[8, 3]).tensor[1:], code.tensor)


def test_render(model: sg.Model, tmp_path: Path) -> None:
    num_regions, side, coarse = len(model.regions.names), model.size, model.generator.config.coarse_size
    rendering = model.render(model.sample(seed=3))
    assert isinstance(rendering, sg.Rendering)
    assert rendering.image.shape == (1, 3, side, side)
    assert rendering.segmentation.shape == (1, num_regions, side, side)
    assert rendering.coarse_segmentation.shape == (1, num_regions, coarse, coarse)
    assert rendering.coarse_segmentation.abs().max() <= 1
    assert rendering.depth.shape == (1, num_regions, coarse, coarse)
    assert rendering.labels().shape == (1, side, side) and rendering.labels().max() < num_regions
    assert rendering.to_pil()[0].size == (side, side)
    rendering.save(tmp_path / "a.png")
    with pytest.raises(FileExistsError):
        rendering.save(tmp_path / "a.png")


def test_swap_changes_only_its_rows(model: sg.Model) -> None:
    a, b = model.sample(seed=3), model.sample(seed=8)
    changed = (sg.swap(a, b, regions=["hair"]).tensor != a.tensor).any(-1)[0].nonzero().flatten().tolist()
    first = model.generator.config.num_base_layers + 2 * model.regions.index("hair")
    assert changed == [first, first + 1]


def test_generator_is_a_module(model: sg.Model) -> None:
    config = model.generator.config
    assert isinstance(model.generator, torch.nn.Module)
    with torch.no_grad():
        w = model.generator.map(torch.randn(2, config.style_dim))
        latents = model.sample(seeds=[0, 1]).tensor
        visible = torch.ones(2, config.num_regions)
        grid = torch.zeros(2, config.num_regions, config.coarse_size, config.coarse_size, 2)
        assert w.shape == (2, config.style_dim)
        assert model.generator(latents, noise="random", visible=visible, coordinates=grid).image.isfinite().all()
        expanded = model.generator.expand(latents)
        torch.testing.assert_close(
            model.generator(expanded, noise="fixed").image, model.generator(latents, noise="fixed").image
        )


def test_same_seed_same_picture_in_any_batch(model: sg.Model) -> None:
    together = model.render(model.sample(seeds=range(5))).to_uint8()
    alone = torch.cat([model.render(model.sample(seed=seed)).to_uint8() for seed in range(5)])
    assert (together.int() - alone.int()).abs().max() <= 1


def test_edit_changes_its_region_most(model: sg.Model) -> None:
    """Hair texture of ten seeds: the change inside the region is several times that outside."""
    from semanticgan.editing.regions import swap_regions

    seeds = list(range(10))
    a, b = model.sample(seeds=seeds), model.sample(seeds=[seed + 10_000 for seed in seeds])
    change = swap_regions(model, a, b, ["hair"], what="texture").change()
    assert float(change.inside.nanmean()) > 3 * float(change.outside.mean())


def test_commands(tmp_path: Path) -> None:
    """The lines of the contract that need only the bundled model."""
    lines = [
        ["generate", "--seeds", "0-3", "--out", "samples"],
        ["edit_region", "--seed", "3", "--region", "hair", "--from-seed", "8", "--out", "edited.png"],
        ["edit_region", "--seed", "3", "--region", "eyes", "--what", "texture", "--variations", "3", "--out", "v.png"],
    ]
    for verb, *words in lines:
        done = run_well([ROOT / f"tools/{verb}.py", *words], folder=tmp_path)
        assert len(done.stdout.splitlines()) == 1 and json.loads(done.stdout)
    assert len(list((tmp_path / "samples").glob("*.png"))) == 4
