"""Colours of a photograph's ICC profile as sRGB and back, in floating point.

    sRGB = encode(M_s^-1 M_p curve_p(own)),  own = curve_p^-1(M_p^-1 M_s decode(sRGB))

M are the columns of the primaries in XYZ under D50, curve_p one a channel. That is the whole of a profile of three
primaries (Display P3, Adobe RGB, ProPhoto). Any other profile goes through LittleCMS in 8 bits.
Sources: ICC.1:2022, sections 8.3.3, 10.6 and 10.18; IEC 61966-2-1.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

_PRIMARIES = np.array(  # of sRGB, adapted to D50
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)
_STEPS = 4096  # of a table of a curve
_SAME = 1.5 / 255
"""Colours that differ by less from sRGB are sRGB."""

Curve = NDArray[np.float32]
"""[4096]: own value from 0 to 1 -> linear."""


@dataclass(frozen=True, eq=False)
class Colours:
    """What a profile's colours are.

    Attributes:
        profile: the ICC profile as it was read.
        curves: of the three channels, increasing.
        primaries: float64 [3, 3], columns red, green, blue in XYZ under D50.
    """

    profile: bytes
    curves: tuple[Curve, Curve, Curve] | None
    primaries: NDArray[np.float64] | None

    def to_srgb(self, own: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 [..., 3] in [0, 1] -> sRGB of the same shape, cut off to [0, 1]."""
        if self.curves is None or self.primaries is None:
            return _by_littlecms(own, self.profile, _srgb_profile())
        grid = np.linspace(0, 1, _STEPS, dtype=np.float32)
        linear = np.stack([np.interp(own[..., i], grid, self.curves[i]) for i in range(3)], -1)
        return encoded((linear @ (np.linalg.inv(_PRIMARIES) @ self.primaries).T).astype(np.float32))

    def of_srgb(self, rgb: NDArray[np.float32]) -> NDArray[np.float32]:
        """sRGB, float32 [..., 3] in [0, 1] -> own colours, cut off to [0, 1]."""
        if self.curves is None or self.primaries is None:
            return _by_littlecms(rgb, _srgb_profile(), self.profile)
        grid = np.linspace(0, 1, _STEPS, dtype=np.float32)
        linear = decoded(rgb) @ (np.linalg.inv(self.primaries) @ _PRIMARIES).T
        linear = np.clip(linear, 0, 1)
        return np.stack([np.interp(linear[..., i], self.curves[i], grid) for i in range(3)], -1).astype(np.float32)


def colours_of(profile: bytes | None) -> Colours | None:
    """The colours of an RGB profile; None where they are those of sRGB, or the profile is damaged or not of RGB."""
    if not profile:
        return None
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if opened.profile.xcolor_space.strip() != "RGB":
            return None
        tags = _tags(profile)
        curves, primaries = None, None
        if opened.profile.is_matrix_shaper and b"A2B0" not in tags:
            curves = (_curve(tags[b"rTRC"]), _curve(tags[b"gTRC"]), _curve(tags[b"bTRC"]))
            primaries = np.array([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]).T
            np.linalg.inv(primaries)
        colours = Colours(profile, curves, primaries)
        steps = np.linspace(0, 1, 6, dtype=np.float32)
        probe = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, 1, 3)
        return None if np.abs(colours.to_srgb(probe) - probe).max() < _SAME else colours
    except (ImageCms.PyCMSError, OSError, struct.error, KeyError, ValueError, np.linalg.LinAlgError):
        return None


def decoded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """sRGB in [0, 1] -> linear."""
    values = np.clip(values, 0, 1)
    linear: NDArray[np.float32] = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


def encoded(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear -> sRGB, cut off to [0, 1]."""
    linear = np.clip(linear, 0, 1)
    values: NDArray[np.float32] = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return values.astype(np.float32)


def cmyk_to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """A CMYK image as RGB, by its profile where it has one that can be used."""
    if profile:
        try:
            opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, opened, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError):
            pass
    return image.convert("RGB")


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    tags = {}
    for index in range(min(count, 100)):
        name, start, length = struct.unpack_from(">4sII", profile, 132 + 12 * index)
        tags[name] = profile[start : start + length]
    return tags


def _xyz(tag: bytes) -> list[float]:
    return [value / 65536 for value in struct.unpack_from(">3i", tag, 8)]


def _curve(tag: bytes) -> Curve:
    """A tag "curv" (a power or a table) or "para" (a power with a linear start) as a table."""
    x = np.linspace(0, 1, _STEPS)
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        table = np.array(struct.unpack_from(f">{count}H", tag, 12), np.float64)
        y = x if count == 0 else x ** (table[0] / 256) if count == 1 else np.interp(x, np.linspace(0, 1, count), table)
        y = y / 65535 if count > 1 else y
    elif tag[:4] == b"para":
        y = _parametric(x, struct.unpack_from(">H", tag, 8)[0], tag)
    else:
        raise ValueError("neither curv nor para")
    if not np.isfinite(y).all() or (np.diff(y) < 0).any() or y[-1] <= y[0]:
        raise ValueError("a curve that does not increase")
    return (np.clip(y, 0, 1) + 1e-9 * np.arange(_STEPS)).astype(np.float32)


def _parametric(x: NDArray[np.float64], kind: int, tag: bytes) -> NDArray[np.float64]:
    """ICC.1:2022, table 68: (a x + b)^g + e from d on, c x + f below."""
    numbers = [value / 65536 for value in struct.unpack_from(f">{(1, 3, 4, 5, 7)[min(kind, 4)]}i", tag, 12)]
    filled = [*numbers, *(1.0, 0.0, 0.0, 0.0, 0.0, 0.0)[len(numbers) - 1 :]]
    g, a, b, c, d, e, f = filled
    if kind in (1, 2):  # no linear start: c is what is added
        c, d, e, f = 0.0, -b / a, c, c
    power = np.maximum(a * x + b, 0) ** g + e
    return np.where(x >= d, power, c * x + f)


def _srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _by_littlecms(values: NDArray[np.float32], source: bytes, target: bytes) -> NDArray[np.float32]:
    """Colours of one profile in another, in 8 bits."""
    flat = np.round(np.clip(values, 0, 1) * 255).astype(np.uint8).reshape(1, -1, 3)
    own, other = (ImageCms.ImageCmsProfile(io.BytesIO(part)) for part in (source, target))
    result = np.asarray(ImageCms.profileToProfile(Image.fromarray(flat), own, other), np.float32)
    return (result / np.float32(255)).reshape(values.shape)
