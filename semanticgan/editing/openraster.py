"""Layered pictures for any editor: OpenRaster files (.ora), which GIMP, Krita, MyPaint and others open.

A file is a zip: ``mimetype`` first and stored, ``stack.xml`` the layers from the top down, ``data/*.png`` their
pictures, ``mergedimage.png`` all of them flattened, ``Thumbnails/thumbnail.png`` of at most 256 pixels.
Source: OpenRaster 0.0.6, freedesktop.org.
"""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from semanticgan.editing.outputs import require_suffix
from semanticgan.errors import InputError
from semanticgan.files import written_aside

MIMETYPE = "image/openraster"

_VERSION = "0.0.6"
_THUMBNAIL = 256
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same layers give the same bytes


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer.

    Attributes:
        name: as an editor shows it.
        pixels: uint8 [h, w, 3] or [h, w, 4], the last channel alpha.
        left, top: of its first pixel in the whole picture.
        visible: whether it is shown.
    """

    name: str
    pixels: np.ndarray
    left: int = 0
    top: int = 0
    visible: bool = True


def save_openraster(path: str | Path, size: tuple[int, int], layers: Sequence[Layer], overwrite: bool = False) -> None:
    """Write layers as one file.

    Args:
        path: a name in .ora.
        size: (width, height) of the picture.
        layers: from the top down, at least one.
        overwrite: replace an existing file.

    Raises:
        InputError: another suffix, or no layer.
        ExistingFileError, UnwritableError: as :func:`semanticgan.files.written_aside`.
    """
    if not layers:
        raise InputError("a layered file has at least one layer. Give one.")
    merged = flattened(size, layers)
    thumbnail = merged.copy()
    thumbnail.thumbnail((_THUMBNAIL, _THUMBNAIL))
    with (
        written_aside(require_suffix(path, (".ora",)), overwrite) as aside,
        zipfile.ZipFile(aside, "w", zipfile.ZIP_STORED) as file,
    ):
        _add(file, "mimetype", MIMETYPE.encode("ascii"))
        _add(file, "stack.xml", _stack(size, layers))
        for number, layer in enumerate(layers):
            _add(file, f"data/layer{number}.png", _png(Image.fromarray(layer.pixels)))
        _add(file, "mergedimage.png", _png(merged))
        _add(file, "Thumbnails/thumbnail.png", _png(thumbnail))


def flattened(size: tuple[int, int], layers: Sequence[Layer]) -> Image.Image:
    """The visible layers over one another, RGBA."""
    picture = Image.new("RGBA", size)
    for layer in reversed(layers):
        if layer.visible:
            picture.alpha_composite(Image.fromarray(layer.pixels).convert("RGBA"), (layer.left, layer.top))
    return picture


def _stack(size: tuple[int, int], layers: Sequence[Layer]) -> bytes:
    image = ElementTree.Element("image", version=_VERSION, w=str(size[0]), h=str(size[1]))
    stack = ElementTree.SubElement(image, "stack")
    for number, layer in enumerate(layers):
        ElementTree.SubElement(
            stack,
            "layer",
            {
                "name": layer.name,
                "src": f"data/layer{number}.png",
                "x": str(layer.left),
                "y": str(layer.top),
                "opacity": "1.0",
                "visibility": "visible" if layer.visible else "hidden",
                "composite-op": "svg:src-over",
            },
        )
    text: bytes = ElementTree.tostring(image, encoding="UTF-8", xml_declaration=True)
    return text


def _png(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def _add(file: zipfile.ZipFile, name: str, content: bytes) -> None:
    file.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_STORED)
