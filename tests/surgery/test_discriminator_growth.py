"""Growing a discriminator: it begins with the scores of its start, and all of it learns."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.checkpoint import load_model
from semanticgan.data import to_network
from semanticgan.data.batches import Batch
from semanticgan.data.portraits import PortraitDataset
from semanticgan.errors import InputError
from semanticgan.model import Model
from semanticgan.networks.config import DiscriminatorConfig
from semanticgan.networks.discriminator import Discriminator
from semanticgan.registry import resolve
from semanticgan.surgery.discriminator_growth import grow_discriminator, grown_discriminator_config
from semanticgan.surgery.growth import enlarged, origins

CONFIG = DiscriminatorConfig(16, 5, {4: 8, 8: 12, 16: 10}, {4: 8, 8: 6, 16: 9})


@pytest.fixture(scope="module")
def start() -> Discriminator:
    """With biases that are not 0."""
    torch.manual_seed(0)
    discriminator = Discriminator(CONFIG)
    with torch.no_grad():
        for name, parameter in discriminator.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0.0, 0.3)
    return discriminator


def made_smaller(x: Tensor, size: int) -> Tensor:
    """Half the sides by [-1, 1, 8, 8, 1, -1] / 16 along both, until ``size``; -1 lies outside the picture.

    Before each, what is below -1 counts a 25th.
    """
    taps = torch.tensor([-1.0, 1.0, 8.0, 8.0, 1.0, -1.0]) / 16.0
    while x.shape[-1] > size:
        x = torch.where(x > -1.0, x, (x + 1.0) / 25.0 - 1.0)
        for _ in range(2):
            x = (F.pad(x, (2, 2), value=-1.0).unfold(-1, 6, 2) * taps).sum(-1).mT
    return x


def pair(size: int) -> tuple[Tensor, Tensor]:
    """Four pictures and segmentations of coarse spots and fine noise."""
    source = torch.Generator().manual_seed(size)
    coarse, fine = (torch.randn(4, 8, side, side, generator=source) for side in (8, size))
    image, segmentation = (F.interpolate(coarse, size) + 0.3 * fine).split((3, 5), dim=1)
    return image, segmentation


@pytest.mark.parametrize("size", [32, 64, 128])
@torch.no_grad()
def test_the_first_scores_are_those_of_the_picture_made_smaller(start: Discriminator, size: int) -> None:
    grown = grow_discriminator(start, grown_discriminator_config(CONFIG, size))
    image, segmentation = pair(size)
    small = made_smaller(image, 16)
    for ours, theirs in (
        (grown(image, segmentation), start(small, made_smaller(segmentation, 16))),
        (grown(image), start(small)),
    ):
        assert theirs.std() > 0.01
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_grown_twice_and_at_once(start: Discriminator) -> None:
    once = grow_discriminator(start, grown_discriminator_config(CONFIG, 32), seed=1)
    twice = grow_discriminator(once, grown_discriminator_config(once.config, 64), seed=2)
    at_once = grow_discriminator(start, grown_discriminator_config(CONFIG, 64))
    assert twice.config == at_once.config
    torch.testing.assert_close(twice(*pair(64)), at_once(*pair(64)), rtol=1e-4, atol=1e-4)


def test_old_parts_are_kept(start: Discriminator) -> None:
    start = copy.deepcopy(start).eval()
    start.image_branch.freeze(1)
    start.segmentation_branch.recompute = True
    before, drawn = copy.deepcopy(start.state_dict()), torch.get_rng_state()
    grown = grow_discriminator(start, grown_discriminator_config(CONFIG, 64), seed=3)
    assert torch.equal(torch.get_rng_state(), drawn)
    state, kept = grown.state_dict(), origins(start, grown)
    for name, origin in kept.items():
        assert torch.equal(state[name], before[origin]) and torch.equal(start.state_dict()[origin], before[origin]), (
            name
        )
    assert kept["image_branch.blocks.2.conv1.bias"] == "image_branch.blocks.0.conv1.bias"
    assert before.keys() - set(kept.values()) == {
        f"{branch}_branch.stem.{part}" for branch in ("image", "segmentation") for part in ("weight", "bias")
    }
    required = {name for name, parameter in grown.named_parameters() if not parameter.requires_grad}
    assert required == {f"image_branch.blocks.2.{part}" for part in BLOCK}
    assert grown.segmentation_branch.recompute and not grown.image_branch.recompute and not grown.training


BLOCK = ("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "skip.weight")


def test_all_parameters_learn_after_two_steps(start: Discriminator) -> None:
    grown = grow_discriminator(start, grown_discriminator_config(CONFIG, 64))
    before = {name: parameter.detach().clone() for name, parameter in grown.named_parameters()}
    optimiser = torch.optim.SGD(grown.parameters(), lr=1.0)
    for _ in range(2):
        optimiser.zero_grad()
        F.softplus(grown(*pair(64))).mean().backward()
        optimiser.step()
    for name, parameter in grown.named_parameters():
        assert (parameter != before[name]).flatten(1 if parameter.ndim > 1 else 0).any(-1).all(), name


def test_an_enlarged_picture_scores_what_the_picture_scored() -> None:
    """Root mean square differences; with a random new block they are about 10."""
    loaded = load_model(resolve("portraits-64"), with_discriminator=True)
    discriminator = loaded.discriminator
    assert discriminator is not None
    grown = grow_discriminator(discriminator, grown_discriminator_config(discriminator.config, 128))
    model = Model(loaded)
    fake = model.render(model.sample(seeds=range(4)))
    generated = [discriminator(fake.image, fake.segmentation)]
    generated.append(grown(enlarged(fake.image, 128), enlarged(fake.segmentation, 128)))
    real = []
    for network, size in ((discriminator, 64), (grown, 128)):
        portraits = [PortraitDataset(size)[index] for index in range(4)]
        batch = Batch(*(torch.stack(parts) for parts in zip(*portraits, strict=True)))
        real.append(network(*to_network(batch, 13, soft_edges=True)))
    for before, after in (generated, real):
        assert (after - before).square().mean().sqrt() < 0.4


def test_widths_of_new_blocks() -> None:
    config = DiscriminatorConfig(8, 13, {4: 100, 8: 50}, {4: 100, 8: 20})
    grown = grown_discriminator_config(config, 32)
    assert grown.channels == {4: 100, 8: 50, 16: 25, 32: 16}
    assert grown.segmentation_channels == {4: 100, 8: 20, 16: 16, 32: 16}
    grown = grown_discriminator_config(config, 16, {16: 3}, {16: 13})
    assert (grown.channels[16], grown.segmentation_channels[16]) == (3, 13)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_regions": 4}, r"num_regions \(5 and 4\)"),
        ({"channels": {4: 8, 8: 13, 16: 10, 32: 8}}, r"channels at side 8 \(12 and 13\)"),
        ({"segmentation_channels": {4: 8, 8: 6, 16: 9, 32: 4}}, "at least the 5 channels that it passes on, got 4"),
        ({"size": 16}, "larger power of two, got 16"),
    ],
)
def test_a_config_that_does_not_continue_the_start_is_refused(
    start: Discriminator, change: dict[str, Any], message: str
) -> None:
    config = dataclasses.replace(grown_discriminator_config(CONFIG, 32), **change)
    with pytest.raises(InputError, match=message) as caught:
        grow_discriminator(start, config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [8, 16, 24, 2.0**5])
def test_another_size_than_a_larger_power_of_two_is_refused(size: Any) -> None:
    with pytest.raises(InputError, match="larger power of two"):
        grown_discriminator_config(CONFIG, size)
