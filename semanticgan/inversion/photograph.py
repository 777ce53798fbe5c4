"""A photograph as its file has it, and what of it may change.

    own = own + (T(rgb) - T(rgb of own)),  where  T: sRGB -> the file's own colours

so that a pixel whose sRGB did not change keeps its own bits, whatever its profile, and colours outside sRGB survive.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semanticgan.errors import InputError
from semanticgan.inversion.resampling import Box

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph, upright.

    Attributes:
        pixels: the file's own, [H, W, C] uint8 or uint16: grey (C = 1), RGB (3) or RGB and alpha (4), in the colours
            of its profile.
    """

    pixels: Pixels

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        height, width = self.pixels.shape[:2]
        return height, width

    def rgb(self, box: Box | None = None) -> NDArray[np.float32]:
        """Its colours as sRGB, float32 [H, W, 3] in [0, 1]; alpha is not looked at.

        Args:
            box: x0, y0, x1, y1: only this part, [y1 - y0, x1 - x0, 3]. A picture of 48 megapixels takes 576 MB.
        """
        part = self._part(box)
        own = part[:, :, :3].astype(np.float32) / np.float32(np.iinfo(part.dtype).max)
        return np.repeat(own, 3, axis=2) if own.shape[2] == 1 else own

    def with_rgb(self, rgb: NDArray[np.float32], where: NDArray[np.bool_], box: Box | None = None) -> Photograph:
        """The photograph with other colours; a pixel outside ``where`` keeps its bits, and so does alpha.

        Args:
            rgb: float32 [H, W, 3], or of the box; sRGB in [0, 1], beyond which it is cut off.
            where: bool [H, W], or of the box.
            box: as of :meth:`rgb`.

        Raises:
            InputError: other shapes.
        """
        before = self._part(box)
        if rgb.shape != (*before.shape[:2], 3) or where.shape != before.shape[:2]:
            raise InputError(
                f"colours {list(rgb.shape)} and a mask {list(where.shape)} do not fit a part of "
                f"{before.shape[1]}x{before.shape[0]} pixels. Give [H, W, 3] and [H, W] of the photograph or of the box."
            )
        largest = np.iinfo(before.dtype).max
        own = before[where][:, :3].astype(np.float32)
        change = np.clip(rgb[where], 0, 1) * largest - (np.repeat(own, 3, 1) if own.shape[1] == 1 else own)
        own += change @ _LUMA[:, None] if own.shape[1] == 1 else change
        after = before.copy()
        kept = before[where]
        kept[:, :3] = np.clip(np.round(own), 0, largest).astype(before.dtype)
        after[where] = kept
        pixels = self.pixels.copy()
        x0, y0, x1, y1 = box or (0, 0, self.shape[1], self.shape[0])
        pixels[y0:y1, x0:x1] = after
        return dataclasses.replace(self, pixels=pixels)

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write it in the format of the path's suffix."""
        from PIL import Image

        from semanticgan.files import user_path, written_aside

        with written_aside(user_path(path, "output"), overwrite) as aside:
            Image.fromarray(self.pixels[:, :, 0] if self.pixels.shape[2] == 1 else self.pixels).save(aside)

    def _part(self, box: Box | None) -> Pixels:
        if box is None:
            return self.pixels
        x0, y0, x1, y1 = box
        height, width = self.shape
        if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
            raise InputError(f"the box {box} is not within a photograph of {width}x{height} pixels.")
        return self.pixels[y0:y1, x0:x1]


def read_photograph(path: str | Path) -> Photograph:
    """Read a photograph of any format that Pillow decodes."""
    from semanticgan.data.decoding import converted, decode
    from semanticgan.files import user_path

    decoded = decode(user_path(path, "photograph"))
    image = decoded.image
    mode = image.mode if image.mode in ("L", "RGB", "RGBA") else "RGBA" if image.has_transparency_data else "RGB"
    pixels = np.array(converted(image, mode, decoded.name))
    return Photograph(pixels.reshape(*pixels.shape[:2], -1))
