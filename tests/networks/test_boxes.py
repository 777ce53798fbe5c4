"""How far a change reaches, against the layers themselves: a change of one span of cells in random maps."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.networks.boxes import Box, box_of, differing, union, whole
from semanticgan.networks.kernels.resampling import fir_upsample
from semanticgan.networks.layers import ModulatedConv

SIDE = 16
BOXES = [Box(5, 7, 6, 9), Box(0, 3, 7, 8), Box(12, 16, 13, 16), Box(0, 16, 0, 16), Box(8, 9, 0, 1)]
UP = ModulatedConv(2, 2, 3, upsample=True).double().requires_grad_(False)
CONV = ModulatedConv(2, 2, 3).double().requires_grad_(False)
Layer = Callable[[Tensor], Tensor]
LAYERS: dict[str, tuple[Layer, Callable[[Box], Box]]] = {
    "mean": (lambda x: F.avg_pool2d(x, 4), lambda box: box.pooled(4)),
    "convolution": (CONV, lambda box: box.grown(1, SIDE)),
    "upsampling convolution": (UP, lambda box: box.doubled(2, 2 * SIDE)),
    "block": (lambda x: CONV(UP(x)), lambda box: box.doubled(3, 2 * SIDE)),
    "FIR upsampling": (fir_upsample, lambda box: box.doubled(1, 2 * SIDE)),
    "bilinear": (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), lambda box: box.doubled(1, 2 * SIDE)),
}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("box", BOXES)
def test_a_change_reaches_exactly_the_stated_cells(layer: str, box: Box) -> None:
    run, reach = LAYERS[layer]
    source = torch.Generator().manual_seed(0)
    x = torch.randn(1, 2, SIDE, SIDE, generator=source, dtype=torch.float64)
    changed = x.clone()
    box.of(changed).add_(1.0 + torch.rand(box.of(x).shape, generator=source))
    with torch.no_grad():
        assert differing(run(changed), run(x), 1e-12) == reach(box)


@pytest.mark.parametrize(("layer", "before", "after"), [("upsampling convolution", 3, 2), ("FIR upsampling", 2, 1)])
@pytest.mark.parametrize("box", [Box(9, 12, 4, 5), Box(0, 1, 30, 32), Box(0, 32, 0, 32), Box(10, 11, 11, 13)])
def test_a_crop_gives_the_cells_that_the_whole_map_gives(layer: str, before: int, after: int, box: Box) -> None:
    run, _ = LAYERS[layer]
    x = torch.randn(1, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    read = box.read_by_upsampling(before, after, SIDE)
    with torch.no_grad():
        found = run(read.of(x))
        assert torch.allclose(box.of(found, read.doubled(0, 2 * SIDE)), box.of(run(x)), atol=1e-12)


def test_boxes() -> None:
    cells = torch.zeros(8, 8, dtype=torch.bool)
    assert box_of(cells) is None and union(None, None) is None
    cells[2, 3] = cells[5, 1] = True
    assert box_of(cells) == Box(2, 6, 1, 4)
    assert box_of(cells, Box(10, 18, 20, 28)) == Box(12, 16, 21, 24)
    assert union(None, Box(2, 3, 2, 3), Box(5, 6, 0, 1)) == Box(2, 6, 0, 3)
    assert whole(4).num_cells == 16
    new = torch.zeros(1, 1, 4, 4)
    new[0, 0, 1, 2] = float("nan")
    assert differing(new, torch.zeros(1, 1, 4, 4), 1.0) == Box(1, 2, 2, 3)  # what is not a number differs
