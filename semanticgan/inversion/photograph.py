"""A photograph as its file has it, and what of it may change.

    own = T(rgb) + f (own - T(rgb of own)),  where  T: sRGB -> the file's own colours

f is 1 where a pixel's sRGB did not change and falls to 0 with the change. So an unchanged pixel keeps its own bits,
whatever its profile, and so do colours outside sRGB, while a new colour is what was asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semanticgan.data.decoding import MAX_MEGAPIXELS
from semanticgan.errors import InputError
from semanticgan.inversion.colour import Colours, colours_of
from semanticgan.inversion.photograph_reading import Beside, read_pixels
from semanticgan.inversion.photograph_writing import Metadata, write_pixels
from semanticgan.inversion.privacy import clean_exif, clean_xmp, exif_block, upright_exif
from semanticgan.inversion.resampling import Box

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

Changed = Callable[[NDArray[np.float32], Box], tuple[NDArray[np.float32], NDArray[np.bool_]]]
"""sRGB of a box of a photograph, float32 [h, w, 3], and the box -> other colours, and where they go, bool [h, w]."""

_STRIP = 1_000_000  # pixels at a time
_FADED = 1 / 8  # change of sRGB from which on nothing of the old colour is left
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph, upright.

    Attributes:
        pixels: the file's own, [H, W, C] uint8 or uint16: grey (C = 1), RGB (3) or RGB and alpha (4), in the colours
            of its profile.
        beside: what its file says beside the pixels.
        colours: those of its profile; None for sRGB.
    """

    pixels: Pixels
    beside: Beside = field(default_factory=lambda: Beside(""))
    colours: Colours | None = None

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
        return self._srgb(_values(self._part(box)))

    def to_uint8(self, box: Box | None = None) -> NDArray[np.uint8]:
        """Its colours as sRGB of 8 bits, uint8 [H, W, 3], or [H, W, 4] with its alpha, as editors of layers take them.

        Only what is not such already is converted, a strip of rows at a time.

        Args:
            box: as of :meth:`rgb`.
        """
        own = self._part(box)
        if own.dtype == np.uint8 and own.shape[2] >= 3 and self.colours is None:
            return np.asarray(own, np.uint8)
        result = np.empty((*own.shape[:2], max(own.shape[2], 3)), np.uint8)
        rows = max(_STRIP // own.shape[1], 1)
        for y in range(0, len(own), rows):
            strip = own[y : y + rows]
            result[y : y + rows, :, :3] = np.round(np.clip(self._srgb(_values(strip)), 0, 1) * 255)
            if own.shape[2] == 4:
                result[y : y + rows, :, 3] = np.round(strip[..., 3] / np.float32(np.iinfo(own.dtype).max) * 255)
        return result

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
                f"{before.shape[1]}x{before.shape[0]} pixels. Give [H, W, 3] and [H, W] of the photograph or the box."
            )
        own = _values(before[where])
        change = np.clip(rgb[where], 0, 1) - self._srgb(own)
        if own.shape[-1] == 1:
            own += change @ _LUMA[:, None]
        elif self.colours is None:
            own += change
        else:
            old = self._srgb(own)
            outside = own - self.colours.of_srgb(old)
            outside *= np.clip(1 - np.abs(change).max(-1, keepdims=True) / _FADED, 0, 1)
            own = self.colours.of_srgb(old + change) + outside
        largest = np.iinfo(before.dtype).max
        kept = before[where]
        kept[:, :3] = np.round(np.clip(own, 0, 1) * largest).astype(before.dtype)
        pixels = self.pixels.copy()
        x0, y0, x1, y1 = box or (0, 0, self.shape[1], self.shape[0])
        pixels[y0:y1, x0:x1][where] = kept
        return dataclasses.replace(self, pixels=pixels)

    def with_strips(self, changed: Changed, box: Box) -> Photograph:
        """The photograph with a box of it changed, a strip of rows at a time: a large one takes little memory.

        Args:
            changed: gets sRGB, float32 [h, w, 3], and its box; returns other colours and bool [h, w], where they go.
            box: x0, y0, x1, y1; nothing outside it is changed.
        """
        pixels = self.pixels.copy()
        left, top, right, bottom = box
        height = max(_STRIP // max(right - left, 1), 1)
        for y in range(top, bottom, height):
            end = min(y + height, bottom)
            part = dataclasses.replace(self, pixels=self.pixels[y:end, left:right])
            rgb, where = changed(part.rgb(), (left, y, right, end))
            if where.any():
                pixels[y:end, left:right] = part.with_rgb(rgb, where).pixels
        return dataclasses.replace(self, pixels=pixels)

    def save(
        self,
        path: str | Path,
        overwrite: bool = False,
        *,
        keep_metadata: bool = False,
        xmp: bytes | None = None,
    ) -> None:
        """Write it in the format of the path's suffix, upright, with its profile and what its file said.

        Args:
            path: a name in .png, .tif, .webp (lossless), .jpg or .jpeg. A JPEG that comes from a JPEG keeps that
                file's quantisation tables and chroma subsampling.
            overwrite: replace an existing file.
            keep_metadata: keep location, serial numbers, the owner's name and the maker's notes, too.
            xmp: a packet to write instead of :meth:`xmp`.

        Raises:
            InputError: another suffix, an existing file without ``overwrite``, a folder that cannot be written.
        """
        tags = clean_exif(self.beside.exif)
        exif = upright_exif(self.beside.exif) if keep_metadata else exif_block(tags)
        packet = self.xmp(keep_metadata) if xmp is None else xmp
        metadata = Metadata(self.beside.profile, exif, tags, packet, self.beside.jpeg)
        write_pixels(path, self.pixels, metadata, overwrite)

    def xmp(self, keep_metadata: bool = False) -> bytes:
        """Its XMP packet as it is written back: upright, and without what is private unless that is kept."""
        return clean_xmp(self.beside.xmp, keep_metadata)

    def _srgb(self, own: NDArray[np.float32]) -> NDArray[np.float32]:
        """[..., 1 or 3] own values -> [..., 3] sRGB. A grey picture's profile is kept and not looked at."""
        if own.shape[-1] == 1:
            return np.repeat(own, 3, axis=-1)
        return own if self.colours is None else self.colours.to_srgb(own)

    def _part(self, box: Box | None) -> Pixels:
        if box is None:
            return self.pixels
        x0, y0, x1, y1 = box
        height, width = self.shape
        if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
            raise InputError(f"the box {box} is not within a photograph of {width}x{height} pixels.")
        return self.pixels[y0:y1, x0:x1]


def _values(pixels: Pixels) -> NDArray[np.float32]:
    """Own values without alpha, float32 in [0, 1], a copy."""
    return pixels[..., :3].astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


def read_photograph(path: str | Path, max_megapixels: float = MAX_MEGAPIXELS) -> Photograph:
    """Read a photograph: JPEG, PNG, WebP, TIFF, BMP, GIF, PPM; AVIF where Pillow has it; HEIC with ``[heic]``.

    Args:
        path: its file, which is not changed.
        max_megapixels: the largest picture that is read.

    Raises:
        MissingFileError: no such file.
        InputError: it is damaged, too large, no picture, or its format needs a package that is missing.
    """
    pixels, beside = read_pixels(path, max_megapixels)
    return Photograph(pixels, beside, colours_of(beside.profile) if pixels.shape[2] >= 3 else None)
