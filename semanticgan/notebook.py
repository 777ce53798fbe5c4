"""What a notebook shows of codes and renderings: a small PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image
from torch import Tensor

_MOST_SHOWN = 16  # pictures or codes; a notebook keeps every PNG in its file
_NUM_COLUMNS = 4
_SMALLEST_SIDE = 256  # of all that is shown; less is enlarged by a whole number
_LINE, _GAP, _WIDTH = 6, 4, 512  # of the heat map, in pixels
_COLD, _ZERO, _WARM = (33, 102, 172), (247, 247, 247), (178, 24, 43)


def pictures_png(pictures: Sequence[Image.Image]) -> bytes:
    """Square pictures in rows of four, the first 16 of them, as PNG."""
    shown = pictures[:_MOST_SHOWN]
    side = shown[0].width
    columns = min(_NUM_COLUMNS, len(shown))
    sheet = Image.new("RGB", (columns * side, -(-len(shown) // columns) * side), (255, 255, 255))
    for number, picture in enumerate(shown):
        sheet.paste(picture, (number % columns * side, number // columns * side))
    factor = max(1, _SMALLEST_SIDE // sheet.width)
    return _png(sheet.resize((sheet.width * factor, sheet.height * factor), Image.Resampling.NEAREST))


def rows_png(tensor: Tensor) -> bytes:
    """A code [N, R, D] as a heat map: one line per row, the first 16 images below each other, as PNG.

    White is 0, red positive, blue negative; the strongest colours are the largest absolute value shown.
    """
    values = tensor[:_MOST_SHOWN].detach().float().cpu().numpy()
    values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    strength = values / max(float(np.abs(values).max(initial=0.0)), 1e-12)
    warm = np.clip(strength, 0.0, 1.0)[..., None]
    cold = np.clip(-strength, 0.0, 1.0)[..., None]
    colours = np.asarray(_ZERO) * (1 - warm - cold) + np.asarray(_WARM) * warm + np.asarray(_COLD) * cold
    num_codes, num_rows = values.shape[:2]
    width = max(_WIDTH, values.shape[2])
    height = num_rows * _LINE
    sheet = Image.new("RGB", (width, num_codes * (height + _GAP) - _GAP), (255, 255, 255))
    for number, code in enumerate(colours.round().astype(np.uint8)):
        picture = Image.fromarray(code).resize((width, height), Image.Resampling.NEAREST)
        sheet.paste(picture, (0, number * (height + _GAP)))
    return _png(sheet)


def _png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    return stream.getvalue()
