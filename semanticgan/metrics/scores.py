"""What the scores of sets of features have in common."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from semanticgan.errors import InputError
from semanticgan.metrics.metric import SAMPLED, Measured
from semanticgan.metrics.statistics import FeatureSet, Statistics

OF_BOTH: Mapping[str, Any] = MappingProxyType(
    {"needs": ("dataset", "extractor"), "uses": (*SAMPLED, "num_real", "cache"), "compared": True}
)
"""What metrics have in common that compare the data's features with the model's."""


def score(
    real: FeatureSet | Statistics | None, generated: FeatureSet | Statistics, values: Mapping[str, float]
) -> Measured:
    """Numbers of the features of the data, None where a metric looks at none, and of a model's pictures."""
    num_real = 0 if real is None else len(real)
    return Measured(values, generated.extractor, generated.stand_in, num_real, len(generated))


def require_alike(real: FeatureSet | Statistics, generated: FeatureSet | Statistics) -> None:
    """Raises: InputError: features of different extractors."""
    if real.extractor != generated.extractor:
        raise InputError(
            f"the features are of different extractors: {real.extractor} and {generated.extractor}. "
            "Use one extractor for both."
        )
