"""What drawn portraits show, as their records say and a classifier is to tell.

Shape legend: N pictures, S side of the picture, B binary attributes, M numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from semanticgan.data.portraits import PortraitDataset
from semanticgan.portraits.attributes import (
    BACKGROUNDS,
    BEARD_STYLES,
    CLOTHES,
    EARRING_STYLES,
    GLASSES_STYLES,
    HAIR_COLOURS,
    HAIR_STYLES,
    HAT_STYLES,
    PATTERNS,
    PortraitAttributes,
)

HIDDEN = -1
"""In place of a category's value that a picture does not show."""

_GREY = 0.5  # share of grey from which hair is grey, whatever its colour was

BINARY: Mapping[str, Callable[[PortraitAttributes], bool]] = MappingProxyType(
    {
        "smile": lambda record: record.smile >= 0.5,
        "mouth_open": lambda record: record.mouth_open > 0,
        "glasses": lambda record: record.glasses,
        "hat": lambda record: record.hat,
        "earring": lambda record: record.earring,
        "bald": lambda record: record.bald,
        "bangs": lambda record: record.bangs,
        "beard": lambda record: record.beard,
        "moustache": lambda record: record.moustache,
        "freckles": lambda record: record.freckles > 0,
        "ears_shown": lambda record: record.ears_shown and record.hat_style != "headscarf",
    }
)
"""What is there or not, and how a portrait's record says it."""

CATEGORIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "presentation": ("feminine", "masculine"),
        "hair_style": HAIR_STYLES,
        "hair_length": ("none", "short", "medium", "long"),
        "hair_colour": tuple(colour for colour in HAIR_COLOURS if colour != "white"),
        "beard_style": BEARD_STYLES,
        "glasses_style": GLASSES_STYLES,
        "hat_style": HAT_STYLES,
        "earring_style": EARRING_STYLES,
        "clothes": CLOTHES,
        "pattern": PATTERNS,
        "background": BACKGROUNDS,
    }
)
"""What every picture has one value of; white hair counts as grey."""

NUMBERS = ("age", "yaw", "pitch", "roll", "smile", "mouth_open", "skin_tone", "grey", "light_x")
"""What is measured, in the units of :class:`semanticgan.portraits.attributes.PortraitAttributes`."""

SIDED = ("yaw", "roll", "light_x")
"""Numbers that change their sign in a mirrored picture."""


@dataclass(frozen=True)
class Truth:
    """What portraits show, as their records say.

    Attributes:
        binary: float32 [N, B], 0 or 1, in the order of :data:`BINARY`.
        categories: int64 [N, number of categories], indices into :data:`CATEGORIES`, or :data:`HIDDEN`.
        numbers: float32 [N, M], in the order of :data:`NUMBERS`.
    """

    binary: Tensor
    categories: Tensor
    numbers: Tensor

    def __len__(self) -> int:
        return len(self.binary)

    def __getitem__(self, rows: slice | Tensor) -> Truth:
        return Truth(self.binary[rows], self.categories[rows], self.numbers[rows])


def truth_of(dataset: PortraitDataset) -> Truth:
    """What every portrait of a dataset shows."""
    records = [dataset.attributes(index) for index in range(len(dataset))]
    return Truth(
        torch.tensor([[float(told(record)) for told in BINARY.values()] for record in records]),
        torch.tensor([[_value(record, name) for name in CATEGORIES] for record in records]),
        torch.tensor([[float(getattr(record, name)) for name in NUMBERS] for record in records]),
    )


def _value(record: PortraitAttributes, name: str) -> int:
    """Index of a category's value in a picture of that record."""
    value = getattr(record, name)
    if name == "hair_colour":
        if record.bald or record.hat_style == "headscarf":
            return HIDDEN
        value = "grey" if record.grey >= _GREY else value
    return CATEGORIES[name].index(value)


def mirrored(image: Tensor, truth: Truth, flipped: Tensor) -> tuple[Tensor, Truth]:
    """Some pictures mirrored left to right, and what they show then.

    Args:
        image: [N, 3, S, S].
        truth: of these pictures.
        flipped: bool [N], which.
    """
    signs = torch.tensor([-1.0 if name in SIDED else 1.0 for name in NUMBERS])
    numbers = torch.where(flipped[:, None], truth.numbers * signs, truth.numbers)
    turned = torch.where(flipped.to(image.device)[:, None, None, None], image.flip(-1), image)
    return turned, Truth(truth.binary, truth.categories, numbers)
