"""Where a face lies in a photograph, as a similarity between it and the pictures of a model::

    p = s R q + t,  minimising  sum_i |p_i - (s R q_i + t)|^2

q are five points of the model's pictures, p those of the face. With both centred and the covariance
C = mean p q^T = U diag(d) V^T:  R = U diag(1, det U det V) V^T,  s = (d_1 +- d_2) / var q,  t = mean p - s R mean q.
Source: Umeyama, "Least-squares estimation of transformation parameters between two point patterns" (1991).

Five points, in this order: the eye at the picture's left, the eye at its right, tip of the nose, the corner of the
mouth at the left, the one at the right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from semanticgan.errors import InputError
from semanticgan.inversion.photograph import Photograph
from semanticgan.inversion.resampling import Box, resampled

NUM_POINTS = 5

_FINE = 5.0
"""How many times finer than the photograph a crop is that is to be undone alone. From 2 on a rotated grid holds all
that the photograph's does, but a spline of it is exact only for what is smooth: photographs of faces are off by up to
5 levels of 255 at 2, 1.05 at 4, 0.7 at 5."""

_LOOKS = 65  # places of a side that are looked at
_BORDER = 16  # pixels of the crop that are continued beyond it


@dataclass(frozen=True, eq=False)
class Alignment:
    """A similarity from the aligned picture to the photograph.

    Attributes:
        matrix: float64 [2, 3]: (x, y) of the aligned picture as shares of its side, 0 to 1 -> (x, y) of the photograph
            in pixels. A pixel's centre is at i + 0.5, of S pixels at (i + 0.5) / S.
    """

    matrix: NDArray[np.float64]

    @property
    def scale(self) -> float:
        """Side of the crop in pixels of the photograph."""
        return math.sqrt(abs(float(np.linalg.det(self.matrix[:, :2]))))

    @property
    def own_side(self) -> int:
        """A side at which a crop keeps all that the photograph holds: ``undo(..., antialias=False)`` gives it back.

        :meth:`put_back` needs no such side.
        """
        return math.ceil(_FINE * self.scale)

    def crop(self, photograph: NDArray[np.float32] | Photograph, side: int) -> NDArray[np.float32]:
        """The aligned picture: antialiased, sub-pixel, reflected at the photograph's border.

        Args:
            photograph: float32 [H, W, c], or a photograph, of which only the box of the crop is converted.
            side: of the result in pixels.

        Returns:
            float32 [side, side, c]; a spline may pass the range of its pixels a little.
        """
        across = self.matrix * [1 / side, 1 / side, 1]
        if isinstance(photograph, Photograph):
            return resampled(photograph.rgb, photograph.shape, across, (side, side))
        values = photograph
        return resampled(lambda box: values[box[1] : box[3], box[0] : box[2]], values.shape[:2], across, (side, side))

    def undo(
        self, values: NDArray[np.float32], shape: tuple[int, int], box: Box | None = None, *, antialias: bool = True
    ) -> NDArray[np.float32]:
        """Values of the aligned picture where they lie in the photograph.

        Args:
            values: float32 [s, s, c].
            shape: (H, W) of the photograph.
            box: the part of the photograph that is wanted; all of it if not given. :meth:`box` is all that is not 0.
            antialias: whether values finer than the photograph are reduced. Not needed for what a photograph held.

        Returns:
            float32 [H, W, c], or of the box; 0 where a pixel's centre is outside the crop.
        """
        wanted = box or (0, 0, shape[1], shape[0])
        result = np.zeros((wanted[3] - wanted[1], wanted[2] - wanted[0], values.shape[2]), np.float32)
        own = self.box(shape)
        x0, y0 = max(own[0], wanted[0]), max(own[1], wanted[1])
        x1, y1 = min(own[2], wanted[2]), min(own[3], wanted[3])
        if x0 >= x1 or y0 >= y1:
            return result
        margin = _BORDER * max(1, math.ceil(values.shape[0] / self.scale))
        back = self._inverse()
        back[:, 2] += back[:, :2] @ (x0, y0)
        back = back * values.shape[0]
        back[:, 2] += margin
        put = resampled(
            lambda part: _continued(values, margin, part),
            (values.shape[0] + 2 * margin, values.shape[1] + 2 * margin),
            back,
            (y1 - y0, x1 - x0),
            antialias,
        )
        put *= self.inside(shape, (x0, y0, x1, y1))[:, :, None]
        result[y0 - wanted[1] : y1 - wanted[1], x0 - wanted[0] : x1 - wanted[0]] = put
        return result

    def put_back(self, photograph: Photograph, before: NDArray[np.float32], after: NDArray[np.float32]) -> Photograph:
        """The photograph with an edit of its crop, by what the edit changed::

            photograph + undo(after - before)

        A crop as coarse as the photograph cannot hold all of it on a rotated grid, and need not: what it lacks stays
        in the photograph. A crop that was not changed gives back every bit. A change reaches at most 16 pixels beyond
        itself, of the photograph or the crop, whichever are larger, and never beyond the crop.

        Args:
            photograph: what the crop was cut from; it is not changed.
            before: float32 [s, s, 3], the crop, of any side.
            after: the edited crop, of the same shape.

        Raises:
            InputError: crops of other or different shapes.
        """
        if before.shape != after.shape or before.ndim != 3 or before.shape[2] != 3:
            raise InputError(
                f"a crop before and after an edit are both [s, s, 3], got {list(before.shape)} and "
                f"{list(after.shape)}. Edit what Alignment.crop gives."
            )
        change = after - before

        def changed(rgb: NDArray[np.float32], box: Box) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
            added = self.undo(change, photograph.shape, box)
            return rgb + added, np.asarray(added.any(2))

        return photograph.with_strips(changed, self.box(photograph.shape))

    def spread(self, values: NDArray[np.float32], box: Box) -> NDArray[np.float32]:
        """Smooth maps of the aligned picture where they lie in a box of the photograph; beyond the crop its edge.

        Cubic (Keys 1981), without a filter before: for what is not finer than the photograph.

        Args:
            values: float32 [s, s, c].

        Returns:
            float32 [height, width, c] of the box.
        """
        x0, y0, x1, y1 = box
        back = self._inverse()
        back[:, 2] += back[:, :2] @ (x0 + 0.5, y0 + 0.5)
        back *= values.shape[0]
        back[:, 2] -= 0.5  # OpenCV counts from the pixels' centres
        how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        parts = [
            cv2.warpAffine(
                np.ascontiguousarray(values[..., start : start + 4]),
                back,
                (x1 - x0, y1 - y0),
                flags=how,
                borderMode=cv2.BORDER_REPLICATE,
            )
            for start in range(0, values.shape[2], 4)
        ]
        return np.dstack(parts)

    def shares(self, box: Box) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """x and y of the pixels' centres of a box as shares of the aligned picture's side, each [height, width]."""
        x, y = np.arange(box[0], box[2]) + 0.5, np.arange(box[1], box[3])[:, None] + 0.5
        across, down = (row[0] * x + row[1] * y + row[2] for row in self._inverse())
        return across, down

    def open_sides(self, shape: tuple[int, int]) -> tuple[bool, bool, bool, bool]:
        """Whether the crop's left, right, upper and lower side are nowhere within the photograph.

        There the photograph ends before the crop does, or with it.
        """
        along, ends = np.linspace(0, 1, _LOOKS), (np.zeros(_LOOKS), np.ones(_LOOKS))
        places = [(end, along) for end in ends] + [(along, end) for end in ends]
        sides = [self.matrix @ np.stack([x, y, np.ones(_LOOKS)]) for x, y in places]
        height, width = shape
        left, right, top, bottom = (
            not bool(((x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)).any()) for x, y in sides
        )
        return left, right, top, bottom

    def inside(self, shape: tuple[int, int], box: Box | None = None) -> NDArray[np.bool_]:
        """bool [H, W], or of a box of the photograph: whether a pixel's centre is inside the crop."""
        x, y = self.shares(box or (0, 0, shape[1], shape[0]))
        return (x >= 0) & (x < 1) & (y >= 0) & (y < 1)

    def box(self, shape: tuple[int, int]) -> Box:
        """The smallest box of the photograph around the crop; of no area where the crop is outside."""
        corners = self.matrix @ np.array([[0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]])
        (x0, y0), (x1, y1) = np.floor(corners.min(1)), np.ceil(corners.max(1))
        height, width = shape
        left, top = int(min(max(x0, 0), width)), int(min(max(y0, 0), height))
        return left, top, int(min(max(x1, left), width)), int(min(max(y1, top), height))

    def _inverse(self) -> NDArray[np.float64]:
        """float64 [2, 3]: photograph in pixels -> shares."""
        back = np.linalg.inv(self.matrix[:, :2])
        return np.concatenate([back, -(back @ self.matrix[:, 2:])], 1)


