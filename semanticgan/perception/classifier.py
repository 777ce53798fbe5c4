"""What a face picture shows, told by name: a small convolutional network with one linear head.

A picture passes four stages, each of two 3x3 convolutions with batch normalisation (Ioffe and Szegedy 2015, arXiv
1502.03167), the second of which halves the side, so that small things are seen at the full one first. The means of the
last maps are its features, and one linear layer reads every attribute from them. Beside telling attributes it is a
perceptual stand-in (:class:`semanticgan.perception.extractors.AttributesExtractor`): it has learnt to look at what
portraits differ in.

Shape legend: N pictures, S side of the classifier, F width of the features, O outputs, B binary attributes, V values
of a category, M numbers, C channels, H W a map's side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from semanticgan.errors import InputError, unknown_name
from semanticgan.perception.files import PictureReader, load_network
from semanticgan.perception.pictures import read_alone, require_pictures, resized, two_convolutions

CLASSIFIER_SIZES = (16, 32, 64, 128, 256)
DEFAULT = "attributes-64"
"""The classifier that :func:`load_classifier` opens, of portraits as this package draws them."""

_CHANNELS = (16, 40, 80, 136)  # of the stages, the smallest map last
_BATCH = 32


@dataclass(frozen=True)
class Number:
    """A number that a picture shows.

    Attributes:
        name: as in the record.
        mean: over the pictures that were learnt from, in the record's unit.
        deviation: standard deviation over them.
    """

    name: str
    mean: float = 0.0
    deviation: float = 1.0


@dataclass(frozen=True)
class ClassifierConfig:
    """What a classifier tells, and its numbers.

    Attributes:
        size: S, the side of the pictures that it reads, one of :data:`CLASSIFIER_SIZES`.
        binary: names of what is there or not.
        categories: name -> the values of which each picture has one.
        numbers: what is measured.
        channels: C of each stage, each of half the side of the one before; the last is F.

    Raises:
        InputError: a size out of range, stages that do not fit it, nothing to tell, or a name that comes twice.
    """

    size: int
    binary: tuple[str, ...] = ()
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    numbers: tuple[Number, ...] = ()
    channels: tuple[int, ...] = _CHANNELS

    def __post_init__(self) -> None:
        if self.size not in CLASSIFIER_SIZES:
            allowed = ", ".join(map(str, CLASSIFIER_SIZES))
            raise InputError(f"a classifier of {self.size} pixels was asked for. Give one of {allowed}.")
        if not self.channels or self.size < 2 ** len(self.channels) or min(self.channels) < 1:
            raise InputError(
                f"{len(self.channels)} stages of {list(self.channels)} channels do not fit {self.size} pixels. "
                "Give fewer stages."
            )
        categories = {name: tuple(values) for name, values in self.categories.items()}
        object.__setattr__(self, "categories", categories)
        for names in (self.binary, *categories.values(), [number.name for number in self.numbers]):
            if len(set(names)) < len(names):
                raise InputError(f"a classifier tells each attribute once, got {', '.join(names)}. Name each once.")
        if self.num_outputs < 1 or any(len(values) < 2 for values in categories.values()):
            raise InputError(
                "a classifier needs something to tell. Give an attribute, and two or more values of a category."
            )
        if any(not number.deviation > 0 for number in self.numbers):
            raise InputError("a number that is always the same cannot be told. Leave it out.")

    @property
    def width(self) -> int:
        """F."""
        return self.channels[-1]

    @property
    def outputs(self) -> tuple[int, ...]:
        """Numbers of outputs in their order: B, V of each category, M."""
        return (len(self.binary), *(len(values) for values in self.categories.values()), len(self.numbers))

    @property
    def num_outputs(self) -> int:
        """O."""
        return sum(self.outputs)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able description, read back by :meth:`from_dict`."""
        return {
            "size": self.size,
            "binary": list(self.binary),
            "categories": {name: list(values) for name, values in self.categories.items()},
            "numbers": [dict(vars(number)) for number in self.numbers],
            "channels": list(self.channels),
        }

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> ClassifierConfig:
        return cls(
            int(description["size"]),
            tuple(map(str, description["binary"])),
            {str(name): tuple(map(str, values)) for name, values in dict(description["categories"]).items()},
            tuple(
                Number(str(each["name"]), float(each["mean"]), float(each["deviation"]))
                for each in description["numbers"]
            ),
            tuple(map(int, description["channels"])),
        )


@dataclass(frozen=True)
class Logits:
    """What the network puts out.

    Attributes:
        binary: [N, B], above 0 where the attribute is there.
        categories: [N, V] each, in the order of the config.
        numbers: [N, M] in standard deviations from their means.
    """

    binary: Tensor
    categories: tuple[Tensor, ...]
    numbers: Tensor


@dataclass(frozen=True)
class Prediction:
    """What pictures show, by name, on the CPU.

    Attributes:
        binary: bool [N] of each attribute.
        categories: int64 [N] of each, indices into its values.
        numbers: float32 [N] of each, in the record's unit.
    """

    binary: Mapping[str, Tensor]
    categories: Mapping[str, Tensor]
    numbers: Mapping[str, Tensor]


