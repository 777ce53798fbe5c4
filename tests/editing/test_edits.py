"""Swaps, variations and interpolations of regions: what changes, where, and that nothing else does."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import semanticgan as sg
from semanticgan.editing.regions import edit, interpolate_regions, swap_regions, vary_regions
from semanticgan.errors import InputError

HAIR = 3


def test_a_texture_swap_changes_nothing_outside_its_region(model: Any) -> None:
    source, reference = model.sample(seeds=[1, 2, 3]), model.sample(seeds=[4, 5, 6])
    swapped = swap_regions(model, source, reference, ["hair"], "texture")
    change = swapped.change()
    assert change.outside.tolist() == [0, 0, 0]
    assert bool((change.inside > 1).all())
    assert torch.equal(swapped.mask, swapped.source.labels() == HAIR)
    assert swapped.reference is not None and len(swapped.reference.image) == 3


def test_the_mask_is_the_union_of_old_and_new(model: Any) -> None:
    wide, narrow = (model.sample(seed=1).replace(structure={"hair": torch.full((3,), x)}) for x in (1.0, -1.0))
    for source, reference in ((wide, narrow), (narrow, wide)):
        swapped = swap_regions(model, source, reference, "hair", "structure")
        old, new = swapped.source.labels() == HAIR, swapped.result.labels() == HAIR
        assert int((old ^ new).sum()) == 16 * model.size
        assert torch.equal(swapped.mask, old | new)
        assert swapped.change().outside.tolist() == [0]


def test_composited_pictures_change_nothing_outside_even_where_the_edit_does(model: Any) -> None:
    source, reference = model.sample(seed=1), model.sample(seed=4)
    code = source.replace(texture={"hair": reference.texture("hair"), "face": reference.texture("face")})
    leaking = edit(model, source, code, ["hair"])
    assert leaking.change().outside.item() > 1
    assert leaking.change(composited=True).outside.item() == 0
    assert leaking.change(composited=True).inside.item() > 1


def test_variations_are_swaps_from_their_seeds(model: Any) -> None:
    source = model.sample(seed=1)
    varied = vary_regions(model, source, ["hair"], seeds=[7, 8, 9])
    assert len(varied) == 3 and varied.source_pictures().shape[0] == 3
    for i, seed in enumerate([7, 8, 9]):
        alone = swap_regions(model, source, model.sample(seed=seed), ["hair"])
        assert torch.equal(varied.pictures()[i], alone.pictures()[0])


def test_interpolation_goes_from_the_source_to_the_swap(model: Any) -> None:
    source, reference = model.sample(seed=1), model.sample(seed=4)
    moved = interpolate_regions(model, [source, reference], 5, iter(["hair"]))
    swapped = swap_regions(model, source, reference, ["hair"])
    assert len(moved) == 5
    assert torch.equal(moved.pictures()[0], moved.source_pictures()[0])
    assert torch.equal(moved.pictures()[4], swapped.pictures()[0])
    assert moved.change().outside.tolist() == [0] * 5


def test_noise_goes_to_every_rendering(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    source, reference, maps = model.sample(seed=1), model.sample(seed=4), [torch.zeros(1, 1, 4, 4)]
    given: list[Any] = []
    render = model.render
    monkeypatch.setattr(model, "render", lambda code, noise: given.append(noise) or render(code))
    for function, arguments, num_renderings in (
        (swap_regions, (source, reference, "hair"), 3),
        (vary_regions, (source, "hair", [7, 8]), 2),
        (interpolate_regions, ([source, reference], 3, "hair"), 3),
        (edit, (source, reference, "hair"), 2),
    ):
        for noise in ("fixed", maps):
            given.clear()
            function(model, *arguments, **({} if noise == "fixed" else {"noise": noise}))
            assert len(given) == num_renderings and all(one is noise for one in given)


def test_noise_changes_the_pictures_of_an_edit() -> None:
    bundled = sg.load(device="cpu")
    source, reference = bundled.sample(seed=1), bundled.sample(seed=4)
    drawn = torch.Generator().manual_seed(0)
    maps = [torch.randn(1, 1, side, side, generator=drawn) for side in bundled.generator.renderer.noise_sides]
    plain, noisy = (swap_regions(bundled, source, reference, "hair", noise=noise) for noise in ("fixed", maps))
    assert plain.result == bundled.render(plain.code)
    assert noisy.source == bundled.render(source, maps) and noisy.result == bundled.render(noisy.code, maps)
    assert noisy.result != plain.result and noisy.code == plain.code


def test_mistakes_are_refused(model: Any) -> None:
    source, reference = model.sample(seeds=[1, 2, 3]), model.sample(seeds=[4, 5])
    with pytest.raises(InputError, match="unknown region 'beak'"):
        swap_regions(model, source, reference, ["beak"])
    with pytest.raises(InputError, match="at least 2 steps"):
        interpolate_regions(model, [source[0], reference[0]], 1, ["hair"])
    with pytest.raises(InputError, match="3 source images for 2"):
        edit(model, source, reference, ["hair"])
