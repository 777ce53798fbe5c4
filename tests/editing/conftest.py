"""A model whose locality is perfect by construction, so that what editing measures can be foretold."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from semanticgan.latents import LatentCode
from semanticgan.regions import RegionScheme
from semanticgan.rendering import Rendering

SIZE, WIDTH = 64, 3


class StripedModel:
    """Four upright stripes: the colour of each is its texture row, hair ends where its structure's first number says.

    The background shows to the right of the last stripe.
    """

    regions = RegionScheme(("background", "face", "eye", "hair"))
    size = SIZE
    device = torch.device("cpu")

    def sample(self, seed: int | None = None, seeds: list[int] | None = None, truncation: float = 1.0) -> LatentCode:
        drawn = [
            torch.rand(1 + 2 * 4, WIDTH, generator=torch.Generator().manual_seed(number))
            for number in (seeds if seeds is not None else [seed or 0])
        ]
        return LatentCode(torch.stack(drawn) * 2 - 1, self.regions)

    def render(self, code: LatentCode, **_: Any) -> Rendering:
        edges = torch.tensor([0, 20, 30]).expand(len(code), -1)
        hair_edge = (50 + 8 * code.structure("hair")[:, :1]).round().long()
        return self.paint(code, torch.cat([edges, hair_edge], 1))

    def paint(self, code: LatentCode, edges: Tensor) -> Rendering:
        columns = torch.arange(SIZE).expand(len(code), SIZE)
        labels = sum((columns >= edges[:, i : i + 1]).long() for i in range(4))
        labels = torch.where(labels == 4, 0, labels)[:, None].expand(-1, SIZE, -1)
        segmentation = torch.nn.functional.one_hot(labels, 4).permute(0, 3, 1, 2).float() * 2 - 1
        colours = torch.stack([code.texture(name) for name in self.regions.names], 1)  # [N, K, 3]
        image = torch.einsum("nkyx,nkc->ncyx", (segmentation + 1) / 2, colours)
        coarse = torch.nn.functional.avg_pool2d(segmentation, 4)
        return Rendering(image, segmentation, coarse, coarse.clone())


@pytest.fixture
def model() -> StripedModel:
    return StripedModel()
