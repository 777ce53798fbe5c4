"""The generator of Figure 2 of arXiv 2112.02236: mapping, local generators, fusion, renderer in a row.

Shape legend: N images, K regions, D style width, B base rows, L layers of a local generator, S side of the
picture, s side of the coarse grid.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from semanticgan.errors import InputError, unknown_name
from semanticgan.networks import limits
from semanticgan.networks.fusion import Fusion
from semanticgan.networks.layers import widened
from semanticgan.networks.local import LocalGenerators, LocalOutput
from semanticgan.networks.mapping import Mapping
from semanticgan.networks.renderer import Renderer
from semanticgan.rendering import Rendering
from semanticgan.seeds import stream
from semanticgan.wrong_arguments import require_dense, require_type

if TYPE_CHECKING:
    pass

Noise = str | Sequence[Tensor] | torch.Generator


def paper_channels(size: int, multiplier: int = 2) -> dict[int, int]:
    """Channel width by resolution of StyleGAN2 as the released models use it, for 4 .. size."""
    widths = {4: 512, 8: 512, 16: 512, 32: 512, 64: 256 * multiplier, 128: 128 * multiplier, 256: 64 * multiplier}
    widths |= {512: 32 * multiplier, 1024: 16 * multiplier}
    return {side: width for side, width in widths.items() if side <= size}


@dataclass(frozen=True)
class GeneratorConfig:
    """Sizes of a generator; the defaults are those of the released 512-pixel models.

    Attributes:
        size: resolution S of the picture in pixels, a power of two.
        style_dim: width D of z, w and every row of a latent code.
        num_mapping_layers: number of fully connected layers from z to w.
        num_regions: K, including the background.
        coarse_size: resolution s of the grid of the local generators, a power of two.
        min_feature_size: resolution at which the renderer starts.
        num_local_layers: L, layers of a local generator.
        local_channels: width of a local generator.
        feature_channels: width of the fused feature map.
        num_base_layers: B, first layers of foreground regions, which read the shared base code.
        num_structure_layers: layers up to the pseudo-depth; the later ones read the texture code.
        residual_segmentation: add the coarse masks to the segmentation of the renderer.
        transparent: labels of regions that are composited over what is behind them.
        mask_floor: mask weight below which a region does not contribute to a pixel, 0 <= mask_floor < 1 / K (not in the
            paper, where it is 0).
        label_channels: width of a small network that corrects the segmentation from the last two feature maps of the
            renderer (not in the paper, where it is 0: the segmentation is linear in them).
        channels: width of the renderer's blocks by resolution; empty is the paper's.
    """

    size: int = 512
    style_dim: int = 512
    num_mapping_layers: int = 8
    num_regions: int = 13
    coarse_size: int = 64
    min_feature_size: int = 16
    num_local_layers: int = 10
    local_channels: int = 64
    feature_channels: int = 512
    num_base_layers: int = 2
    num_structure_layers: int = 6
    residual_segmentation: bool = True
    transparent: tuple[int, ...] = (10, 12)
    mask_floor: float = 0.0
    label_channels: int = 0
    channels: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("size", "coarse_size", "min_feature_size"):
            self._keep(name, limits.side(name, getattr(self, name)))
        self._keep("num_regions", limits.whole("num_regions", self.num_regions, 2, limits.LARGEST_COUNT))
        for name in ("num_mapping_layers", "num_local_layers"):
            self._keep(name, limits.whole(name, getattr(self, name), 1, limits.LARGEST_COUNT))
        for name in ("num_base_layers", "num_structure_layers"):
            self._keep(name, limits.whole(name, getattr(self, name), 0, limits.LARGEST_COUNT))
        for name in ("style_dim", "local_channels", "feature_channels"):
            self._keep(name, limits.whole(name, getattr(self, name), 1, limits.LARGEST_WIDTH))
        if isinstance(self.label_channels, int) and self.label_channels < 0:
            raise InputError(f"label_channels must be 0 or more, got {self.label_channels}.")
        self._keep("label_channels", limits.whole("label_channels", self.label_channels, 0, limits.LARGEST_WIDTH))
        self._keep("residual_segmentation", limits.switch("residual_segmentation", self.residual_segmentation))
        self._keep("transparent", limits.labels("transparent", self.transparent, self.num_regions))
        self._keep("channels", limits.widths("channels", self.channels or paper_channels(self.size)))
        if not self.min_feature_size <= self.coarse_size <= self.size or self.min_feature_size == self.size:
            raise InputError(
                "sides must satisfy min_feature_size <= coarse_size <= size and min_feature_size < size, got "
                f"{self.min_feature_size}, {self.coarse_size}, {self.size}."
            )
        if not 0 <= self.num_base_layers <= self.num_structure_layers < self.num_local_layers:
            raise InputError(
                "layers must satisfy num_base_layers <= num_structure_layers < num_local_layers, got "
                f"{self.num_base_layers}, {self.num_structure_layers}, {self.num_local_layers}."
            )
        if not 0.0 <= limits.fraction("mask_floor", self.mask_floor) < 1.0 / self.num_regions:
            raise InputError(f"mask_floor must be 0 or more and below 1 / num_regions, got {self.mask_floor}.")
        side = self.min_feature_size * 2
        while side <= self.size:
            if side not in self.channels:
                raise InputError(f"channels lacks the width at side {side}, given are {sorted(self.channels)}.")
            side *= 2
        if self.num_rows == self.num_expanded_rows:
            raise InputError("num_base_layers + 2 num_regions may not equal num_regions x num_local_layers.")

    def _keep(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    @property
    def num_rows(self) -> int:
        """B + 2K, the rows of a latent code."""
        return self.num_base_layers + 2 * self.num_regions

    @property
    def num_expanded_rows(self) -> int:
        """K L, one row a region and layer."""
        return self.num_regions * self.num_local_layers

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able description, read back by :meth:`from_dict`."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values["transparent"] = list(self.transparent)
        values["channels"] = {str(side): width for side, width in self.channels.items()}
        return values

    @classmethod
    def from_dict(cls, description: MappingType[str, Any]) -> GeneratorConfig:
        """The config that :meth:`to_dict` described.

        Raises:
            InputError: an unknown key, or a value that is not allowed.
        """
        if not isinstance(description, MappingType):
            raise InputError(f"a generator's config is a table of numbers, got {type(description).__name__}.")
        for name in description:
            if name not in cls.__dataclass_fields__:
                raise unknown_name("number of a generator", str(name), cls.__dataclass_fields__)
        return cls(**{"channels": {}, "transparent": (), **description})

    def __hash__(self) -> int:
        return hash((self.size, self.style_dim, self.num_regions, self.transparent, *self.channels.items()))


class Generator(nn.Module):
    """w -> latent code -> K local generators -> fusion -> renderer; :meth:`map` makes w of z.

    ``generator(latents)`` takes w [N, D] or codes, never z: ``generator(generator.map(z))``. The buffer ``mean_latent``
    [D] is w-bar, the mean of w, which truncation moves towards.
    """

    mean_latent: Tensor
    _source_row: Tensor

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        require_type("a generator's config", config, GeneratorConfig, "a GeneratorConfig")
        self.config = config
        self.mapping = Mapping(config.style_dim, config.num_mapping_layers)
        self.local = LocalGenerators(
            config.num_regions,
            config.style_dim,
            config.local_channels,
            config.num_local_layers,
            config.num_structure_layers,
            config.coarse_size,
            num_frequencies=config.size.bit_length() - 1,
        )
        self.fusion = Fusion(
            config.num_regions, config.local_channels, config.feature_channels, config.transparent, config.mask_floor
        )
        self.renderer = Renderer(
            config.feature_channels,
            config.num_regions,
            config.coarse_size,
            config.min_feature_size,
            config.size,
            config.channels,
            config.residual_segmentation,
            config.label_channels,
        )
        self.register_buffer("mean_latent", torch.zeros(config.style_dim))
        self.register_buffer("_source_row", _source_rows(config), persistent=False)

    def map(self, z: Tensor) -> Tensor:
        """z [N, D], standard normal -> w [N, D], which :meth:`forward` takes.

        Raises:
            InputError: another shape.
        """
        require_type("z", z, Tensor, f"a torch.Tensor [N, {self.config.style_dim}]")
        require_dense("z", z, self.mean_latent.is_meta)
        if (
            z.ndim != 2
            or not len(z)
            or z.shape[1] != self.config.style_dim
            or not z.is_floating_point()
            or z.dtype.itemsize < 2
        ):
            raise InputError(f"z is floating numbers [N, {self.config.style_dim}], got {z.dtype} {list(z.shape)}.")
        with torch.autocast(z.device.type, enabled=False):
            w: Tensor = self.mapping(widened(z))
        return w

    @torch.no_grad()
    def estimate_mean_latent(self, num_samples: int = 4096, seed: int = 0) -> Tensor:
        """Mean of w over ``num_samples`` draws of z, [D]; also stored in ``mean_latent``."""
        z = torch.randn(num_samples, self.config.style_dim, generator=stream(seed))
        self.mean_latent.copy_(self.map(z.to(self.mean_latent.device)).mean(0))
        return self.mean_latent

    def expand(self, latents: Tensor) -> Tensor:
        """Latents in any of their forms -> one code a region and layer, [N, K L, D].

        Args:
            latents: w [N, D], a latent code [N, B + 2K, D], or already expanded [N, K L, D].

        Raises:
            InputError: another shape or type, or no image.
        """
        config = self.config
        require_type("latents", latents, Tensor, "a torch.Tensor, such as code.tensor")
        require_dense("latents", latents, self.mean_latent.is_meta)
        fits = latents.is_floating_point() and 2 <= latents.dtype.itemsize <= self.mean_latent.dtype.itemsize
        if not fits or not latents.shape[:1].numel():
            raise InputError(
                f"latents are floating numbers of at least 16 bits, such as {self.mean_latent.dtype}, of at least one "
                f"image, got {latents.dtype} {list(latents.shape)}."
            )
        if latents.ndim == 2 and latents.shape[1] == config.style_dim:
            return latents.unsqueeze(1).expand(-1, config.num_expanded_rows, -1)
        if latents.ndim == 3 and latents.shape[2] == config.style_dim:
            if latents.shape[1] == config.num_rows:
                return latents[:, self._source_row]
            if latents.shape[1] == config.num_expanded_rows:
                return latents
        raise InputError(
            f"latents have shape {list(latents.shape)}; this model takes [N, {config.style_dim}], "
            f"[N, {config.num_rows}, {config.style_dim}] or [N, {config.num_expanded_rows}, {config.style_dim}]."
        )

    def forward(
        self,
        latents: Tensor,
        noise: Noise = "fixed",
        visible: Tensor | None = None,
        coordinates: Tensor | None = None,
    ) -> Rendering:
        """Render latent codes w, not z: ``generator(generator.map(z))``.

        z and w have the same shape [N, D], so z given by mistake is not noticed; it is rendered as if it were w, and
        the pictures are wrong.

        Args:
            latents: w, never z, as :meth:`expand` takes them.
            noise: "fixed" (the maps stored with the weights), "random", a torch.Generator to draw from, or a list
                of maps [1 or N, 1, h, w], one a 3x3 convolution of the renderer.
            visible: [N, K] of 0/1 keeps only some regions.
            coordinates: [N, K, s, s, 2] where each region's local generator is evaluated, -1..1 over the picture.

        Raises:
            InputError: a shape or noise that does not fit.
        """
        num_regions, side = self.config.num_regions, self.config.coarse_size
        _require_last_axes("visible", visible, (num_regions,))
        _require_last_axes("coordinates", coordinates, (num_regions, side, side, 2))
        return self.compose(self.local(self.region_codes(latents), coordinates), noise, visible)

    def region_codes(self, latents: Tensor) -> Tensor:
        """Latents as :meth:`expand` takes them -> [N, K, L, D], what the local generators read."""
        return self.expand(latents).unflatten(1, (self.config.num_regions, self.config.num_local_layers))

    def compose(self, local: LocalOutput, noise: Noise = "fixed", visible: Tensor | None = None) -> Rendering:
        """Fuse and render what the local generators put out; arguments as of :meth:`forward`."""
        feature, mask = self.fusion(local, visible)
        maps = self.renderer.noise_maps(noise, like=feature)
        image, segmentation = self.renderer(feature, mask, maps)
        side = self.config.coarse_size
        return Rendering(image, segmentation, 2.0 * mask - 1.0, local.depth.unflatten(2, (side, side)))


def _require_last_axes(name: str, value: Any, shape: tuple[int, ...]) -> None:
    """Compare all axes but the first, of images."""
    if value is None:
        return
    axes = ", ".join(map(str, shape))
    require_type(name, value, Tensor, f"a torch.Tensor [N, {axes}]")
    if value.ndim != len(shape) + 1 or tuple(value.shape[1:]) != shape:
        raise InputError(f"{name} has the shape [N, {axes}] here, got {list(value.shape)}.")


def _source_rows(config: GeneratorConfig) -> Tensor:
    """Row of the latent code that each of the K L expanded rows copies (Section 3 of arXiv 2112.02236)."""
    rows = []
    for region in range(config.num_regions):
        structure = config.num_base_layers + 2 * region
        for layer in range(config.num_local_layers):
            if layer >= config.num_structure_layers:
                rows.append(structure + 1)
            elif region > 0 and layer < config.num_base_layers:  # the background does not move with the pose
                rows.append(layer)
            else:
                rows.append(structure)
    return torch.tensor(rows)
