"""A model grown to a larger picture: at first it draws the picture of its start, enlarged.

The renderer's outputs, picture and segmentation, are sums over sides,

    o_2S = up(o_S) + W x_2S + b,

where up is a FIR filter and x_2S the map of the block of side 2S. New blocks begin with W = 0 and b = 0, so that
o_2S = up(o_S). Everything before is kept: the number of Fourier frequencies, and the label network, whose part in o_S
is enlarged with it.

A new block learns in two steps: first W and b, whose gradients are those of the picture, then what makes x_2S.

Shape legend: N images, C channels, S side of the picture.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from semanticgan.checkpoint import LoadedModel
from semanticgan.errors import InputError
from semanticgan.model import Model
from semanticgan.networks.config import GeneratorConfig
from semanticgan.networks.discriminator import Discriminator
from semanticgan.networks.generator import Generator
from semanticgan.networks.kernels.resampling import fir_upsample
from semanticgan.networks.renderer import RendererBlock

C = TypeVar("C")
Network = TypeVar("Network", bound=nn.Module)

LEAST_WIDTH = 16


def grown_generator_config(
    config: GeneratorConfig, size: int, channels: Mapping[int, int] | None = None
) -> GeneratorConfig:
    """The config of a generator grown to a larger size.

    Args:
        config: of the start.
        size: new side of the picture, a power of two.
        channels: widths of the renderer's blocks at new sides; where they are not given, half of the width at the side
            before, but no less than 16 or, if it is less, that width.

    Raises:
        InputError: a size that is not larger or no power of two, or another width at a side of the start.
    """
    return dataclasses.replace(
        config,
        size=size,
        channels=grown_widths("channels", config.channels, new_sides(config.size, size), channels),
        num_frequencies=config.fourier_frequencies,
        label_size=(config.label_size or config.size) if config.label_channels else 0,
    )


@torch.no_grad()
def grow_generator(generator: Generator, config: GeneratorConfig, seed: int = 0) -> Generator:
    """A generator of a larger picture whose first picture and segmentation are those of ``generator``, enlarged.

    Coarse masks and pseudo-depths are the same. New parameters require gradients, old ones as those of the start.

    Args:
        generator: the start, which stays as it is.
        config: as :func:`grown_generator_config` makes it; a label network may be added where the start has none.
        seed: of the new weights and noise maps.

    Raises:
        InputError: a config that differs in more than its size and widths at new sides.
    """
    new_sides(generator.config.size, config.size)
    require_kept("generator", _kept(generator.config, generator.config), _kept(config, generator.config))
    grown = built(Generator, config, seed)
    for block in grown.renderer.blocks[len(generator.renderer.blocks) :]:
        assert isinstance(block, RendererBlock)
        for head in (block.to_rgb, block.to_segmentation):
            head.conv.weight.zero_()
            head.bias.zero_()
    carry(generator, grown, origins(generator, grown))
    grown.renderer.recompute = generator.renderer.recompute
    return grown


def grow_average(average: Generator, grown: Generator) -> Generator:
    """The average of a generator, grown as the generator was: its new parts are those of ``grown``.

    Args:
        average: of the start.
        grown: what :func:`grow_generator` made of the start.
    """
    other = copy.deepcopy(grown)
    carry(average, other, origins(average, other))
    return other.eval().requires_grad_(False)


def grow_model(model: Model, size: int, channels: Mapping[int, int] | None = None, seed: int = 0) -> Model:
    """A model of a larger picture that draws what ``model`` draws, enlarged; to be trained on.

    Its metadata are those of the start with the new size; ``training["grown"]`` says from which size to which.

    Args:
        model: the start, which stays as it is.
        size: new side of the picture, a power of two.
        channels: as of :func:`grown_generator_config`.
        seed: of the new weights and noise maps.

    Raises:
        InputError: as :func:`grown_generator_config`.
    """
    config = grown_generator_config(model.regional.config, size, channels)
    generator = grow_generator(model.regional, config, seed).requires_grad_(False)
    before = model.metadata.training.get("grown", [])
    step = {"from": model.size, "to": size, "seed": seed}
    metadata = dataclasses.replace(
        model.metadata,
        description=f"{model.metadata.description}, grown to {size} pixels",
        config=config,
        discriminator=None,
        training={**model.metadata.training, "grown": [*(before if isinstance(before, list) else []), step]},
    )
    return Model(LoadedModel(generator, model.regions, metadata), model.device)


def enlarged(outputs: Tensor, size: int) -> Tensor:
    """Pictures or segmentations [N, C, S, S] as the renderer enlarges its outputs, [N, C, size, size]."""
    while outputs.shape[-1] < size:
        outputs = fir_upsample(outputs)
    return outputs


def origins(start: nn.Module, grown: nn.Module) -> dict[str, str]:
    """Name of each tensor of a grown network that is kept -> its name in the start.

    The blocks of a discriminator are counted from the picture on, so their numbers rise; its stems are new. Any other
    network keeps each tensor of the same name.
    """
    theirs, ours = start.state_dict(), grown.state_dict()
    if not isinstance(start, Discriminator) or not isinstance(grown, Discriminator):
        return {name: name for name in ours if name in theirs}
    num_new = len(grown.image_branch.blocks) - len(start.image_branch.blocks)
    found = {}
    for name in theirs:
        branch, *path = name.split(".")
        if path[0] == "blocks":
            found[".".join([branch, "blocks", str(int(path[1]) + num_new), *path[2:]])] = name
        elif path[0] != "stem" or not num_new:
            found[name] = name
    return found


def built(make: Callable[[C], Network], config: C, seed: int) -> Network:
    """A new network with the weights of a seed; the global random stream stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make(config)


