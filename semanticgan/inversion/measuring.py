"""Where faces lie in a set of aligned pictures: the median of their five points."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from semanticgan.checkpoint import FacePoints
from semanticgan.errors import InputError
from semanticgan.inversion.faces import detected
from semanticgan.inversion.photograph import Photograph
from semanticgan.perception.face_detector import FaceDetector
from semanticgan.progress import Progress


def measure_points(
    pictures: Iterable[NDArray[np.uint8]], detector: FaceDetector, progress: Progress | None = None
) -> tuple[NDArray[np.float64], int]:
    """The points of the largest face of each picture.

    Args:
        pictures: uint8 [S, S, 3] sRGB, squares as a model is trained on.
        detector: one that is open.
        progress: told of each picture.

    Returns:
        float64 [n, 5, 2], shares of the side, of the n pictures with a face; and the number of pictures.
    """
    found, count = [], 0
    seen = pictures if progress is None else progress.over(pictures, "finding faces", None)
    for picture in seen:
        count += 1
        faces = detected(Photograph(picture), detector)
        if faces:
            found.append(faces[0].points / picture.shape[0])
    return np.array(found).reshape(-1, 5, 2), count


def measured_alignment(
    pictures: Iterable[NDArray[np.uint8]], detector: FaceDetector, what: str, progress: Progress | None = None
) -> FacePoints:
    """Where faces lie, for the metadata of a model.

    Args:
        pictures: as of :func:`measure_points`; some hundred will do.
        detector: one that is open.
        what: what the pictures are, for ``found``.
        progress: told of each picture.

    Raises:
        InputError: no face in half of the pictures or more.
    """
    points, count = measure_points(pictures, detector, progress)
    if 2 * len(points) <= count:
        raise InputError(
            f"faces are found in {len(points)} of {count} pictures. Give aligned pictures of one face each."
        )
    median = np.median(points, axis=0).round(5)
    return FacePoints(
        tuple((float(x), float(y)) for x, y in median), f"median of MTCNN's points in {len(points)} of {count} {what}"
    )
