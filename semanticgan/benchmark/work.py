"""The work of one picture, counted in closed form from a generator's configuration.

Two operations a multiply-add. A transposed convolution counts as its nine taps an input pixel, whatever way it is
computed. The learned embedding of the Fourier features is the same for every region and picture of a batch: an image
has its share of it.

Shape legend: K regions, D style width, L layers of a local generator, C channels of one, F channels of the fused
feature map, P points of the coarse grid, H side of a map, Q Fourier features.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from semanticgan.networks.config import GeneratorConfig

MAPPING = "mapping"
FOURIER_FEATURES = "Fourier features"
LOCAL_GENERATORS = "local generators"
FUSION = "feature head and fusion"
RENDERER = "renderer"
PARTS = (MAPPING, FOURIER_FEATURES, LOCAL_GENERATORS, FUSION, RENDERER)

OUTPUTS = "outputs"
"""The renderer's RGB and segmentation heads with their sums over sides."""

_FIR_TAPS = 16


@dataclass(frozen=True, order=True)
class ConvShape:
    """A plain 3x3 convolution whose speed is the floor of a layer: channels in and out, side of its map."""

    channels_in: int
    channels_out: int
    side: int

    @property
    def flop(self) -> int:
        """Operations an image."""
        return 2 * 9 * self.channels_in * self.channels_out * self.side**2


@dataclass(frozen=True)
class Layer:
    """Work of a part, or of one layer of the renderer.

    Attributes:
        part: one of ``PARTS``.
        name: of the layer.
        flop: operations an image.
        floor: the convolution to compare with; of the renderer's convolutions the one that does the same products.
            None is the best rate of all.
    """

    part: str
    name: str
    flop: int
    floor: ConvShape | None = None


def count_work(config: GeneratorConfig, batch: int = 1) -> tuple[Layer, ...]:
    """All layers of a generator that renders ``batch`` images at a time, in the order in which they run."""
    regions, width, channels = config.num_regions, config.style_dim, config.local_channels
    points, feature = config.coarse_size**2, config.feature_channels
    num_fourier = 2 + 4 * config.fourier_frequencies
    styles = regions * config.num_local_layers * width * channels
    products = regions * config.num_local_layers * channels**2 * points
    depths = (regions - 1) * channels * points
    head, bias = regions * channels * feature * points, regions * feature * points
    return (
        Layer(MAPPING, MAPPING, 2 * config.num_mapping_layers * width**2),
        Layer(FOURIER_FEATURES, FOURIER_FEATURES, 2 * num_fourier * channels * points // batch),
        Layer(LOCAL_GENERATORS, LOCAL_GENERATORS, 2 * (styles + products + depths)),
        Layer(FUSION, FUSION, 2 * (head + bias)),
        *_renderer(config),
    )


def _renderer(config: GeneratorConfig) -> Iterable[Layer]:
    num_outputs = 3 + config.num_regions
    side, width = config.min_feature_size, config.feature_channels
    has_outputs = config.residual_segmentation and side == config.coarse_size
    while side < config.size:
        width_before = width
        width_in = width + config.feature_channels if side == config.coarse_size else width
        width, pixels = config.channels[side * 2], (side * 2) ** 2
        upsample = ConvShape(width_in, width, side)
        blur = 2 * _FIR_TAPS * width * pixels
        yield Layer(RENDERER, f"{side * 2} upsample", upsample.flop + blur, upsample)
        refine = ConvShape(width, width, side * 2)
        yield Layer(RENDERER, f"{side * 2} refine", refine.flop, refine)
        previous_outputs = 2 * _FIR_TAPS * num_outputs * side**2 if has_outputs else 0
        yield Layer(RENDERER, OUTPUTS, 2 * width * num_outputs * pixels + previous_outputs, refine)
        side, has_outputs = side * 2, True
        if config.label_channels and side == (config.label_size or config.size):
            labels = config.label_channels
            products = 9 * labels * (width + width_before / 4 + labels) + labels * config.num_regions
            yield Layer(RENDERER, OUTPUTS, int(2 * products * pixels), ConvShape(width, labels, side))


def gigaflop(layers: Iterable[Layer]) -> float:
    """The sum over layers, in 10^9 operations an image."""
    return sum(layer.flop for layer in layers) / 1e9