def _continued(values: NDArray[np.float32], margin: int, part: Box) -> NDArray[np.float32]:
    """A box of values that go on for a margin by what is odd about the last pixel: the slope goes on beyond it.

    The box counts from the margin's corner. Only what it needs of the values is copied.
    """
    slices, widths, offsets = [], [], []
    for axis, (start, stop) in enumerate(((part[1], part[3]), (part[0], part[2]))):
        size = values.shape[axis]
        low, high = max(0, start - 2 * margin - 1), min(size, max(stop, 2 * margin + 2))
        low = min(low, max(0, size - 2 * margin - 2))
        before, after = (margin if low == 0 else 0), (margin if high == size else 0)
        slices.append(slice(low, high))
        widths.append((before, after))
        offset = margin + low - before  # of what is padded, counted from the margin's corner
        offsets.append(slice(start - offset, stop - offset))
    near = np.pad(values[slices[0], slices[1]], (*widths, (0, 0)), mode="reflect", reflect_type="odd")
    return near[offsets[0], offsets[1]]


def align(points: ArrayLike, target: ArrayLike) -> Alignment:
    """The similarity by least squares from a model's points to a face's.

    Args:
        points: [5, 2], (x, y) in pixels of the photograph; the order of this file.
        target: [5, 2], (x, y) as shares of the side: ``model.alignment``.

    Raises:
        InputError: other shapes, numbers that are not finite, or points that all lie at one place.
    """
    face, model = _points("points", points), _points("target", target)
    face_mean, model_mean = face.mean(0), model.mean(0)
    face_centred, model_centred = face - face_mean, model - model_mean
    variance = float((model_centred**2).sum(1).mean())
    left, sizes, right = np.linalg.svd(face_centred.T @ model_centred / len(face))
    signs = np.array([1.0, np.linalg.det(left) * np.linalg.det(right)])
    scale = float((sizes * np.round(signs)).sum()) / variance if variance > 0 else 0.0
    if not scale > 1e-9:
        raise InputError("the five points of a face lie at one place or on mirrored places. Give five of one face.")
    turn = scale * (left * np.round(signs)) @ right
    return Alignment(np.concatenate([turn, (face_mean - turn @ model_mean)[:, None]], 1))


def _points(what: str, given: ArrayLike) -> NDArray[np.float64]:
    points = np.asarray(given, np.float64)
    if points.shape != (NUM_POINTS, 2) or not np.isfinite(points).all():
        raise InputError(f"{what} are five finite (x, y), an array [5, 2], got {list(points.shape)}.")
    return points
