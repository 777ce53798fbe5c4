"""What all generators share: z is mapped to w, and latent codes of rows are rendered.

Shape legend: N images, R rows of a latent code, D style width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from semanticgan.errors import InputError
from semanticgan.networks.config import LatentConfig
from semanticgan.networks.layers import widened
from semanticgan.networks.noise import Noise
from semanticgan.seeds import stream
from semanticgan.wrong_arguments import require_dense, require_type


class LatentGenerator(nn.Module, ABC):
    """w = map(z); a picture of w or of a latent code.

    Attributes:
        config: its sizes.
        mean_latent: w-bar, the mean of w, [D] or one per row [R, D]; truncation moves towards it.
        noise_sides: the side of each noise map, coarse to fine; empty where there is no noise.
    """

    config: LatentConfig
    noise_sides: list[int]
    mean_latent: Tensor

    @property
    def picture_size(self) -> int:
        """S, the side of the pictures."""
        return self.config.size

    @property
    def latent_dim(self) -> int:
        """The width of z, as a rule that of w."""
        return self.config.style_dim

    @abstractmethod
    def mapped(self, z: Tensor) -> Tensor:
        """z [N, D] -> w [N, D]."""

    @property
    @abstractmethod
    def num_choices(self) -> int:
        """Random words that decide how two codes of one image are mixed; see :meth:`second_rows`."""

    @abstractmethod
    def second_rows(self, words: Tensor, level: float | None = None) -> Tensor:
        """Which rows of a mixed code come from the second code (style mixing in training), bool [N, R].

        Args:
            words: random whole numbers [N, num_choices], 0 to 2^32 - 1.
            level: of a network that grows; None is its configuration's.
        """

    @abstractmethod
    def side_of(self, name: str) -> int | None:
        """The resolution whose maps a tensor of the state dict makes; None where it belongs to none."""

    @abstractmethod
    def noise_maps(self, noise: Noise, like: Tensor) -> list[Tensor]:
        """One map a convolution, [1 or N, 1, s, s]: stored maps, fresh ones, or the given list; ``like`` [N, ...]."""

    @abstractmethod
    def expand(self, latents: Tensor) -> Tensor:
        """Latents in any of their forms -> one code for each place that reads one."""

    def map(self, z: Tensor) -> Tensor:
        """z [N, D], standard normal -> w [N, D], which ``forward`` takes.

        Raises:
            InputError: another shape.
        """
        require_type("z", z, Tensor, f"a torch.Tensor [N, {self.latent_dim}]")
        require_dense("z", z, self.mean_latent.is_meta)
        if (
            z.ndim != 2
            or z.shape[0] == 0
            or z.shape[1] != self.latent_dim
            or not z.is_floating_point()
            or z.dtype.itemsize < 2
        ):
            raise InputError(f"z is floating numbers [N, {self.latent_dim}], got {z.dtype} {list(z.shape)}.")
        with torch.autocast(z.device.type, enabled=False):
            return self.mapped(widened(z))

    @torch.no_grad()
    def estimate_mean_latent(self, num_samples: int = 4096, seed: int = 0) -> Tensor:
        """Mean of w over ``num_samples`` draws of z; also stored in ``mean_latent``."""
        z = torch.randn(num_samples, self.latent_dim, generator=stream(seed))
        self.mean_latent.copy_(self.map(z.to(self.mean_latent.device)).mean(0).expand_as(self.mean_latent))
        return self.mean_latent

    def require_latents(self, latents: Tensor) -> None:
        """Raises: InputError: no floating numbers, or no image."""
        require_type("latents", latents, Tensor, "a torch.Tensor, such as code.tensor")
        require_dense("latents", latents, self.mean_latent.is_meta)
        fits = latents.is_floating_point() and 2 <= latents.dtype.itemsize <= self.mean_latent.dtype.itemsize
        if not fits or not latents.ndim or latents.shape[0] == 0:
            raise InputError(
                f"latents are floating numbers of at least 16 bits, such as {self.mean_latent.dtype}, of at least one "
                f"image, got {latents.dtype} {list(latents.shape)}."
            )
