"""The feathered mask, and compositing that leaves everything else exactly as it was."""

from __future__ import annotations

import pytest
import torch

from semanticgan.editing.compositing import composite, feather, region_mask
from semanticgan.errors import InputError


def pictures(seed: int, num_images: int = 2, side: int = 64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (num_images, 3, side, side), generator=generator, dtype=torch.uint8)


def square(side: int = 64) -> torch.Tensor:
    mask = torch.zeros(1, side, side, dtype=torch.bool)
    mask[:, 20:40, 24:44] = True
    return mask


@pytest.mark.parametrize("side", [64, 256])
def test_feather_is_one_inside_and_zero_from_a_thirty_second_of_the_side_on(side: int) -> None:
    mask = square(side)
    opacity = feather(mask)[0]
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    inside = mask[0].nonzero()
    for y, x in [(10, 30), (19, 30), (30, 45), (41, 45), (44, 47), (50, 50)]:
        nearest = float((inside - torch.tensor([y, x])).float().pow(2).sum(1).min().sqrt())
        t = max(0.0, 1 - nearest / (side / 32))
        assert opacity[y, x] == pytest.approx(t * t * (3 - 2 * t), abs=1e-3)
    assert bool((opacity[mask[0]] == 1).all())
    beyond = (rows < 20 - side // 32) | (rows > 39 + side // 32) | (columns < 24 - side // 32)
    assert bool((opacity[beyond] == 0).all())
    assert 0 < opacity[19, 30] < 1


def test_an_absent_region_has_no_opacity_and_a_full_mask_all() -> None:
    masks = torch.stack([torch.zeros(64, 64), torch.ones(64, 64)]).bool()
    assert feather(masks)[0].max() == 0
    assert feather(masks)[1].min() == 1
    assert torch.equal(feather(square(), width=0)[0], square()[0].float())


def test_composite_keeps_every_byte_outside_and_takes_every_byte_inside() -> None:
    source, result = pictures(1), pictures(2)
    mask = square().expand(2, -1, -1)
    opacity = feather(mask)
    together = composite(source, result, opacity)
    outside = (opacity == 0)[:, None].expand_as(source)
    inside = mask[:, None].expand_as(source)
    assert torch.equal(together[outside], source[outside])
    assert torch.equal(together[inside], result[inside])
    edge = ~outside & ~inside
    low, high = torch.minimum(source, result), torch.maximum(source, result)
    assert bool(((low <= together) & (together <= high))[edge].all())
    assert not torch.equal(together[edge], source[edge])


def test_composite_takes_one_source_for_many_results() -> None:
    source, result = pictures(1, 1), pictures(2, 3)
    opacity = feather(square()).expand(3, -1, -1)
    for i in range(3):
        assert torch.equal(composite(source, result, opacity)[i], composite(source, result[i : i + 1], opacity[:1])[0])


def test_pictures_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="do not fit"):
        composite(pictures(1), pictures(2, side=32), torch.zeros(2, 32, 32))
    with pytest.raises(InputError, match="uint8"):
        composite(pictures(1), pictures(2).float(), torch.zeros(2, 64, 64))


def test_mask_of_several_regions() -> None:
    labels = torch.tensor([[[0, 3], [12, 3]]], dtype=torch.uint8)
    assert region_mask(labels, (3, 12)).tolist() == [[[False, True], [True, True]]]
