"""Where faces lie in a set of aligned pictures: the median of their five points."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from semanticgan.errors import InputError
from semanticgan.face_points import FacePoints
from semanticgan.inversion.faces import detected
from semanticgan.inversion.photograph import Photograph
from semanticgan.perception.face_detector import FaceDetector
from semanticgan.progress import Progress, to_progress


def measured_alignment(
    pictures: Iterable[NDArray[np.uint8]], detector: FaceDetector, progress: Progress | bool = False
) -> FacePoints:
    """Where faces lie, as ``data.alignment`` of a recipe and the metadata of a model have it.

    Args:
        pictures: uint8 [S, S, 3] sRGB, squares as a model is trained on; some hundred will do.
        detector: one that is open.
        progress: bar, report and cancel.

    Raises:
        InputError: no face in half of the pictures or more.
    """
    found: list[NDArray[np.float64]] = []
    count = 0
    for picture in to_progress(progress).over(pictures, "finding faces", None):
        count += 1
        faces = detected(Photograph(picture), detector)
        if faces:
            found.append(faces[0].points / picture.shape[0])
    if 2 * len(found) <= count:
        raise InputError(
            f"faces are found in {len(found)} of {count} pictures. Give pictures of one face each, or data.alignment "
            "by hand."
        )
    median = np.median(np.array(found), axis=0).round(4)
    return tuple((float(x), float(y)) for x, y in median)