def carry(start: nn.Module, grown: nn.Module, kept: Mapping[str, str]) -> None:
    """Move a grown network to where its start is, and give it the start's tensors, mode and what is frozen."""
    theirs = start.state_dict()
    like = next(tensor for tensor in theirs.values() if tensor.is_floating_point())
    grown.to(like).train(start.training)
    grown.load_state_dict(grown.state_dict() | {name: theirs[kept[name]] for name in kept})
    parameters = dict(start.named_parameters())
    for name, parameter in grown.named_parameters():
        if name in kept:
            parameter.requires_grad_(parameters[kept[name]].requires_grad)


def new_sides(size: int, larger: int) -> list[int]:
    """The sides from above ``size`` to ``larger``.

    Raises:
        InputError: ``larger`` is no power of two, or not larger.
    """
    if not isinstance(larger, int) or larger <= size or larger & (larger - 1):
        raise InputError(f"a model of {size} pixels grows to a larger power of two, got {larger!r}. Use {2 * size}.")
    return [size << doublings for doublings in range(1, larger.bit_length() - size.bit_length() + 1)]


def grown_widths(
    name: str, widths: Mapping[int, int], sides: Sequence[int], given: Mapping[int, int] | None, least: int = 0
) -> dict[int, int]:
    """Widths by side with those at new sides: given, else known already, else half of the width at the side before.

    Half is no less than ``least``, and no less than :data:`LEAST_WIDTH` or, if it is less, the width before.

    Raises:
        InputError: another width at a side of the start.
    """
    found = dict(widths)
    for side, width in (given or {}).items():
        if side < sides[0] and found.get(side, width) != width:
            raise InputError(
                f"{name} at side {side} is {found[side]} in the start, got {width}. Give widths of side {sides[0]} on."
            )
        found[side] = width
    for side in sides:
        if side not in found:
            before = found[side // 2]
            found[side] = max(before // 2, min(before, LEAST_WIDTH), least)
    return found


def require_kept(what: str, start: Mapping[str, Any], grown: Mapping[str, Any]) -> None:
    """Raises: InputError: what a grown network must keep of its start differs."""
    differing = [f"{name} ({start[name]} and {grown.get(name)})" for name in start if start[name] != grown.get(name)]
    if differing:
        raise InputError(
            f"this {what} cannot grow to the config given, which differs in {', '.join(differing)}. Only the size and "
            f"widths at larger sides may differ: use grown_{what}_config."
        )


def _kept(config: GeneratorConfig, start: GeneratorConfig) -> dict[str, Any]:
    """What growing does not change of a generator."""
    values = config.to_dict()
    for name in ("size", "channels"):
        del values[name]
    if not start.label_channels:
        del values["label_channels"], values["label_size"]
    else:
        values["label_size"] = config.label_size or config.size
    values["num_frequencies"] = config.fourier_frequencies
    return values | {
        f"channels at side {side}": config.channels.get(side) for side in start.channels if side <= start.size
    }
