"""Codes of pictures by an encoder that looks several times (ReStyle, arXiv 2104.02699, Section 3).

    w_0 = mean,  x_0 = G(mean)
    w_{t+1} = w_t + E(picture, x_t),  x_{t+1} = G(w_{t+1})

Both pictures are pooled to the encoder's side.

Shape legend: N pictures, S side, R rows, D style width.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.encoder_files import LoadedEncoder
from semanticgan.errors import InputError
from semanticgan.latents import LatentCode
from semanticgan.model import Model

PASSES = 5
"""How often an encoder looks, as the paper's does."""


def pooled_to(images: Tensor, side: int) -> Tensor:
    """[N, C, S, S] -> [N, C, side, side]: averages where S is larger, bilinear where it is smaller."""
    if images.shape[-1] == side:
        return images
    if images.shape[-1] > side:
        return F.adaptive_avg_pool2d(images, side)
    return F.interpolate(images, size=(side, side), mode="bilinear", align_corners=False)


def one_pass(encoder: Callable[[Tensor], Tensor], picture: Tensor, code: Tensor, seen: Tensor) -> Tensor:
    """w + E(picture, x).

    Args:
        encoder: E.
        picture: [N, 3, s, s] in [-1, 1], s the encoder's side.
        code: w [N, R, D].
        seen: x [N, 3, S, S] = G(w).
    """
    return code + encoder(torch.cat([picture, pooled_to(seen, picture.shape[-1])], dim=1))


@torch.no_grad()
def encode(encoder: LoadedEncoder, model: Model, pictures: Tensor, passes: int = PASSES) -> LatentCode:
    """The codes of aligned pictures.

    Args:
        pictures: [N, 3, S, S] in [-1, 1], aligned as the model's.
        passes: how often the encoder looks, 1 or more.

    Raises:
        InputError: an encoder of another model.
    """
    require_encoder_of(encoder, model)
    generator = model.generator
    network = encoder.encoder.to(model.device)
    picture = pooled_to(pictures.to(generator.mean_latent), encoder.size)
    code = encoder.mean.to(picture).expand(len(picture), -1, -1)
    seen = generator(code[:1], noise="fixed").image.expand(len(picture), -1, -1, -1)
    for index in range(passes):
        code = one_pass(network, picture, code, seen)
        if index + 1 < passes:
            seen = generator(code, noise="fixed").image
    return LatentCode(code, model.rows)


def require_encoder_of(encoder: LoadedEncoder, model: Model) -> None:
    """Raises: InputError: an encoder of another model."""
    config, digest = encoder.encoder.config, encoder.model.get("digest", "")
    if digest and model.metadata.digest and digest != model.metadata.digest:
        raise InputError(
            f"the encoder belongs to the model {encoder.model.get('name', '')!r} with the digest {digest}; this model "
            f"has {model.metadata.digest}. Use that model, or train an encoder of this one (recipes encoder-*)."
        )
    if len(model.rows) != config.num_rows or model.config.style_dim != config.style_dim:
        raise InputError(
            f"the encoder finds codes of {config.num_rows} rows of {config.style_dim} numbers; the model has "
            f"{len(model.rows)} rows of {model.config.style_dim}. Use the model that it was trained for."
        )
