"""Pictures encoded and reconstructed in one pass, by a model whose generator holds an encoder (StyleALAE).

Shape legend: N pictures, D style width, S side of the picture.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.networks.latent_generator import LatentGenerator
from semanticgan.rendering import Rendering, is_finite
from semanticgan.wrong_arguments import require_type, whole_number


class Autoencoding:
    """What :class:`semanticgan.model.Model` does with its encoder, where it has one."""

    generator: LatentGenerator

    @abstractmethod
    def render(self, *args: Any, **options: Any) -> Rendering:
        """Pictures of codes."""

    @property
    def has_encoder(self) -> bool:
        """Whether the generator finds w of a picture in one pass. Other models have an encoder in a file of its own."""
        return hasattr(self.generator, "encode")

    def require_encoder(self) -> None:
        """Raises: InputError: the generator holds no encoder."""
        if not self.has_encoder:
            raise InputError(
                "this model has no encoder of its own; models of the method alae have one. Train one "
                "(semanticgan train alae-64), or find the code by inversion (semanticgan invert)."
            )

    def encode(self, image: Tensor, *, batch_size: int = 4, gradients: bool = False) -> Tensor:
        """w of pictures, in one pass. ``model.code(w)`` is the latent code.

        Args:
            image: floating numbers [N, 3, S, S], about -1 to 1.
            batch_size: pictures at a time; bounds the memory.
            gradients: keep the graph, so that a loss on w has gradients with respect to the pictures.

        Returns:
            [N, D] on the model's device, in the type of its parameters.

        Raises:
            InputError: a model without an encoder, pictures of another shape or type, or numbers that are not finite.
        """
        self.require_encoder()
        batch_size = whole_number("batch_size", batch_size, 1)
        require_type("image", image, Tensor, "a torch.Tensor, such as model.render(code).image")
        if image.is_floating_point():  # other numbers are refused below, as is another shape
            image = image.to(self.generator.mean_latent)
            if not is_finite(image):
                raise InputError("the pictures hold numbers that are not finite. Give numbers about -1 to 1.")
        encoder: Any = self.generator
        with torch.set_grad_enabled(gradients):
            parts = image.split(batch_size) if image.ndim else [image]
            return torch.cat([encoder.encode(part) for part in parts])

    def reconstruct(self, image: Tensor, *, batch_size: int = 4, gradients: bool = False) -> Rendering:
        """What the model makes of pictures: the rendering of their w. Arguments as of :meth:`encode`.

        Raises:
            InputError: as :meth:`encode`.
        """
        w = self.encode(image, batch_size=batch_size, gradients=gradients)
        return self.render(w, batch_size=batch_size, gradients=gradients)
