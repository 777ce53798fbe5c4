"""What the results of comparing two sets of features have in common."""

from __future__ import annotations

from dataclasses import dataclass

from semanticgan.errors import InputError
from semanticgan.metrics.statistics import FeatureSet, Statistics


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


def require_alike(real: FeatureSet | Statistics, generated: FeatureSet | Statistics) -> None:
    """Raises: InputError: the two come from different extractors."""
    if real.extractor != generated.extractor:
        raise InputError(
            f"the features are of different extractors: {real.extractor} and {generated.extractor}. "
            "Use one extractor for both."
        )
