"""The head in three dimensions, its projection, and the smooth curves everything is drawn with.

Head coordinates are fractions of the picture's width: x to the picture's right, y down, z towards
the viewer, the origin inside the head. The skull is a stack of horizontal sections, each a half
ellipse in front and one behind; features are drawn on its surface, so that turning the head moves
near parts over far ones as in life. The projection is orthographic.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from semanticgan.portraits.attributes import PortraitAttributes

Array = NDArray[np.float64]

EYE_LINE = 0.462
"""Height of the eyes in the picture, a fraction of its side, before jitter (aligned CelebA faces: 0.45 to 0.48)."""

WIDEST = -0.04
"""Height of the head's widest section, in head coordinates."""

# The skull from crown (0) to chin (1): half width, depth of the front and depth of the back.
_SECTION = np.array([0.0, 0.04, 0.10, 0.20, 0.32, 0.45, 0.57, 0.68, 0.78, 0.86, 0.92, 0.965, 1.0])
_HALF_WIDTH = np.array([0.0, 0.098, 0.155, 0.212, 0.246, 0.259, 0.257, 0.239, 0.206, 0.166, 0.124, 0.082, 0.034])
_FRONT = np.array([0.0, 0.110, 0.165, 0.215, 0.240, 0.248, 0.250, 0.250, 0.246, 0.238, 0.226, 0.205, 0.165])
_BACK = np.array([0.0, 0.130, 0.190, 0.245, 0.280, 0.285, 0.260, 0.190, 0.080, -0.030, -0.080, -0.110, -0.130])


@lru_cache(maxsize=64)
def _spline_basis(num_points: int, num_samples: int, closed: bool) -> Array:
    """Matrix [num_samples, num_points] of the Catmull-Rom spline through that many points (uniform parameter)."""
    spans = num_points if closed else num_points - 1
    position = np.arange(num_samples) * spans / num_samples if closed else np.linspace(0, spans, num_samples)
    start = np.minimum(position.astype(int), spans - 1)
    t = position - start
    weights = np.stack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3], axis=1)
    basis = np.zeros((num_samples, num_points))
    rows = np.arange(num_samples)
    for offset in range(4):
        column = start + offset - 1
        column = column % num_points if closed else np.clip(column, 0, num_points - 1)
        np.add.at(basis, (rows, column), weights[:, offset] / 2)
    return basis


def smooth(points: ArrayLike, num_samples: int = 40, closed: bool = False) -> Array:
    """A smooth curve [num_samples, D] through a few points [P, D]; a closed one does not repeat its first point."""
    given = np.asarray(points, dtype=np.float64)
    return _spline_basis(len(given), num_samples, closed) @ given


