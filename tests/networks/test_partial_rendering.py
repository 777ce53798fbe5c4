"""Partial renders against whole ones: the largest difference over chains of edits and at borders."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from semanticgan.benchmark.partial import measure_partial
from semanticgan.networks.boxes import Box, whole
from semanticgan.networks.config import GeneratorConfig
from semanticgan.networks.generator import Generator
from semanticgan.networks.partial_rendering import PartialRenderer
from semanticgan.networks.renderer import Renderer
from tests.networks.models import CONFIGS, perturbed_generator

# Of the outputs' root mean square; found are 4e-7 in float32 and 2.1e-2 in bfloat16.
BOUNDS = {torch.float64: 1e-13, torch.float32: 2e-5, torch.bfloat16: 5e-2}


class Edits:
    """Random features and masks of one renderer, and its partial renderer."""

    def __init__(self, name: str, num_images: int = 1, dtype: torch.dtype = torch.float32) -> None:
        generator = perturbed_generator(CONFIGS[name]).requires_grad_(False)
        self.renderer: Renderer = generator.renderer.to(torch.float64 if dtype == torch.float64 else torch.float32)
        self.partial = PartialRenderer(self.renderer)
        self.source, self.dtype, self.side = torch.Generator().manual_seed(0), dtype, generator.config.coarse_size
        config = generator.config
        self.feature = self.drawn(num_images, config.feature_channels, self.side, self.side)
        mask = self.drawn(num_images, config.num_regions, self.side, self.side).sigmoid()
        self.mask = mask.to(torch.promote_types(dtype, torch.float32))
        self.noise = self.renderer.noise_maps("fixed", self.feature)

    def drawn(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.source).to(self.dtype)

    def change(self, box: Box, images: slice = slice(None)) -> None:
        self.feature, self.mask = self.feature.clone(), self.mask.clone()
        part = box.of(self.feature[images])
        part.copy_(self.drawn(*part.shape))
        part = box.of(self.mask[images])
        part.copy_(torch.rand(part.shape, generator=self.source))

    def random_box(self) -> Box:
        top, left = (int(torch.randint(self.side, (), generator=self.source)) for _ in range(2))
        height, width = (int(torch.randint(self.side // 2, (), generator=self.source)) for _ in range(2))
        return Box(top, top + height, left, left + width).cut(self.side)

    def difference(self) -> float:
        """The largest of both outputs."""
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            found = self.partial(self.feature, self.mask, self.noise)
            expected = self.renderer(self.feature, self.mask, self.noise)
        pairs = list(zip(found, expected, strict=True))
        assert all(torch.isfinite(part).all() and part.dtype == other.dtype for part, other in pairs)
        return max(float((part - other).abs().max() / other.square().mean().sqrt()) for part, other in pairs)


@pytest.mark.parametrize("dtype", list(BOUNDS))
@pytest.mark.parametrize("name", list(CONFIGS))
def test_chains_of_edits_equal_whole_renders(name: str, dtype: torch.dtype) -> None:
    edits = Edits(name, num_images=2, dtype=dtype)
    assert edits.difference() == 0.0  # all of it is computed
    for step in range(6):
        edits.change(edits.random_box(), slice(step % 2, None))
        assert edits.difference() < BOUNDS[dtype]


@pytest.mark.by_name
def test_a_thousand_edits_do_not_drift() -> None:
    edits = Edits("13-regions-transparent")
    worst = 0.0
    for _ in range(1000):
        edits.change(edits.random_box())
        worst = max(worst, edits.difference())
    assert worst < BOUNDS[torch.float32], worst


@pytest.mark.parametrize("name", ["13-regions-transparent", "5-regions-labelled"])
def test_at_the_border_and_nowhere(name: str) -> None:
    edits = Edits(name)
    edits.difference()
    last = edits.side
    for box in (Box(0, 2, 3, 5), Box(4, 6, 0, 1), Box(last - 1, last, 2, 4), Box(0, 1, last - 1, last), whole(last)):
        edits.change(box)
        assert edits.difference() < BOUNDS[torch.float32]
        assert any(computed is not None for computed in edits.partial.boxes)
    edits.change(Box(3, 3, 5, 7))  # no cell
    assert edits.difference() < BOUNDS[torch.float32]
    assert set(edits.partial.boxes) == {None}


def test_the_computed_cells_are_the_stated_ones() -> None:
    edits = Edits("5-regions-opaque")  # f of 16 cells, pooled to 8, blocks of 16, 32 and 64
    edits.difference()
    edits.change(Box(6, 8, 6, 8))  # cell 3 of the pooled map
    edits.difference()
    first, second, third = edits.partial.boxes
    assert first == Box(3, 11, 3, 11)
    assert second == Box(3, 25, 3, 25) and third == Box(3, 53, 3, 53)


def test_only_the_mask_changes() -> None:
    edits = Edits("13-regions-transparent")
    edits.difference()
    edits.mask = edits.mask.clone()
    edits.mask[:, 2, 3:5, 3:5] = 0.25
    assert edits.difference() < BOUNDS[torch.float32]
    assert set(edits.partial.boxes) == {None}  # no convolution runs


def test_other_noise_or_images_render_everything() -> None:
    edits = Edits("13-regions-transparent", num_images=2)
    edits.difference()
    edits.noise = [part + 1.0 for part in edits.noise]
    assert edits.difference() == 0.0 and edits.partial.boxes[-1] == whole(32)
    edits.feature, edits.mask = edits.feature[:1], edits.mask[:1]
    assert edits.difference() == 0.0 and edits.partial.boxes[-1] == whole(32)


def test_features_that_are_not_finite_are_not_kept() -> None:
    edits = Edits("13-regions-transparent")
    finite = edits.feature
    for value in (float("inf"), float("nan"), 3e38):
        for box in (whole(edits.side), Box(3, 5, 3, 5)):
            edits.feature = finite
            assert edits.difference() < BOUNDS[torch.float32]
            edits.feature = finite.clone()
            box.of(edits.feature).fill_(value)
            edits.partial(edits.feature, edits.mask, edits.noise)
            edits.feature = finite
            assert edits.difference() < BOUNDS[torch.float32]


def test_outputs_are_the_callers_and_maps_are_counted() -> None:
    edits = Edits("5-regions-from-the-coarse-side")
    assert edits.partial.kept_bytes == 0
    edits.partial(edits.feature, edits.mask, edits.noise).image.zero_()
    assert edits.difference() < BOUNDS[torch.float32]
    config = CONFIGS["5-regions-from-the-coarse-side"]
    # f and x_0 of 8 x 8 cells, masks, noise of two convolutions, additions and sums of 16 x 16 pixels
    floats = 64 * (2 * config.feature_channels + config.num_regions) + 256 * (2 + 2 * (3 + config.num_regions))
    assert edits.partial.kept_bytes == 4 * floats
    edits.partial.forget()
    assert edits.partial.kept_bytes == 0


def test_a_tolerance_bounds_the_difference_over_a_chain() -> None:
    """Small changes everywhere are left out, and left out once, however many there are."""
    edits = Edits("13-regions-transparent")
    edits.partial = PartialRenderer(edits.renderer, tolerance=0.03)
    edits.difference()
    worst = 0.0
    for _ in range(100):
        edits.feature = edits.feature + 0.002 * edits.drawn(*edits.feature.shape)
        worst = max(worst, edits.difference())
    assert 1e-4 < worst < 0.2


@pytest.mark.by_name
@pytest.mark.parametrize("size", [256, 512])
def test_the_papers_models(size: int) -> None:
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(size=size)).eval().requires_grad_(False)
    for edit in measure_partial(generator, "float32", torch.device("cpu"), repeats=2):
        assert edit.error < BOUNDS[torch.float32], edit
        assert edit.work < {"nothing": 1e-9, "hair": 1.0}.get(edit.region, 0.5), edit
