"""Extractors: networks that turn a picture into the features whose distribution is compared.

Only Inception's numbers can be compared with the literature. The others compare models with each other: Lite0, whose
weights a package brings, and stand-ins that need no download. Every result says so.

Shape legend: N pictures, S their side, F width of the features, C classes, c channels, h w sides of a map.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

from semanticgan.errors import InputError, unknown_name
from semanticgan.networks.discriminator import Discriminator
from semanticgan.perception import lite0
from semanticgan.perception.classifier import DEFAULT, load_classifier
from semanticgan.perception.fidelity import import_fidelity
from semanticgan.perception.pictures import read_alone, require_pictures
from semanticgan.perception.weights import INCEPTION
from semanticgan.runs.weights import read_weights

EXTRACTORS = ("inception", "lite0", "attributes", "random", "discriminator:PATH")
"""What :func:`open_extractor` takes; PATH is a run, one of its step-* folders, or a model with a discriminator.
"attributes:PATH" is another classifier than that of the package."""

_BATCH = 32
_LITE0_BATCH = 8  # of 224 pixels

STAND_INS = "Stand-ins that need no download: the extractors attributes, random and discriminator:RUN_OR_MODEL."


@dataclass(frozen=True)
class Features:
    """What an extractor puts out.

    Attributes:
        values: float32 [N, F].
        logits: float32 [N, C] of classes before the softmax, or None of an extractor that knows no classes.
    """

    values: Tensor
    logits: Tensor | None = None


class Extractor(ABC):
    """Pictures -> features.

    Attributes:
        name: what it is.
        stand_in: whether its numbers cannot be compared with the literature.
        width: F.
        digest: 16 hexadecimal digits over its weights.
        scores: metric -> what its score is called with these features, where it must not bear the metric's own name.
    """

    name: str
    stand_in: bool
    width: int
    digest: str
    scores: Mapping[str, str] = MappingProxyType({})

    @property
    def label(self) -> str:
        """The name as results show it."""
        return f"{self.name} (stand-in)" if self.stand_in else self.name

    @property
    def key(self) -> str:
        """Name and weights: equal keys mean equal features."""
        return f"{self.name}-{self.digest}"

    @torch.no_grad()
    def __call__(self, pictures: Tensor) -> Features:
        """Features of uint8 pictures [N, 3, S, S] RGB, on any device.

        Raises:
            InputError: another type or shape, or a side that does not fit.
        """
        require_pictures(pictures, "an extractor")
        return self.extract(pictures)

    @abstractmethod
    def extract(self, pictures: Tensor) -> Features:
        """As ``__call__``, of pictures that are known to be pictures."""


class InceptionExtractor(Extractor):
    """Inception-v3 of 2015, as FID and the rest are defined (2048 features, 1008 logits), by torch-fidelity.

    Raises:
        InputError: torch-fidelity is not installed, or the weights are missing or others.
    """

    name = "inception"
    stand_in = False
    width = 2048

    def __init__(self, weights: str | Path | None = None, device: torch.device | str = "cpu") -> None:
        path = INCEPTION.find(weights, STAND_INS)
        module = import_fidelity("feature_extractor_inceptionv3")
        # Read by pickle there: what the file holds is known by its hash.
        self._network = module.FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(path)
        ).to(device)
        self._device = torch.device(device)
        self.digest = INCEPTION.sha256[:16]

    def extract(self, pictures: Tensor) -> Features:
        values, logits = self._network(pictures.to(self._device))
        return Features(values, logits)


class MapExtractor(Extractor):
    """A stand-in whose features are the means over the pixels of a network's maps, shallow ones first."""

    stand_in = True

    def __init__(self, layers: nn.ModuleList, size: int | None, device: torch.device | str) -> None:
        """Args: layers: each takes what the one before put out; size: the side they need, None if at least 16."""
        self._layers = layers.eval().requires_grad_(False).to(device)
        self._device, self._size = torch.device(device), size
        self.digest = _digest(layers.state_dict().values())

    def extract(self, pictures: Tensor) -> Features:
        """The features of a picture do not depend on the others."""

        def means(images: Tensor) -> Tensor:
            return torch.cat([feature_map.mean((2, 3)) for feature_map in self.maps(images)], dim=1)

        return Features(read_alone(pictures, means, _BATCH, self._device))

    def maps(self, images: Tensor) -> list[Tensor]:
        """The maps [N, c, h, w] of float32 images [N, 3, S, S] in [-1, 1], through which gradients flow.

        Raises:
            InputError: a side that does not fit the network.
        """
        side = images.shape[-1]
        if side != self._size if self._size is not None else side < 16:
            needed = "at least 16" if self._size is None else str(self._size)
            raise InputError(
                f"the extractor {self.name!r} takes pictures of {needed} pixels, got {side}. Use another extractor."
            )
        x, maps = images.to(self._device), []
        for layer in self._layers:
            x = layer(x)
            maps.append(x)
        return maps


