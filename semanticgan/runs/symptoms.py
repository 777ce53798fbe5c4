"""Signs that a training goes wrong, read off its curves, each with what to do about it.

"Recently" is the last tenth of the log, and never fewer than :data:`_FEWEST` lines.
"""

from __future__ import annotations

import numpy as np

from semanticgan.runs.curves import Curve, short_number
from semanticgan.runs.record import RunRecord

EXPECTED = "discriminator's loss near 0, values that are no numbers, scores drifting apart, augmentation at its limit"
"""What is looked for, in words."""

_FEWEST = 10  # lines before a mean says anything
_LOSS_NEAR_ZERO = 0.1
_GAP_GROWTH = 1.5  # times the gap of the middle third; steady growth from the start gives 1.9
_GAP_LARGE = 8.0  # a real picture e^8 times as credible as a generated one
_SCORE_HUGE = 50.0
_AUGMENTATION_LIMIT = 0.98


def find_symptoms(record: RunRecord) -> tuple[str, ...]:
    """One sentence or two a symptom, the lines of the log that could not be read first; none where all is well."""
    found = [*record.problems, *(_not_finite(curve) for curve in record.curves.values())]
    found += [_easy_discriminator(record), _diverging_scores(record), _augmentation_at_limit(record)]
    return tuple(text for text in found if text)


def _not_finite(curve: Curve) -> str:
    broken = curve.images[~np.isfinite(curve.values)]
    if not len(broken):
        return ""
    return (
        f"{curve.name} is not a finite number at {short_number(broken[0])} images"
        + (f" and {len(broken) - 1} times later" if len(broken) > 1 else "")
        + ". Go back to a state from before, and lower optimiser.learning_rate or raise loss.r1_image."
    )


def _easy_discriminator(record: RunRecord) -> str:
    loss = _recent(record, "loss/discriminator")
    if loss is None or loss >= _LOSS_NEAR_ZERO:
        return ""
    return (
        f"The discriminator's loss is {short_number(loss)} recently: it tells every picture without effort, and the "
        "generator learns little from it. Raise loss.r1_image, or augment where pictures are few."
    )


def _diverging_scores(record: RunRecord) -> str:
    real, fake = _recent(record, "score/real"), _recent(record, "score/fake")
    if real is None or fake is None:
        return ""
    if max(abs(real), abs(fake)) > _SCORE_HUGE:
        return (
            f"The discriminator's scores run away: recently {short_number(real)} for real and {short_number(fake)} for "
            "generated pictures. Raise loss.r1_image or lower optimiser.learning_rate."
        )
    before = _middle(record, "score/real") - _middle(record, "score/fake")
    gap = real - fake
    if gap < _GAP_LARGE or gap < _GAP_GROWTH * max(before, 1e-9):
        return ""
    return (
        f"The scores of real and generated pictures drift apart: {short_number(gap)} recently, {short_number(before)} "
        "in the middle of the log. The discriminator may know the pictures by heart: augment, or raise loss.r1_image."
    )


def _augmentation_at_limit(record: RunRecord) -> str:
    probability = _recent(record, "augmentation/probability")
    if probability is None or probability < _AUGMENTATION_LIMIT or not record.section("augmentation").get("adaptive"):
        return ""
    return (
        f"The probability of augmentation stands at its limit ({short_number(probability)}): it cannot grow any more, "
        "and its traces may leak into what is generated. Give more pictures, or end the training earlier."
    )


def _recent(record: RunRecord, name: str) -> float | None:
    """Mean of the last tenth of a curve, or None where there is too little of it."""
    curve = record.curves.get(name)
    values = curve.finite().values if curve is not None else np.empty(0)
    return float(values[-max(_FEWEST, len(values) // 10) :].mean()) if len(values) >= 2 * _FEWEST else None


def _middle(record: RunRecord, name: str) -> float:
    """Median of the middle third of a curve that has enough points."""
    values = record.curves[name].finite().values
    return float(np.median(values[len(values) // 3 : 2 * len(values) // 3]))
