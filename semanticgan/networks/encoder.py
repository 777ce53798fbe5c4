"""The encoder of ReStyle over pSp: picture and reconstruction -> the change of the latent code.

A residual network with squeeze and excitation (IR-SE-50) makes a map of 1/16 of the side; one convolutional head per
row of the code shrinks it to a vector (Richardson et al. 2021, arXiv 2008.00951, Section 3; Alaluf et al. 2021,
arXiv 2104.02699, Section 3.3: every head reads the last map):

    x_0 = prelu(norm(w * [picture, reconstruction]))
    x_i = shortcut(x_{i-1}) + se(norm(w2 * prelu(w1 * norm(x_{i-1}))))       24 blocks, the first of a stage at stride 2
    delta_r = A_r f(... f(v_r * x_last))                                     row r, f(x) = max(x, 0.01 x), stride 2 each

ReStyle runs it several times (:mod:`semanticgan.inversion.encode`): w_{t+1} = w_t + delta(picture, G(w_t)).

Shape legend: N pictures, R rows, D style width, S side of the picture, C E channels, s = S / 16 side of the last map.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semanticgan.errors import InputError
from semanticgan.formats.fields import check, key
from semanticgan.networks.config import LARGEST_COUNT, LARGEST_WIDTH

NORMS = ("batch", "group")
HEAD_SLOPE = 0.01
_CHANNELS_A_GROUP = 8
_MOST_BLOCKS = 64


@dataclass(frozen=True)
class EncoderSizes:
    """Sizes of an encoder; the defaults are those of the released one."""

    stem: int = key(64, "channels of the first convolution.", ge=1, le=LARGEST_WIDTH)
    channels: list[int] = key([64, 128, 256, 512], "channels of each stage; a stage halves the side.")
    blocks: list[int] = key([3, 4, 14, 3], "residual blocks of each stage.")
    head_channels: int = key(512, "channels inside a head.", ge=1, le=LARGEST_WIDTH)
    head_convolutions: int = key(4, "convolutions of a head, each at stride 2.", ge=1, le=8)
    norm: str = key("batch", "normalisation: batch, or group, which does not mix pictures.", choices=NORMS)


@dataclass(frozen=True)
class EncoderConfig(EncoderSizes):
    """All sizes of an encoder.

    Raises:
        InputError: sizes that do not fit each other.
    """

    size: int = key(256, "S, the side of the pictures that it was made for.", ge=16, le=2**14)
    num_rows: int = key(28, "R, rows of the code.", ge=1, le=2 * LARGEST_COUNT)
    style_dim: int = key(512, "D, width of a row.", ge=1, le=LARGEST_WIDTH)

    def __post_init__(self) -> None:
        check(self, "encoder.")
        if len(self.channels) != len(self.blocks) or not self.channels:
            raise InputError(f"encoder.channels has {len(self.channels)} stages, encoder.blocks {len(self.blocks)}.")
        if min(self.channels) < 1 or max(self.channels) > LARGEST_WIDTH or not 0 < min(self.blocks) <= max(self.blocks):
            raise InputError("encoder.channels and encoder.blocks are whole numbers from 1 on.")
        if sum(self.blocks) > _MOST_BLOCKS:
            raise InputError(f"encoder.blocks has {sum(self.blocks)} blocks, at most {_MOST_BLOCKS} are allowed.")
        last = self.size >> len(self.channels)
        if not 1 <= last <= 2**self.head_convolutions:
            raise InputError(
                f"{self.head_convolutions} convolutions of a head do not shrink a map of {last} pixels to one. Give "
                f"encoder.head_convolutions={max(1, last.bit_length() - 1)}."
            )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able description, read back by :meth:`from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> EncoderConfig:
        return cls(**description)


class Encoder(nn.Module):
    """Picture and reconstruction [N, 6, S, S] in [-1, 1] -> change of the code [N, R, D].

    Args:
        config: its numbers.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = nn.Sequential(
            nn.Conv2d(6, config.stem, 3, padding=1, bias=False), _norm(config.norm, config.stem), nn.PReLU(config.stem)
        )
        blocks, before = [], config.stem
        for channels, count in zip(config.channels, config.blocks, strict=True):
            for index in range(count):
                blocks.append(ResidualBlock(before, channels, 2 if index == 0 else 1, config.norm))
                before = channels
        self.body = nn.Sequential(*blocks)
        self.heads = Heads(before, config)

    def forward(self, pair: Tensor) -> Tensor:
        return self.heads(self.body(self.stem(pair)))


class ResidualBlock(nn.Module):
    """y = shortcut(x) + se(norm(w2 * prelu(w1 * norm(x)))), [N, C, H, W] -> [N, E, H/stride, W/stride].

    The shortcut is every stride-th pixel where C = E, else norm(w * x) with a kernel of one pixel.

    Args:
        channels_in: C.
        channels_out: E.
        stride: of w2 and the shortcut.
        norm: one of :data:`NORMS`.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int, norm: str) -> None:
        super().__init__()
        self.stride = stride
        self.shortcut: nn.Sequential | None = None
        if channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), _norm(norm, channels_out)
            )
        self.residual = nn.Sequential(
            _norm(norm, channels_in),
            nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
            nn.PReLU(channels_out),
            nn.Conv2d(channels_out, channels_out, 3, stride, padding=1, bias=False),
            _norm(norm, channels_out),
            SqueezeExcitation(channels_out),
        )

    def forward(self, x: Tensor) -> Tensor:
        short = x[:, :, :: self.stride, :: self.stride] if self.shortcut is None else self.shortcut(x)
        y: Tensor = self.residual(x)
        return y + short


class SqueezeExcitation(nn.Module):
    """y = x sigmoid(B max(A mean(x), 0)), A to C/16 channels, B back to C (Hu et al. 2018, arXiv 1709.01507)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 16)
        self.squeeze, self.excite = nn.Linear(channels, inner, bias=False), nn.Linear(inner, channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3))))))
        return x * gate[:, :, None, None]


class Heads(nn.Module):
    """One head per row: strided convolutions until one pixel is left, then y = A x / sqrt(C) + b.

    The heads' weights are stacked, since all read the same map: the first layer is one convolution to R E channels, the
    others are grouped.

    Args:
        channels: C of the map.
        config: rows, widths and number of convolutions.
    """

    def __init__(self, channels: int, config: EncoderConfig) -> None:
        super().__init__()
        self.num_rows, inner, width = config.num_rows, config.head_channels, config.style_dim
        layers = [nn.Conv2d(channels, self.num_rows * inner, 3, 2, 1)]
        for _ in range(config.head_convolutions - 1):
            layers.append(nn.Conv2d(self.num_rows * inner, self.num_rows * inner, 3, 2, 1, groups=self.num_rows))
        self.layers = nn.ModuleList(layers)
        self.weight = nn.Parameter(torch.randn(self.num_rows, width, inner))
        self.bias = nn.Parameter(torch.zeros(self.num_rows, width))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = F.leaky_relu(layer(x), HEAD_SLOPE)
        if x.shape[-2:] != (1, 1):
            raise InputError(
                f"the picture is too large for this encoder: a map of {list(x.shape[-2:])} pixels is left."
            )
        vectors = x.flatten(1).unflatten(1, (self.num_rows, -1))  # [N, R, E]
        return torch.einsum("nre,rde->nrd", vectors, self.weight / math.sqrt(vectors.shape[-1])) + self.bias


def _norm(kind: str, channels: int) -> nn.Module:
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(max(1, channels // _CHANNELS_A_GROUP), channels)
