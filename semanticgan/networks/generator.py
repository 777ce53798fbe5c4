"""The generator of Figure 2 of arXiv 2112.02236: mapping, local generators, fusion, renderer in a row.

Shape legend: N images, K regions, D style width, B base rows, L layers of a local generator, S side of the
picture, s side of the coarse grid.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from semanticgan.errors import InputError
from semanticgan.networks.fusion import Fusion
from semanticgan.networks.layers import widened
from semanticgan.networks.local import LocalGenerators, LocalOutput
from semanticgan.networks.mapping import Mapping
from semanticgan.networks.renderer import Renderer

if TYPE_CHECKING:
    from PIL import Image

Noise = str | Sequence[Tensor] | torch.Generator


def paper_channels(size: int, multiplier: int = 2) -> dict[int, int]:
    """Channel width by resolution of StyleGAN2 as the released models use it, for 4 .. size."""
    widths = {4: 512, 8: 512, 16: 512, 32: 512, 64: 256 * multiplier, 128: 128 * multiplier, 256: 64 * multiplier}
    widths |= {512: 32 * multiplier, 1024: 16 * multiplier}
    return {side: width for side, width in widths.items() if side <= size}


@dataclass(frozen=True)
class GeneratorConfig:
    """Numbers of a generator; the defaults are those of the released 512-pixel models.

    Attributes:
        size: side S of the picture in pixels, a power of two.
        style_dim: width D of z, w and every row of a latent code.
        num_mapping_layers: fully connected layers from z to w.
        num_regions: K, the background included.
        coarse_size: side s of the grid that the local generators draw on, a power of two.
        min_feature_size: side that the fused feature map is pooled to before the renderer.
        num_local_layers: layers L of a local generator.
        local_channels: width of a local generator.
        feature_channels: width of the fused feature map.
        num_base_layers: B, the first layers of foreground regions, which read the shared base code.
        num_structure_layers: layers before the pseudo-depth; the later ones read the texture code.
        residual_segmentation: add the coarse masks to the renderer's segmentation.
        transparent: labels of regions that are laid over what is behind them.
        mask_floor: weight in the fusion below which a region has no part in a pixel, 0 <= mask_floor < 1 / K (ours; in
            the paper every region has a part in every pixel, 0).
        label_channels: width of a small network that corrects the segmentation from the renderer's last two maps (ours;
            in the paper the segmentation is linear in these, 0).
        channels: width of the renderer's block that puts out a side, by that side.
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
        channels = self.channels or paper_channels(self.size)
        object.__setattr__(self, "channels", {int(side): int(width) for side, width in sorted(channels.items())})
        object.__setattr__(self, "transparent", tuple(self.transparent))
        for name in ("size", "coarse_size", "min_feature_size"):
            side = getattr(self, name)
            if side < 4 or side & (side - 1):
                raise InputError(f"{name} must be a power of two, at least 4, got {side}.")
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
        if any(not 0 < label < self.num_regions for label in self.transparent):
            raise InputError(f"transparent labels must lie in 1..{self.num_regions - 1}, got {list(self.transparent)}.")
        if not 0.0 <= self.mask_floor < 1.0 / self.num_regions:
            raise InputError(f"mask_floor must be 0 or more and below 1 / num_regions, got {self.mask_floor}.")
        if self.label_channels < 0:
            raise InputError(f"label_channels must be 0 or more, got {self.label_channels}.")
        side = self.min_feature_size * 2
        while side <= self.size:
            if side not in self.channels:
                raise InputError(f"channels lacks the width at side {side}, given are {sorted(self.channels)}.")
            side *= 2
        if self.num_rows == self.num_expanded_rows:
            raise InputError("num_base_layers + 2 num_regions may not equal num_regions x num_local_layers.")

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
        values = dict(description)
        values["channels"] = {int(side): int(width) for side, width in values.get("channels", {}).items()}
        values["transparent"] = tuple(values.get("transparent", ()))
        return cls(**values)


@dataclass(frozen=True)
class Rendering:
    """What the generator puts out.

    Attributes:
        image: [N, 3, S, S] RGB, about [-1, 1].
        segmentation: [N, K, S, S], about [-1, 1], highest where a region is seen.
        coarse_segmentation: [N, K, s, s], 2m - 1 in [-1, 1], of the coarse masks m.
        depth: [N, K, s, s] pseudo-depths; the background's is 0, larger is nearer.
    """

    image: Tensor
    segmentation: Tensor
    coarse_segmentation: Tensor
    depth: Tensor

    def labels(self) -> Tensor:
        """The region seen at each pixel, uint8 [N, S, S]."""
        return self.segmentation.argmax(1).to(torch.uint8)

    def to_uint8(self) -> Tensor:
        """The pictures as uint8 [N, 3, S, S], 0..255."""
        return self.image.detach().float().add(1.0).mul(127.5).round().clamp(0.0, 255.0).to(torch.uint8)

    def to_pil(self) -> list[Image.Image]:
        """The pictures, one a sample."""
        from PIL import Image

        return [Image.fromarray(picture.permute(1, 2, 0).cpu().numpy()) for picture in self.to_uint8()]

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write the picture; of several, one file each, numbered ``name-0.png``, ``name-1.png``, ...

        Raises:
            ExistingFileError: a file exists and ``overwrite`` is false; none is written then.
        """
        from semanticgan.files import require_free, user_path, written_aside

        path = user_path(path, "output")
        pictures = self.to_pil()
        paths = [path] if len(pictures) == 1 else [path.with_stem(f"{path.stem}-{i}") for i in range(len(pictures))]
        for target in paths:
            require_free(target, overwrite)
        for target, picture in zip(paths, pictures, strict=True):
            with written_aside(target, overwrite) as aside:
                picture.save(aside)


class Generator(nn.Module):
    """z -> w -> latent code -> K local generators -> fusion -> renderer.

    The buffer ``mean_latent`` [D] is w-bar, the mean of w, which truncation moves towards.
    """

    mean_latent: Tensor
    _source_row: Tensor

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
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
        """z [N, D] -> w [N, D]."""
        with torch.autocast(z.device.type, enabled=False):
            w: Tensor = self.mapping(widened(z))
        return w

    @torch.no_grad()
    def estimate_mean_latent(self, num_samples: int = 4096, seed: int = 0) -> Tensor:
        """Mean of w over ``num_samples`` draws of z, [D]; also stored in ``mean_latent``."""
        z = torch.randn(num_samples, self.config.style_dim, generator=torch.Generator().manual_seed(seed))
        self.mean_latent.copy_(self.map(z.to(self.mean_latent.device)).mean(0))
        return self.mean_latent

    def expand(self, latents: Tensor) -> Tensor:
        """Latents in any of their forms -> one code a region and layer, [N, K L, D].

        Args:
            latents: w [N, D], a latent code [N, B + 2K, D], or already expanded [N, K L, D].

        Raises:
            ValueError: another shape.
        """
        config = self.config
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
        """Render latent codes.

        Args:
            latents: as :meth:`expand` takes them.
            noise: "fixed" (the maps stored with the weights), "random", a torch.Generator to draw from, or a list
                of maps [1 or N, 1, h, w], one a 3x3 convolution of the renderer.
            visible: [N, K] of 0/1 keeps only some regions.
            coordinates: [N, K, s, s, 2] where each region's local generator is evaluated, -1..1 over the picture.
        """
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
