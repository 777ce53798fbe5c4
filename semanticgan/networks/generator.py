"""The generator of Figure 2 of arXiv 2112.02236: mapping, local generators, fusion, renderer in a row.

Shape legend: N images, K regions, D style width, B base rows, L layers of a local generator, S side of the
picture, s side of the coarse grid.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.networks.config import GeneratorConfig
from semanticgan.networks.fusion import Fusion
from semanticgan.networks.latent_generator import LatentGenerator
from semanticgan.networks.local import LocalGenerators, LocalOutput
from semanticgan.networks.mapping import Mapping
from semanticgan.networks.noise import Noise
from semanticgan.networks.partial_rendering import PartialRenderer
from semanticgan.networks.renderer import Renderer, RendererOutput
from semanticgan.rendering import Rendering
from semanticgan.wrong_arguments import require_type


class Generator(LatentGenerator):
    """w -> latent code -> K local generators -> fusion -> renderer; :meth:`map` makes w of z.

    w = map(z), (h_k, d_k) = g_k(codes of region k), m = softmax_k(d_k), f = sum_k m~_k f_k(h_k), picture and
    segmentation = render(f, m) (arXiv 2112.02236, Section 3).

    ``generator(latents)`` takes w [N, D] or codes, never z: ``generator(generator.map(z))``. The buffer ``mean_latent``
    [D] is w-bar, the mean of w, which truncation moves towards.
    """

    config: GeneratorConfig
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
            num_frequencies=config.fourier_frequencies,
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
            config.label_size,
        )
        self.noise_sides = self.renderer.noise_sides
        self.register_buffer("mean_latent", torch.zeros(config.style_dim))
        self.register_buffer("_source_row", _source_rows(config), persistent=False)

    @property
    def num_choices(self) -> int:
        return self.config.num_regions

    def second_rows(self, words: Tensor, level: float | None = None) -> Tensor:
        """Each region takes nothing, its texture, or both rows from the second code, each with probability 1/3."""
        return mixing_rows(words % 3, self.config.num_base_layers)

    def side_of(self, name: str) -> int | None:
        """As of its renderer, whose blocks have two noise maps each."""
        room, _, rest = name.partition(".")
        if room != "renderer":
            return None
        if rest.startswith("label_network."):  # it reads the maps of this block
            return self.renderer.label_size
        kind, _, number = rest.replace(".", "_").partition("_")
        index = int(number.partition("_")[0])
        return self.noise_sides[index if kind == "noise" else 2 * index]

    def noise_maps(self, noise: Noise, like: Tensor) -> list[Tensor]:
        return self.renderer.noise_maps(noise, like)

    def mapped(self, z: Tensor) -> Tensor:
        return self.mapping(z)

    def expand(self, latents: Tensor) -> Tensor:
        """Latents in any of their forms -> one code a region and layer, [N, K L, D].

        Args:
            latents: w [N, D], a latent code [N, B + 2K, D], or already expanded [N, K L, D].

        Raises:
            InputError: another shape or type, or no image.
        """
        config = self.config
        self.require_latents(latents)
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

    def region_codes(self, latents: Tensor) -> Tensor:
        """Latents as :meth:`expand` takes them -> [N, K, L, D], what the local generators read."""
        return rearrange(self.expand(latents), "n (k l) d -> n k l d", k=self.config.num_regions)

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

    def compose(
        self,
        local: LocalOutput,
        noise: Noise = "fixed",
        visible: Tensor | None = None,
        partial: PartialRenderer | None = None,
    ) -> Rendering:
        """Fuse and render what the local generators put out.

        Args:
            noise: as of :meth:`forward`.
            visible: as of :meth:`forward`.
            partial: renders in place of the renderer what changed since its last call.
        """
        feature, mask = self.fusion(local, visible)
        maps = self.renderer.noise_maps(noise, like=feature)
        render: Callable[..., RendererOutput] = self.renderer if partial is None else partial
        image, segmentation = render(feature, mask, maps)
        depth = rearrange(local.depth, "n k (h w) -> n k h w", h=self.config.coarse_size)
        return Rendering(image, segmentation, 2.0 * mask - 1.0, depth)


def mixing_rows(choice: Tensor, num_base_layers: int) -> Tensor:
    """Which rows of a mixed code come from the second code, bool [N, B + 2K].

    Args:
        choice: [N, K] of 0 (both rows of the region from the first), 1 (its texture from the second) or 2 (both).
        num_base_layers: B; base rows are always the first code's.
    """
    rows = torch.stack([choice == 2, choice >= 1], dim=-1).flatten(1)
    return torch.cat([rows.new_zeros(len(rows), num_base_layers), rows], dim=1)


def _require_last_axes(name: str, value: Any, shape: tuple[int, ...]) -> None:
    """Compare all axes but the first, of images."""
    if value is None:
        return
    axes = ", ".join(map(str, shape))
    require_type(name, value, Tensor, f"a torch.Tensor [N, {axes}]")
    if value.ndim != len(shape) + 1 or tuple(value.shape[1:]) != shape:
        raise InputError(f"{name} has the shape [N, {axes}] here, got {list(value.shape)}.")


def _source_rows(config: GeneratorConfig) -> Tensor:
    """Row (``semanticgan/rows.py``) that each of the K L expanded rows copies (Section 3 of arXiv 2112.02236)."""
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
