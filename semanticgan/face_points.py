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

FFHQ: FacePoints = ((0.377, 0.469), (0.623, 0.469), (0.5, 0.613), (0.393, 0.725), (0.611, 0.725))
"""Pictures aligned by FFHQ's rule, and those of CelebA-HQ (arXiv 1710.10196, Appendix C; arXiv 1812.04948, Appendix A).

With the distance E of the eyes and the vector m from between the eyes to the middle of the mouth, the square has the
side max(4 E, 3.6 |m|) and its centre lies 0.1 m below the eyes.
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
