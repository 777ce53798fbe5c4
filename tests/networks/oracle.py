"""The generator written plainly from the paper's formulas: one region and one image at a time, no folding, no stacking.

It reads the weights of a :class:`semanticgan.networks.generator.Generator` and shares no computation with it: every
modulated weight, feature map and resampling step is spelled out. Slow, and the yardstick for the fast one.

Shape legend: K regions, D style width, L layers, C channels, F channels of the fused feature map, s side of the
coarse grid, H = W side of the current map.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.networks.generator import Generator
from semanticgan.rendering import Rendering


def render(
    generator: Generator,
    latents: Tensor,
    noise: list[Tensor] | None = None,
    visible: Tensor | None = None,
    coordinates: Tensor | None = None,
) -> Rendering:
    """As ``generator(latents, noise, visible, coordinates)``, in the dtype of the weights; latents [N, B + 2K, D]."""
    pictures = []
    for image in range(latents.shape[0]):
        maps = None if noise is None else [m[min(image, len(m) - 1)] for m in noise]
        pictures.append(
            _render_one(
                generator,
                latents[image],
                maps,
                None if visible is None else visible[image],
                None if coordinates is None else coordinates[image],
            )
        )
    return Rendering(*(torch.stack(parts) for parts in zip(*pictures, strict=True)))


def map_latent(generator: Generator, z: Tensor) -> Tensor:
    """z [D] -> w [D]."""
    x = z / torch.sqrt((z * z).mean() + 1e-8)
    for layer in generator.mapping.layers:
        fan_in, multiplier = layer.weight.shape[1], 0.01
        x = _activate((layer.weight * (multiplier / math.sqrt(fan_in))) @ x + layer.bias * multiplier)
    return x


def _render_one(
    generator: Generator, rows: Tensor, noise: list[Tensor] | None, visible: Tensor | None, coordinates: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    config = generator.config
    num_regions, side = config.num_regions, config.coarse_size
    features, depths = [], []
    for region in range(num_regions):
        grid = _regular_grid(side, rows) if coordinates is None else coordinates[region]
        feature, depth = _local_generator(generator, region, rows, grid)
        features.append(feature)
        depths.append(depth)

    # Fusion
    depth = torch.stack(depths)  # [K, s, s]
    exponentials = torch.exp(depth - depth.max(0).values)
    mask = exponentials / exponentials.sum(0)
    if visible is not None:
        mask = torch.stack([mask[k] * visible[k] for k in range(num_regions)])
        mask = mask / (mask.sum(0) + 1e-8)
    weights = mask
    if config.transparent:
        opaque = sum(mask[k] for k in range(num_regions) if k not in config.transparent)
        weights = torch.stack(
            [mask[k] if k in config.transparent else mask[k] / (opaque + 1e-8) for k in range(num_regions)]
        )
    if config.mask_floor:
        weights = _floored(weights, config.mask_floor, config.transparent)
    fused = torch.stack([weights[k] * features[k] for k in range(num_regions)]).sum(0)  # [F, s, s]
    coarse = 2.0 * mask - 1.0

    image, segmentation = _renderer(generator, fused, coarse, noise)
    return image, segmentation, coarse, depth


def _floored(weights: Tensor, floor: float, transparent: tuple[int, ...]) -> Tensor:
    """[K, s, s]; the value is the floored one, the gradient that of ``weights``."""
    cut = torch.where(weights > floor, weights - floor, 0.0)
    behind = sum(cut[k] for k in range(len(cut)) if k not in transparent)
    floored = torch.stack(
        [cut[k] / (1.0 - floor) if k in transparent else cut[k] / (behind + 1e-8) for k in range(len(cut))]
    )
    return floored.detach() + weights - weights.detach()


def _regular_grid(side: int, like: Tensor) -> Tensor:
    """[side, side, 2], (x, y) of each point."""
    steps = [-1.0 + 2.0 * i / (side - 1) for i in range(side)]
    return torch.tensor([[[x, y] for x in steps] for y in steps], dtype=like.dtype)


def _local_generator(generator: Generator, region: int, rows: Tensor, grid: Tensor) -> tuple[Tensor, Tensor]:
    """Feature [F, s, s] and pseudo-depth [s, s] of one region."""
    config, local = generator.config, generator.local
    num_frequencies = round(math.log2(config.size))
    x, y = grid[..., 0], grid[..., 1]
    channels = [x, y]
    for power in range(num_frequencies):
        frequency = 2.0**power
        channels += [torch.sin(frequency * x), torch.sin(frequency * y)]
        channels += [torch.cos(frequency * x), torch.cos(frequency * y)]
    fourier = torch.stack(channels)  # [Q, s, s]
    hidden = torch.einsum("cq,qhw->chw", local.fourier_weight / math.sqrt(len(channels)), fourier)

    depth = torch.zeros_like(x)
    for index, layer in enumerate(local.layers):
        style = rows[_row_of(config.num_base_layers, config.num_structure_layers, region, index)]
        fan_in = layer.weight.shape[-1]
        affine = (layer.style_weight[region] / math.sqrt(config.style_dim)) @ style + layer.style_bias[region]
        modulated = layer.weight[region] / math.sqrt(fan_in) * affine[None, :]
        demodulated = modulated / torch.sqrt((modulated**2).sum(1, keepdim=True) + 1e-8)
        hidden = torch.einsum("oc,chw->ohw", demodulated, hidden)
        hidden = _activate(hidden + layer.bias[region][:, None, None])
        if index + 1 == config.num_structure_layers and region > 0:
            depth = _linear_head(local.depth_head, region - 1, hidden)[0]
    return _linear_head(generator.fusion.feature_head, region, hidden), depth


def _row_of(num_base: int, num_structure: int, region: int, layer: int) -> int:
    if layer >= num_structure:
        return num_base + 2 * region + 1
    if region > 0 and layer < num_base:
        return layer
    return num_base + 2 * region


def _linear_head(head: torch.nn.Module, index: int, hidden: Tensor) -> Tensor:
    weight, scale, bias = head.weight[index], head.scale[index], head.bias[index]
    weight = weight / math.sqrt(weight.shape[1]) * scale[None, :]
    return torch.einsum("oc,chw->ohw", weight, hidden) + bias[:, None, None]


def _renderer(generator: Generator, fused: Tensor, coarse: Tensor, noise: list[Tensor] | None) -> tuple[Tensor, Tensor]:
    config, renderer = generator.config, generator.renderer
    if noise is None:
        noise = [renderer.get_buffer(f"noise_{i}")[0] for i in range(2 * len(renderer.blocks))]
    factor = config.coarse_size // config.min_feature_size
    smallest = config.min_feature_size
    x = fused.unflatten(2, (smallest, factor)).unflatten(1, (smallest, factor)).mean((2, 4))
    image = segmentation = None
    if config.residual_segmentation and config.min_feature_size == config.coarse_size:
        segmentation = coarse
    for index, block in enumerate(renderer.blocks):
        before = x
        if x.shape[-1] == config.coarse_size:
            x = torch.cat([x, fused])
        for half, maps in ((block.upsample, noise[2 * index]), (block.refine, noise[2 * index + 1])):
            x = _scaled_conv(half.conv, x)
            x = _activate(x + half.noise.weight * maps + half.bias[:, None, None])
        rgb = _scaled_conv(block.to_rgb.conv, x) + block.to_rgb.bias[:, None, None]
        labels = _scaled_conv(block.to_segmentation.conv, x) + block.to_segmentation.bias[:, None, None]
        image = rgb if image is None else _fir_upsample(image) + rgb
        segmentation = labels if segmentation is None else _fir_upsample(segmentation) + labels
        if config.residual_segmentation and x.shape[-1] == config.coarse_size:
            segmentation = segmentation + coarse
    assert image is not None and segmentation is not None
    if config.label_channels:
        segmentation = segmentation + _label_network(renderer.label_network, x, before)
    return image, segmentation


def _label_network(network: torch.nn.Module, last: Tensor, before: Tensor) -> Tensor:
    hidden = _twice_by_lines(_twice_by_lines(_scaled_conv(network.from_before, before)).mT).mT
    hidden = _activate(hidden + _scaled_conv(network.from_last, last) + network.bias[0][:, None, None])
    hidden = _activate(_scaled_conv(network.mix, hidden) + network.bias[1][:, None, None])
    head = network.to_segmentation
    return _scaled_conv(head.conv, hidden) + head.bias[:, None, None]


def _twice_by_lines(x: Tensor) -> Tensor:
    """Twice the height, bilinear: the new lines lie a quarter of a pixel above and below the old."""
    above = torch.cat([x[:, :1], x[:, :-1]], 1)
    below = torch.cat([x[:, 1:], x[:, -1:]], 1)
    return torch.stack([0.75 * x + 0.25 * above, 0.75 * x + 0.25 * below], 2).flatten(1, 2)


def _scaled_conv(conv: torch.nn.Module, x: Tensor) -> Tensor:
    """A convolution of [C, H, W] with scaled, and where asked demodulated weights; an upsampling one inserts zeros."""
    weight = conv.weight / math.sqrt(conv.weight[0].numel()) * conv.scale[None, :, None, None]
    if conv.demodulate:
        weight = weight / torch.sqrt((weight**2).sum((1, 2, 3), keepdim=True) + 1e-8)
    if not conv.upsample:
        return F.conv2d(x[None], weight, padding=conv.kernel // 2)[0]
    # A transposed convolution of stride 2 is a convolution of the map with zeros between its points by the kernel
    # turned round; its output has 2 H + 1 rows, and the blur leaves 2 H of them.
    spread = _insert_zeros(x)
    wide = F.conv2d(F.pad(spread, (2, 2, 2, 2))[None], weight.flip(2, 3))[0]
    return _fir(F.pad(wide, (1, 1, 1, 1)), gain=4.0)


def _insert_zeros(x: Tensor) -> Tensor:
    """[C, H, W] -> [C, 2H - 1, 2W - 1]"""
    channels, height, width = x.shape
    spread = x.new_zeros(channels, 2 * height - 1, 2 * width - 1)
    spread[:, ::2, ::2] = x
    return spread


def _fir(x: Tensor, gain: float) -> Tensor:
    """Blur [C, H, W] by [1, 3, 3, 1] / 8 along both axes, times ``gain``; 3 rows and columns fewer come out."""
    taps = [1 / 8, 3 / 8, 3 / 8, 1 / 8]
    height, width = x.shape[1] - 3, x.shape[2] - 3
    rows = sum(tap * x[:, i : i + height, :] for i, tap in enumerate(taps))
    return gain * sum(tap * rows[:, :, i : i + width] for i, tap in enumerate(taps))


def _fir_upsample(x: Tensor) -> Tensor:
    """[C, H, W] -> [C, 2H, 2W]: zeros between the points, then the blur of gain 4."""
    return _fir(F.pad(_insert_zeros(x), (2, 2, 2, 2)), gain=4.0)


def _activate(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x) * math.sqrt(2.0)