def circle(num_points: int) -> Array:
    """The unit circle as an outline [num_points, 2] that does not repeat its first point."""
    angle = np.linspace(0, 2 * np.pi, num_points, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def taper(num_points: int, first: float, last: float) -> Array:
    """Widths [num_points] of a stroke that swells and thins out: a sine from one angle to another, in radians."""
    return np.sin(np.linspace(first, last, num_points))


def hull(points: Array) -> Array:
    """Convex outline [M, 2] of a cloud of picture points [..., 2]."""
    return cv2.convexHull(points.reshape(-1, 2).astype(np.float32))[:, 0].astype(np.float64)


def between(first: Array, second: Array, weight: Array) -> Array:
    """Curves [W, P, 2] that lead over from one curve [P, 2] to another, one for each weight in 0..1."""
    weight = np.asarray(weight)[:, None, None]
    return first[None] * (1 - weight) + second[None] * weight


class Head:
    """The skull of one sitter, before any rotation."""

    def __init__(self, attributes: PortraitAttributes) -> None:
        a = attributes
        self.top = -0.345 * (1 + 0.04 * a.forehead)
        self.chin = 0.328 + 0.020 * a.chin
        fine = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, 45))
        knots = smooth(np.stack([_SECTION, _HALF_WIDTH, _FRONT, _BACK], axis=1), 145)
        widths, fronts, backs = (np.interp(fine, knots[:, 0], knots[:, k]) for k in (1, 2, 3))
        # Above the widest section the skull is a dome without a point.
        dome = np.clip(1 - fine / 0.47, 0, 1)
        dome = (1 - dome**2.15) ** (1 / 2.15)
        upper = fine < 0.45
        widths, fronts, backs = (
            np.where(upper, widest * dome, values)
            for widest, values in ((0.259, widths), (0.248, fronts), (0.285, backs))
        )
        # The jaw's fullness acts between cheekbone and chin, the cheek's around the middle.
        widths = widths * a.face_width
        widths *= 1 + 0.14 * a.jaw * np.exp(-(((fine - 0.85) / 0.13) ** 2))
        widths *= 1 + 0.05 * a.cheeks * np.exp(-(((fine - 0.68) / 0.12) ** 2))
        widths *= 1 + 0.04 * a.forehead * np.exp(-(((fine - 0.25) / 0.16) ** 2))
        self.heights = self.top + (self.chin - self.top) * fine
        self.widths, self.fronts, self.backs = widths, fronts, backs

    def half_width(self, v: Array | float) -> Array:
        """Half width of the head at height v."""
        return np.asarray(np.interp(v, self.heights, self.widths))

    def on_face(self, u: Array, v: Array, lift: Array | float = 0.0) -> Array:
        """Points [..., 3] of the face's surface at (u, v), raised by ``lift`` towards the viewer."""
        widths = np.maximum(np.interp(v, self.heights, self.widths), 1e-3)
        fronts = np.interp(v, self.heights, self.fronts)
        z = fronts * np.sqrt(np.maximum(1 - (u / widths) ** 2, 0.0)) + lift
        points = np.empty((*z.shape, 3))
        points[..., 0], points[..., 1], points[..., 2] = u, v, z
        return points

    def cloud(self, side: float = 0.0, crown: float = 0.0, back: float = 0.0, lowest: float = 1.0) -> Array:
        """Points [M, 3] of the head's surface, grown outward; rows below height ``lowest`` are left out.

        Growing gives the shell on which hair and hats lie: ``side`` at the temples, ``crown`` above, ``back`` behind.
        """
        keep = self.heights <= lowest
        v = self.heights[keep]
        # Above the widest section the skull is enlarged like an ellipsoid; below it the growth is even.
        above = np.minimum(v - WIDEST, 0)
        v_grown = v + above * crown / (WIDEST - self.top)
        grown = side * np.sqrt(1 - (above / (self.top - WIDEST)) ** 2)
        widths, fronts = self.widths[keep] + grown, self.fronts[keep] + 0.8 * grown
        backs = self.backs[keep] + (1 + back) * grown
        angle = np.linspace(-np.pi / 2, np.pi / 2, 15)
        x, y = widths[:, None] * np.sin(angle), v_grown[:, None]
        halves = [
            np.stack(np.broadcast_arrays(x, y, depths[:, None] * np.cos(angle)), axis=-1) for depths in (fronts, -backs)
        ]
        return np.concatenate([half.reshape(-1, 3) for half in halves])

    def shell(self, angle: Array, v: Array, side: float) -> Array:
        """Points [..., 3] of the front shell at an angle from the middle of the face (radians) and a height."""
        widths = np.interp(v, self.heights, self.widths) + side
        fronts = np.interp(v, self.heights, self.fronts) + 0.8 * side
        return np.stack(np.broadcast_arrays(widths * np.sin(angle), v, fronts * np.cos(angle)), axis=-1)


class Pose:
    """Where the head stands and how it is turned.

    Positive yaw turns the face to the picture's right, positive pitch lifts the chin, positive roll tilts clockwise.
    """

    def __init__(self, attributes: PortraitAttributes, head: Head) -> None:
        a = attributes
        yaw, pitch, roll = np.deg2rad([a.yaw, a.pitch, a.roll])
        self.yaw, self.roll = float(yaw), float(roll)
        turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
        nod = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
        tilt = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
        self.upright = nod @ turn
        self.rotation = tilt @ self.upright
        self.scale = a.scale
        # Aligned pictures hold the eyes, not the skull, in place: most of the eyes' shift is taken back.
        eyes = self.rotation @ np.array([0.0, -0.02, 0.22]) * self.scale
        self.origin = np.array([0.5 + a.shift_x - 0.72 * eyes[0], EYE_LINE + a.shift_y - 0.80 * eyes[1] - 0.2 * -0.02])

    def project(self, points: Array) -> Array:
        """Head points [..., 3] -> picture points [..., 2], fractions of the side."""
        return self.origin + self.scale * (points @ self.rotation[:2].T)

    def limb(self, angle: Array, widths: Array, fronts: Array) -> Array:
        """Angles clamped to the side of the front half that can be seen, so that hidden points lie on the outline."""
        # x' = w sin(a) cos(yaw) + f cos(a) sin(yaw) is largest where tan(a) = w cos(yaw) / (f sin(yaw)).
        bend = np.arctan2(fronts * np.sin(self.yaw), widths * np.cos(self.yaw))
        return np.clip(angle, -np.pi / 2 - bend, np.pi / 2 - bend)