class RandomExtractor(MapExtractor):
    """Four convolutions with fixed random weights: sees colours, edges and textures, knows nothing of faces."""

    name = "random"
    channels = (3, 32, 64, 128, 256)
    width = sum(channels[1:])

    def __init__(self, device: torch.device | str = "cpu") -> None:
        random = torch.Generator().manual_seed(0)
        layers = nn.ModuleList()
        for channels_in, channels_out in zip(self.channels, self.channels[1:], strict=False):
            layers.append(_RandomConv(channels_in, channels_out, random))
        super().__init__(layers, None, device)


class DiscriminatorExtractor(MapExtractor):
    """The picture branch of a discriminator, from its first convolution to its last block.

    Args:
        discriminator: a trained one.
        device: where to compute.
    """

    name = "discriminator"

    def __init__(self, discriminator: Discriminator, device: torch.device | str = "cpu") -> None:
        branch, config = discriminator.image_branch, discriminator.config
        super().__init__(nn.ModuleList([branch.stem, *branch.blocks]), config.size, device)
        self.width = sum(width for side, width in config.channels.items() if 4 <= side <= config.size)


class AttributesExtractor(MapExtractor):
    """What a classifier of portraits' attributes reads them from: sees what portraits as drawn here differ in.

    Args:
        path: a classifier's file or name; None for the bundled one.
        device: where to compute.

    Raises:
        InputError: the file is missing, damaged or no classifier.
    """

    name = "attributes"

    def __init__(self, path: str | Path | None = None, device: torch.device | str = "cpu") -> None:
        self._classifier = load_classifier(path or DEFAULT, device)
        super().__init__(self._classifier.network.stages, self._classifier.size, device)
        self.width = self._classifier.config.width

    def extract(self, pictures: Tensor) -> Features:
        """The means of the deepest maps alone, of pictures of any side."""
        return Features(self._classifier.features(pictures))

    def maps(self, images: Tensor) -> list[Tensor]:
        """As :meth:`MapExtractor.maps`, of images of any side."""
        return super().maps(self._classifier.resized(images))


class Lite0Extractor(Extractor):
    """EfficientNet-Lite0's 1,280 features of pictures enlarged to 224 pixels.

    Its scores are Lite0 distances, never FID or KID: they have other units, and fine noise counts far above what the
    eye sees of it.

    Args:
        device: where to compute.

    Raises:
        InputError: timm or the package of the weights is not installed.
    """

    name = lite0.NAME
    stand_in = True
    width = lite0.WIDTH
    scores = MappingProxyType({"fid": "Lite0 Frechet distance", "kid": "Lite0 kernel distance"})

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self._lite0 = lite0.open_lite0(device)
        self.digest = lite0.SHA256[:16]

    def extract(self, pictures: Tensor) -> Features:
        return Features(read_alone(pictures, self._lite0.pooled, _LITE0_BATCH, self._lite0.device))


class _RandomConv(nn.Module):
    """A 3x3 convolution of step 2, whose weights keep the second moment (He et al. 2015), then a leaky ReLU."""

    weight: Tensor

    def __init__(self, channels_in: int, channels_out: int, random: torch.Generator) -> None:
        super().__init__()
        weight = torch.randn(channels_out, channels_in, 3, 3, generator=random)
        self.register_buffer("weight", weight * (2.0 / (1.04 * 9 * channels_in)) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.pad(x, (1, 1, 1, 1), mode="replicate")  # zeros would be a frame that no picture has
        return functional.leaky_relu(functional.conv2d(x, self.weight, stride=2), 0.2)


def open_extractor(name: str, weights: str | Path | None = None, device: torch.device | str = "cpu") -> Extractor:
    """The extractor of that name, one of :data:`EXTRACTORS`.

    Args:
        name: "inception", "lite0", "random", "attributes", "attributes:PATH" or "discriminator:PATH".
        weights: Inception's file, if not in PyTorch's cache.
        device: where to compute.

    Raises:
        InputError: an unknown name, or weights that are missing, others, or not wanted.
    """
    kind, _, path = name.partition(":")
    if weights is not None and kind != "inception":
        raise InputError(f"a file of weights was given for the extractor {name!r}. Only inception reads one.")
    if name == "inception":
        return InceptionExtractor(weights, device)
    if name == lite0.NAME:
        return Lite0Extractor(device)
    if name == "random":
        return RandomExtractor(device)
    if name == "attributes" or (kind == "attributes" and path):
        return AttributesExtractor(path or None, device)
    if kind == "discriminator" and path:
        return DiscriminatorExtractor(_read_discriminator(path), device)
    raise unknown_name("extractor", name, EXTRACTORS)


def _read_discriminator(path: str) -> Discriminator:
    """That of a run's folder (its newest state), of one of its states, or of the file or name of a model."""
    discriminator = read_weights(path, "discriminator").discriminator
    if discriminator is None:
        raise InputError(
            f"{path!r} says of no discriminator. Give discriminator:RUN_FOLDER, a step-* folder in the folder of its "
            "run, or a model that was exported with its discriminator."
        )
    if not isinstance(discriminator, Discriminator):
        raise InputError(f"the discriminator of {path!r} is of a layered model. Give one of a model of regions.")
    return discriminator


def _digest(tensors: Iterable[Tensor]) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
