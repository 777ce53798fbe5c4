"""Light: one direction for the whole picture, soft fields of it, and the textures they become."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from semanticgan.portraits.attributes import PortraitAttributes
from semanticgan.portraits.geometry import Array, Head, Pose
from semanticgan.portraits.palette import Palette
from semanticgan.portraits.styles import DrawingStyle

_SIDE = 96  # Light changes slowly: its fields are this coarse whatever the picture's size.
_CENTRES = ((np.arange(_SIDE) + 0.5) / _SIDE).astype(np.float32)
BASE_LIGHT = 0.60
"""The light at which a material shows its own colour."""


@dataclass(frozen=True)
class Sitter:
    """One person, posed and lit: what every part of the drawing needs to know."""

    attributes: PortraitAttributes
    head: Head
    pose: Pose
    palette: Palette
    style: DrawingStyle

    @property
    def light(self) -> Array:
        """Unit direction [3] towards the light: x right, y down, z to the viewer."""
        return np.array([self.attributes.light_x, self.attributes.light_y, self.attributes.light_z])

    def face(self, u: ArrayLike, v: ArrayLike, lift: float = 0.0) -> Array:
        """Picture points [..., 2] of the face's surface at head coordinates (u, v)."""
        return self.pose.project(self.head.on_face(np.asarray(u, np.float64), np.asarray(v, np.float64), lift))

    def trace(self, line: Array, lift: float = 0.0) -> Array:
        """A line or outline [P, 2] of head coordinates (u, v), as it lies on the face: [P, 2] of the picture."""
        return self.pose.project(self.head.on_face(line[:, 0], line[:, 1], lift))


class LightField:
    """How much light falls where, float32 [96, 96] over the picture, about 0 (shadow) to 1 (highlight)."""

    def __init__(self, sitter: Sitter) -> None:
        self.sitter = sitter
        self.values: NDArray[np.float32] = np.full((_SIDE, _SIDE), BASE_LIGHT, dtype=np.float32)

    def round_form(self, centre: Array, radii: tuple[float, float], roll: float = 0.0, contrast: float = 0.46) -> None:
        """Adds the light of an ellipsoid; a very tall one is a column."""
        light = self.sitter.light
        x, y = _CENTRES[None, :] - np.float32(centre[0]), _CENTRES[:, None] - np.float32(centre[1])
        cos, sin = np.float32(np.cos(roll)), np.float32(np.sin(roll))
        across, along = (x * cos + y * sin) / np.float32(radii[0]), (y * cos - x * sin) / np.float32(radii[1])
        reach = np.sqrt(across**2 + along**2)
        limit = np.minimum(1.0, 0.98 / np.maximum(reach, 1e-6))
        across, along = across * limit, along * limit
        depth = np.sqrt(np.maximum(0, 1 - across**2 - along**2))
        # Back from the form's own axes to the picture's.
        normal_x, normal_y = across * cos - along * sin, across * sin + along * cos
        received = normal_x * np.float32(light[0]) + normal_y * np.float32(light[1]) + depth * np.float32(light[2])
        self.values += np.float32(contrast * self.sitter.style.shading) * (received - np.float32(light[2]))

    def add(self, outline: Array, amount: float, soft: float) -> None:
        """Lightens (or darkens, negative) a shape whose edge is blurred over ``soft`` of the side."""
        low = np.clip(np.floor((outline.min(axis=0) - 2 * soft) * _SIDE).astype(int), 0, _SIDE)
        high = np.clip(np.ceil((outline.max(axis=0) + 2 * soft) * _SIDE).astype(int) + 1, 0, _SIDE)
        if (high <= low).any():
            return
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), dtype=np.uint8)
        cv2.fillPoly(mask, [np.round((outline * _SIDE - low - 0.5) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        blurred = cv2.GaussianBlur(mask, (0, 0), soft * _SIDE / 1.8)
        self.values[low[1] : high[1], low[0] : high[0]] += blurred * np.float32(
            amount * self.sitter.style.shading / 255
        )

    def add_mask(
        self, mask: NDArray[np.uint8], amount: float, soft: float, shift: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        """The same for a mask [h, w] of any side, moved by ``shift`` (fractions of the side): cast shadows."""
        if mask.shape[0] != _SIDE:
            mask = np.asarray(cv2.resize(mask, (_SIDE, _SIDE)), dtype=np.uint8)
        if shift != (0.0, 0.0):
            move = np.array([[1, 0, shift[0] * _SIDE], [0, 1, shift[1] * _SIDE]], dtype=np.float32)
            moved = cv2.warpAffine(mask, move, (_SIDE, _SIDE), borderMode=cv2.BORDER_REPLICATE)
            mask = np.asarray(moved, dtype=np.uint8)
        if soft:
            mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), soft * _SIDE / 1.8), dtype=np.uint8)
        self.values += mask * np.float32(amount * self.sitter.style.shading / 255)

    def tones(self, side: int) -> NDArray[np.uint8]:
        """The field as grey values, uint8 [side, side]: indices into a material's ramp."""
        grey = (np.clip(self.values, 0, 1) * 255).astype(np.uint8)
        enlarged = np.asarray(cv2.resize(grey, (side, side), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
        steps = self.sitter.style.tone_steps
        if not steps:
            return enlarged
        flat = ((np.arange(256) * steps // 256 + 0.5) * (255 / steps)).astype(np.uint8)
        return flat[enlarged]


def texture(tones: NDArray[np.uint8], colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey values [h, w] as the colours [h, w, 3] of a ramp [256, 3]."""
    return np.asarray(cv2.applyColorMap(tones, colours[:, None, :]), dtype=np.uint8)
