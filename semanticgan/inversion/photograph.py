"""A photograph as its file has it, and what of it may change.

    own = own + (T(rgb) - T(rgb of own)),  where  T: sRGB -> the file's own colours

so that a pixel whose sRGB did not change keeps its own bits, whatever its profile, and colours outside sRGB survive.
"""

from __future__ import annotations

import dataclasses
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from semanticgan.errors import InputError
from semanticgan.inversion.resampling import Box

if TYPE_CHECKING:
    from semanticgan.inversion.photograph_metadata import Kept

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph, upright.

    Attributes:
        pixels: the file's own, [H, W, C] uint8 or uint16: grey (C = 1), RGB (3) or RGB and alpha (4), in the colours
            of its profile.
        profile: its ICC profile; None is sRGB.
        kept: what else of its file is written back; None of a picture that is not of a file.
    """

    pixels: Pixels
    profile: bytes | None = None
    kept: Kept | None = field(default=None, repr=False)

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
        return self._as_srgb(self._part(box))

    def reduced(self, scale: float, box: Box | None = None) -> NDArray[np.uint8]:
        """A copy of another size as sRGB, uint8 [h, w, 3]; the pixels are resized before anything is converted.

        Args:
            scale: of its sides; antialiased below 1, bicubic above.
            box: as of :meth:`rgb`.
        """
        part = self._part(box)
        size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
        resized = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        return _to_8_bits(self._as_srgb(resized.reshape(size[1], size[0], -1))).clip(0, 255).astype(np.uint8)

    def _as_srgb(self, part: Pixels) -> NDArray[np.float32]:
        own = part[:, :, :3].astype(np.float32) / np.float32(np.iinfo(part.dtype).max)
        own = np.repeat(own, 3, axis=2) if own.shape[2] == 1 else own
        if self.profile is None or part.shape[2] == 1:
            return own
        return own + (_transformed(own, self.profile, inwards=True) - _to_8_bits(own)) / np.float32(255)

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
                f"{before.shape[1]}x{before.shape[0]} pixels. Give [H, W, 3] and [H, W] of the part."
            )
        largest = np.iinfo(before.dtype).max
        change = (np.clip(rgb, 0, 1) - self._as_srgb(before)) * largest
        if self.profile is not None and before.shape[2] > 1:
            ours = self._as_srgb(before)
            outwards = (_transformed(colours, self.profile, inwards=False) for colours in (np.clip(rgb, 0, 1), ours))
            change = np.subtract(*outwards) * (largest / 255)
        change = change[where]
        after, kept = before.copy(), before[where]
        own = kept[:, :3].astype(np.float32)
        own += change @ _LUMA[:, None] if own.shape[1] == 1 else change
        kept[:, :3] = np.clip(np.round(own), 0, largest).astype(before.dtype)
        after[where] = kept
        pixels = self.pixels.copy()
        x0, y0, x1, y1 = box or (0, 0, self.shape[1], self.shape[0])
        pixels[y0:y1, x0:x1] = after
        return dataclasses.replace(self, pixels=pixels)

    def save(
        self, path: str | Path, overwrite: bool = False, keep_metadata: bool = False, xmp: bytes | None = None
    ) -> None:
        """Write it in the format of the path's suffix.

        A JPEG of a JPEG has the same quantisation tables and subsampling. Profile and metadata are written back, but
        for the place, serial numbers, and the small picture that cameras add.

        Args:
            path: a name in .png, .jpg, .jpeg, .webp, .tif, .tiff or .avif; .png keeps the pixels as they are.
            overwrite: replace an existing file.
            keep_metadata: keep place and serial numbers.
            xmp: in place of the file's own XMP.

        Raises:
            InputError: another suffix, an existing file, or transparency that the format cannot keep.
        """
        from semanticgan.inversion.photograph_files import write_photograph

        write_photograph(self, path, overwrite, keep_metadata, xmp)

    def _part(self, box: Box | None) -> Pixels:
        if box is None:
            return self.pixels
        x0, y0, x1, y1 = box
        height, width = self.shape
        if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
            raise InputError(f"the box {box} is not within a photograph of {width}x{height} pixels.")
        return self.pixels[y0:y1, x0:x1]


def read_photograph(path: str | Path) -> Photograph:
    """Read a photograph of any format that Pillow decodes; HEIC with the extra [heic].

    Raises:
        MissingFileError: no such file.
        InputError: it is damaged, too large, of a format that cannot be read here, or no picture.
    """
    from semanticgan.inversion.photograph_files import read

    return read(path)


def _to_8_bits(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values in [0, 1] as whole levels of 0..255."""
    return np.round(colours * 255).astype(np.float32)


def _transformed(colours: NDArray[np.float32], profile: bytes, inwards: bool) -> NDArray[np.float32]:
    """Colours [H, W, 3] in [0, 1] through a profile, to sRGB (inwards) or from it, as levels of 0..255."""
    own, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    source, target = (own, srgb) if inwards else (srgb, own)
    picture = Image.fromarray(_to_8_bits(colours).astype(np.uint8))
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    changed = ImageCms.profileToProfile(picture, source, target, intent, outputMode="RGB")
    return np.asarray(changed, np.float32)
