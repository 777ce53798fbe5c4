"""Which maps a row of a code styles: no smaller ones change with it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from semanticgan.networks.comparison.alae import ALAEConfig, ALAEGenerator
from semanticgan.networks.comparison.layered import LayeredGenerator
from semanticgan.networks.comparison.pggan import PGGANConfig, PGGANGenerator
from semanticgan.networks.comparison.stylegan import StyleGANConfig, StyleGANGenerator
from semanticgan.networks.comparison.stylegan2 import StyleGAN2Config, StyleGAN2Generator

CHANNELS = {4: 4, 8: 4, 16: 4, 32: 4}
SIZES: dict[str, Any] = {"size": 32, "style_dim": 6, "channels": CHANNELS}
GENERATORS = {
    "stylegan": lambda: StyleGANGenerator(StyleGANConfig(**SIZES, num_mapping_layers=1)),
    "stylegan, half": lambda: StyleGANGenerator(StyleGANConfig(**SIZES, num_mapping_layers=1, level=1.0)),
    "stylegan2": lambda: StyleGAN2Generator(StyleGAN2Config(**SIZES, num_mapping_layers=1)),
    "stylegan2, residual": lambda: StyleGAN2Generator(
        StyleGAN2Config(**SIZES, num_mapping_layers=1, wiring="residual")
    ),
    "alae": lambda: ALAEGenerator(ALAEConfig(**SIZES, num_mapping_layers=1)),
    "pggan": lambda: PGGANGenerator(PGGANConfig(**SIZES)),
}


def smallest_changed(generator: LayeredGenerator, row: int) -> int | None:
    """The side of the smallest maps that change with a row; None where only the picture does."""
    codes = torch.randn(1, generator.config.num_rows, 6, generator=torch.Generator().manual_seed(0))
    other = codes.clone()
    other[:, row] += 1.0
    outputs: list[list[torch.Tensor]] = []
    for latents in (codes, other):
        maps: list[torch.Tensor] = []
        blocks: Any = generator.blocks
        hooks = [block.register_forward_hook(lambda _, __, out, maps=maps: maps.append(out)) for block in blocks]
        picture = generator(latents).image
        for hook in hooks:
            hook.remove()
        outputs.append([*maps, picture])
    changed = [not torch.equal(one, two) for one, two in zip(*outputs, strict=True)]
    assert changed[-1], "the picture"
    sides = [maps.shape[-1] for maps in outputs[0]]
    return next((side for side, moved in zip(sides[:-1], changed[:-1], strict=True) if moved), None)


@pytest.mark.parametrize("name", GENERATORS)
@torch.no_grad()
def test_a_row_styles_maps_of_its_side(name: str) -> None:
    torch.manual_seed(0)
    generator = GENERATORS[name]().eval()
    sides = generator.row_sides
    found = [smallest_changed(generator, row) for row in range(len(sides))]
    assert [generator.picture_size if side is None else side for side in found] == sides