class ClassifierNetwork(nn.Module):
    """Picture [N, 3, S, S] in [-1, 1] -> what it shows."""

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = config
        self.stages = nn.ModuleList(
            two_convolutions(before, here, stride=2)
            for before, here in zip((3, *config.channels[:-1]), config.channels, strict=True)
        )
        self.head = nn.Linear(config.width, config.num_outputs)

    def forward(self, image: Tensor) -> Logits:
        return self.read(self.maps(image)[-1].mean((2, 3)))

    def maps(self, image: Tensor) -> list[Tensor]:
        """The maps [N, C, H, W] after each stage, the largest first."""
        x = image
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def read(self, features: Tensor) -> Logits:
        """What features [N, F] say."""
        binary, *categories, numbers = self.head(features).split(self.config.outputs, dim=1)
        return Logits(binary, tuple(categories), numbers)


class AttributeClassifier(PictureReader[ClassifierNetwork]):
    """What tells the attributes of aligned face pictures."""

    kind = "classifier"

    @property
    def config(self) -> ClassifierConfig:
        return self.network.config

    @property
    def size(self) -> int:
        return self.config.size

    def metadata(self) -> dict[str, Any]:
        return {"config": self.config.to_dict()}

    def description(self) -> str:
        return f"a classifier of pictures of {self.size} pixels"

    @torch.no_grad()
    def features(self, pictures: Tensor) -> Tensor:
        """The means of the last maps, from which every attribute is read.

        Pictures of another side are resized to the classifier's. The features of a picture do not depend on the others.

        Args:
            pictures: uint8 [N, 3, H, H], 0..255, RGB.

        Returns:
            float32 [N, F] on the classifier's device.

        Raises:
            InputError: pictures of another type, or not square.
        """
        require_pictures(pictures, "a classifier")

        def read(images: Tensor) -> Tensor:
            return self.network.maps(self.resized(images))[-1].mean((2, 3))

        return read_alone(pictures, read, _BATCH, self.device)

    @torch.no_grad()
    def predict(self, pictures: Tensor) -> Prediction:
        """What pictures show; arguments and errors as of :meth:`features`."""
        config = self.config
        binary, *categories, numbers = self._outputs(pictures)
        return Prediction(
            {name: column > 0 for name, column in zip(config.binary, binary.unbind(1), strict=True)},
            {name: part.argmax(1) for name, part in zip(config.categories, categories, strict=True)},
            {
                number.name: column * number.deviation + number.mean
                for number, column in zip(config.numbers, numbers.unbind(1), strict=True)
            },
        )

    @torch.no_grad()
    def values(self, pictures: Tensor, names: Sequence[str]) -> Tensor:
        """How much of some attributes pictures show, as numbers that change smoothly.

        Args:
            pictures: as of :meth:`features`.
            names: as :meth:`ends` takes them.

        Returns:
            float32 [N, len(names)] on the CPU: numbers in the record's unit, probabilities 0..1 of all others.

        Raises:
            InputError: as :meth:`features`, or an unknown name.
        """
        places = [self._place(name) for name in names]
        binary, *categories, numbers = self._outputs(pictures)
        measured = self.config.numbers
        means, deviations = (torch.tensor([getattr(each, key) for each in measured]) for key in ("mean", "deviation"))
        groups = [binary.sigmoid(), *(part.softmax(1) for part in categories), numbers * deviations + means]
        return torch.stack([groups[group][:, column] for group, column in places], dim=1)

    def _outputs(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Of each group on the CPU. Rows are read in equal batches: a product may round otherwise at another height."""
        outputs = read_alone(self.features(pictures), self.network.head, _BATCH, self.device).cpu()
        return outputs.split(self.config.outputs, dim=1)

    def ends(self, name: str) -> tuple[float, float]:
        """A low and a high value of an attribute: 0 and 1, of a number 1.5 standard deviations from its mean.

        Args:
            name: a number ("age"), what is there or not ("glasses"), or a category's value ("hair_colour.blond"). A
                name of both a number and what is there or not is the number.

        Raises:
            InputError: an unknown name.
        """
        group, column = self._place(name)
        if group <= len(self.config.categories):
            return 0.0, 1.0
        number = self.config.numbers[column]
        return number.mean - 1.5 * number.deviation, number.mean + 1.5 * number.deviation

    def _place(self, name: str) -> tuple[int, int]:
        """Group of outputs (binary, one per category, numbers) and place in it."""
        config = self.config
        categories = [[f"{category}.{value}" for value in values] for category, values in config.categories.items()]
        groups = [list(config.binary), *categories, [number.name for number in config.numbers]]
        for group in reversed(range(len(groups))):
            if name in groups[group]:
                return group, groups[group].index(name)
        raise unknown_name("attribute", str(name), [known for names in groups for known in names])

    def resized(self, images: Tensor) -> Tensor:
        """Floating images [N, 3, H, H] at the classifier's side, through which gradients flow."""
        return resized(images, self.size)


def load_classifier(name_or_path: str | Path = DEFAULT, device: torch.device | str = "cpu") -> AttributeClassifier:
    """A classifier that comes with the package (``bundled("classifiers")``), or of a file, on a device.

    Raises:
        MissingFileError, WeightsError: as :func:`load_network`.
    """
    file = load_network(name_or_path, AttributeClassifier.kind, ClassifierConfig.from_dict, ClassifierNetwork)
    return AttributeClassifier(file.network.to(device), *file.about)
