"""Where faces lie in the pictures of a model: five points as shares of the side.

In this order: the eye at the picture's left, the eye at its right, the tip of the nose, the corners of the mouth at the
left and the right. (0, 0) is the corner at the top left, (1, 1) the one at the bottom right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from semanticgan.errors import InputError

FacePoints = tuple[tuple[float, float], ...]

NUM_POINTS = 5

_EYES = 0.25  # distance between the eyes
_MOUTH = 1.05 * _EYES  # from the eyes to the mouth, of a face seen from the front
_EYES_AT = 0.5 - 0.1 * _MOUTH
_NOSE = 0.57  # share of the way from eyes to mouth; measured
_HALF_MOUTH = 0.105  # measured

FFHQ: FacePoints = (
    (0.5 - _EYES / 2, _EYES_AT),
    (0.5 + _EYES / 2, _EYES_AT),
    (0.5, _EYES_AT + _NOSE * _MOUTH),
    (0.5 - _HALF_MOUTH, _EYES_AT + _MOUTH),
    (0.5 + _HALF_MOUTH, _EYES_AT + _MOUTH),
)
"""Pictures aligned by FFHQ's rule, and those of CelebA-HQ (arXiv 1710.10196, Appendix C; arXiv 1812.04948, Appendix A).

With the vector e from eye to eye and m from between the eyes to the middle of the mouth, half the side is
e - rot90(m), scaled to the length max(2 |e|, 1.8 |m|), and the centre lies 0.1 m below the eyes.
"""


def face_points(given: Any) -> FacePoints | None:
    """Five points of numbers, ten in a row or five pairs; None of none.

    Raises:
        InputError: another number, or numbers that are not finite.
    """
    flat: list[Any] = []
    for value in given or ():
        flat += list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    if not flat:
        return None
    numbers = [value for value in flat if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if len(numbers) != len(flat) or len(flat) != 2 * NUM_POINTS or not all(map(math.isfinite, numbers)):
        raise InputError(f"where faces lie is five points (x, y), ten shares of the side, got {given!r:.80}.")
    values = [float(number) for number in numbers]
    return tuple(zip(values[::2], values[1::2], strict=True))
