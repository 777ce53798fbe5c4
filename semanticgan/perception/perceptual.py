"""Perceptual distance of two pictures: LPIPS (Zhang et al. 2018, arXiv 1801.03924), Lite0, or a stand-in.

Of maps F of one picture and G of the other, layer by layer l, pixel by pixel p, channel by channel c:

    d = sum over l of  mean over p of  sum over c of  w_lc (F_lpc / |F_lp| - G_lpc / |G_lp|)^2

LPIPS has learnt w. Lite0 has w = 1/5 for each of its five maps, so that d lies in 0..2; stand-ins have w = 1.

Shape legend: N pictures, S their side, c channels, h w sides of a map.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from semanticgan.errors import InputError, unknown_name
from semanticgan.perception import lite0
from semanticgan.perception.extractors import MapExtractor, open_extractor
from semanticgan.perception.weights import ALEX, VGG
from semanticgan.torchvision_import import import_torchvision

DISTANCES = ("lpips-vgg", "lpips-alex", "lite0", "lite0:SIDE", "random", "attributes", "discriminator:PATH")
"""What :func:`open_distance` takes, and attributes:PATH. Those of LPIPS compare with the literature, no others do."""

_TRUNKS = {"vgg": VGG, "alex": ALEX}
_SMALLEST_SIDE = 32  # below it the deepest maps vanish
_STAND_INS = "Stand-ins that need no download: the distances attributes, random and discriminator:RUN_OR_MODEL."


class Distance(ABC):
    """How different two pictures look.

    Attributes:
        name: what it is.
        stand_in: whether its numbers cannot be compared with the literature.
    """

    name: str
    stand_in: bool

    @property
    def label(self) -> str:
        """The name as results show it."""
        return f"{self.name} (stand-in)" if self.stand_in else self.name

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """Distances [N] of float32 pictures [N, 3, S, S] in [-1, 1] RGB, 0 for equal ones; gradients flow.

        Raises:
            InputError: pictures of different or unusable shapes.
        """
        return torch.stack([layer.mean((1, 2, 3)) for layer in self._checked(a, b)]).sum(0)

    def map(self, a: Tensor, b: Tensor) -> Tensor:
        """The same at every pixel, [N, S, S]: each layer's map enlarged bilinearly, then their sum."""
        size = a.shape[-2:]
        enlarged = [
            functional.interpolate(layer, size=size, mode="bilinear", align_corners=False)
            for layer in self._checked(a, b)
        ]
        return torch.stack(enlarged).sum(0)[:, 0]

    def _checked(self, a: Tensor, b: Tensor) -> list[Tensor]:
        if a.shape != b.shape or a.ndim != 4 or a.shape[1] != 3 or not a.is_floating_point():
            raise InputError(
                f"a perceptual distance is of two floating tensors [N, 3, S, S], got {list(a.shape)} and "
                f"{list(b.shape)}."
            )
        return self.layers(a, b)

    @abstractmethod
    def layers(self, a: Tensor, b: Tensor) -> list[Tensor]:
        """A map [N, 1, h, w] a layer: squared differences of unit feature vectors, weighted, summed over channels."""


class Lpips(Distance):
    """LPIPS 0.1 on VGG-16 or AlexNet, by the authors' package.

    Args:
        net: "vgg" or "alex".
        weights: the trunk's file, if not in PyTorch's cache.
        device: where to compute.

    Raises:
        InputError: the weights are missing or others.
    """

    stand_in = False

    def __init__(self, net: str, weights: str | Path | None = None, device: torch.device | str = "cpu") -> None:
        self.name = f"lpips-{net}"
        path = _TRUNKS[net].find(weights, _STAND_INS)
        self._lpips, self._device = _build_lpips(net), torch.device(device)
        trunk = torch.load(path, map_location="cpu", weights_only=True)
        # slice2.4.weight of the package is features.4.weight of torchvision.
        state = {name: trunk[f"features.{name.partition('.')[2]}"] for name in self._lpips.net.state_dict()}
        self._lpips.net.load_state_dict(state)
        self._lpips.eval().requires_grad_(False).to(device)

    def layers(self, a: Tensor, b: Tensor) -> list[Tensor]:
        if a.shape[-1] < _SMALLEST_SIDE or a.shape[-2] < _SMALLEST_SIDE:
            raise InputError(f"LPIPS takes pictures of at least {_SMALLEST_SIDE} pixels, got {list(a.shape)}.")
        # The package itself gives either the means of these maps or the maps enlarged, not the maps.
        network = self._lpips
        first, second = (network.net(network.scaling_layer(images.to(self._device))) for images in (a, b))
        return [
            weights((_unit(one) - _unit(other)).square())
            for weights, one, other in zip(network.lins, first, second, strict=True)
        ]


class MapDistance(Distance):
    """A stand-in: the form of LPIPS on a network's maps, every channel weighted alike."""

    stand_in = True

    def __init__(self, network: MapExtractor) -> None:
        self.name = network.name
        self._maps = network.maps

    def layers(self, a: Tensor, b: Tensor) -> list[Tensor]:
        both = zip(self._maps(a), self._maps(b), strict=True)
        return [(_unit(one) - _unit(other)).square().sum(1, keepdim=True) for one, other in both]


class Lite0Distance(MapDistance):
    """The form of LPIPS on EfficientNet-Lite0, every channel weighted alike: the Lite0 distance, 0..2.

    Args:
        network: the network; its ``side`` says to which side smaller pictures are enlarged.
    """

    def __init__(self, network: lite0.Lite0) -> None:
        self.name, self._maps = lite0.NAME, network.maps

    def layers(self, a: Tensor, b: Tensor) -> list[Tensor]:
        found = super().layers(a, b)
        return [layer / len(found) for layer in found]


def open_distance(name: str, weights: str | Path | None = None, device: torch.device | str = "cpu") -> Distance:
    """The perceptual distance of that name, one of :data:`DISTANCES`.

    "lite0:128" enlarges smaller pictures to 128 pixels, "lite0:0" none, "lite0" to 224: less is faster.

    Raises:
        InputError: an unknown name, or weights that are missing, others, or not wanted.
    """
    kind, _, net = name.partition("-")
    if kind == "lpips" and net in _TRUNKS:
        return Lpips(net, weights, device)
    kind, _, side = name.partition(":")
    if kind == lite0.NAME and weights is None and (side.isdecimal() or name == kind):
        return Lite0Distance(lite0.open_lite0(device, int(side[:5] or lite0.SIDE)))
    if weights is not None:
        raise InputError(f"a file of weights was given for the distance {name!r}. Only LPIPS reads one.")
    if name in ("random", "attributes") or name.startswith(("attributes:", "discriminator:")):
        extractor = open_extractor(name, device=device)
        assert isinstance(extractor, MapExtractor)
        return MapDistance(extractor)
    raise unknown_name("perceptual distance", name, DISTANCES)


def _unit(feature_map: Tensor) -> Tensor:
    """Each pixel's feature vector at length 1; a vector of zeros stays."""
    return feature_map / (feature_map.norm(dim=1, keepdim=True) + 1e-10)


def _build_lpips(net: str) -> Any:
    """LPIPS with the authors' weights of its layers, on a trunk that is still random."""
    import_torchvision()
    import lpips

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="(The parameter|Arguments other than a weight enum)")
        return lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
