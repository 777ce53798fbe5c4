"""What the results of comparing two sets of features have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from semanticgan.errors import InputError
from semanticgan.metrics.metric import SAMPLED, Measured
from semanticgan.metrics.statistics import FeatureSet, Statistics

OF_BOTH: Mapping[str, Any] = MappingProxyType(
    {"needs": ("dataset", "extractor"), "uses": (*SAMPLED, "num_real", "cache")}
)
"""What a metric needs and uses that compares the data's features with the model's."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """A number that says how a model's pictures are distributed.

    Attributes:
        num_real: pictures of the data, 0 where the metric looks at none.
        num_generated: pictures of the model.
        extractor: label of what computed the features.
        stand_in: whether the number cannot be compared with the literature.
    """

    num_real: int
    num_generated: int
    extractor: str
    stand_in: bool

    def measured(self, **values: float) -> Measured:
        """These numbers of it, as a metric returns them."""
        return Measured(values, self.extractor, self.stand_in, self.num_real, self.num_generated)


def alike(real: FeatureSet | Statistics, generated: FeatureSet | Statistics) -> dict[str, Any]:
    """What a :class:`Score` says of the two.

    Raises:
        InputError: they come from different extractors.
    """
    if real.extractor != generated.extractor:
        raise InputError(
            f"the features are of different extractors: {real.extractor} and {generated.extractor}. "
            "Use one extractor for both."
        )
    return {
        "num_real": len(real),
        "num_generated": len(generated),
        "extractor": real.extractor,
        "stand_in": real.stand_in,
    }
