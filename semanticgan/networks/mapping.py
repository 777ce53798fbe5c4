"""Mapping network z -> w (Section 3 of arXiv 2112.02236; Karras et al. 2018, arXiv 1812.04948).

Shape legend: N images, D style width, L layers.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from semanticgan.networks.layers import EqualisedLinear, pixel_norm


class Mapping(nn.Module):
    """z ~ N(0, I) [N, D] -> w [N, D]: x_0 = z / sqrt(mean(z^2) + eps), x_l = sqrt(2) lrelu(A_l x_(l-1) + b_l), w = x_L.

    (arXiv 1812.04948, Figure 1; the learning rate of A and b is multiplied by 0.01, in StyleALAE by 0.1.)

    Args:
        bias_gain: of b_l; None is sqrt(2). It is 1 in StyleGAN and StyleALAE.
        latent_dim: width of z; None is D.
        channels: width between the layers; None is D.
    """

    def __init__(
        self,
        style_dim: int,
        num_layers: int,
        learning_rate_multiplier: float = 0.01,
        bias_gain: float | None = None,
        latent_dim: int | None = None,
        channels: int | None = None,
    ) -> None:
        super().__init__()
        widths = [latent_dim or style_dim, *[channels or style_dim] * (num_layers - 1), style_dim][: num_layers + 1]
        self.layers = nn.ModuleList(
            EqualisedLinear(width_in, width_out, learning_rate_multiplier, activated=True, bias_gain=bias_gain)
            for width_in, width_out in pairwise(widths)
        )

    def forward(self, z: Tensor) -> Tensor:
        w = pixel_norm(z)
        for layer in self.layers:
            w = layer(w)
        return w
