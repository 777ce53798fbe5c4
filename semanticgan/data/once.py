"""A warning about data that is given once, whichever of the processes that read the data meets its cause first."""

from __future__ import annotations

import warnings

import torch

from semanticgan.errors import DataWarning


class Once:
    """Gives a :class:`~semanticgan.errors.DataWarning` the first time only; worker processes share it."""

    def __init__(self) -> None:
        self._given = torch.zeros(1, dtype=torch.bool).share_memory_()

    def warn(self, text: str) -> None:
        if not self._given[0]:
            self._given[0] = True
            warnings.warn(text, DataWarning, stacklevel=2)


def doubtful_turning(picture: str, labels: str) -> str:
    """What is said of a :class:`~semanticgan.data.orientation.Turning` in doubt; names of the two files."""
    return (
        f"picture {picture!r} has an EXIF orientation and {labels!r} has none, so the labels are turned as the picture "
        "is, here and in files like these. If the labels were drawn on the turned picture, save the picture upright, "
        "without EXIF."
    )
