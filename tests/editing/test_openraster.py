"""Layered files against the OpenRaster specification, and as Pillow opens their pictures."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semanticgan.editing.openraster import Layer, save_openraster
from semanticgan.errors import ExistingFileError, InputError


def opened(file: zipfile.ZipFile, name: str) -> Image.Image:
    picture = Image.open(io.BytesIO(file.read(name)))
    picture.load()
    assert picture.format == "PNG"
    return picture


def test_a_layered_file(tmp_path: Path) -> None:
    below = np.full((300, 400, 3), 40, np.uint8)
    above = np.dstack([np.full((20, 30, 3), 200, np.uint8), np.full((20, 30), 255, np.uint8)])
    path = tmp_path / "a.ora"
    save_openraster(path, (400, 300), [Layer("hair", above, 7, 11), Layer("photograph", below)])
    content = path.read_bytes()
    assert content[30:38] == b"mimetype" and content[38:54] == b"image/openraster"  # readable at a fixed place
    with zipfile.ZipFile(path) as file:
        first = file.infolist()[0]
        assert first.filename == "mimetype" and first.compress_type == zipfile.ZIP_STORED
        image = ElementTree.fromstring(file.read("stack.xml"))
        assert image.tag == "image" and (image.get("w"), image.get("h")) == ("400", "300") and image.get("version")
        (stack,) = image
        assert stack.tag == "stack"
        layers = [(layer.get("name"), layer.get("x"), layer.get("y")) for layer in stack]
        assert layers == [("hair", "7", "11"), ("photograph", "0", "0")]
        assert [opened(file, layer.get("src", "")).size for layer in stack] == [(30, 20), (400, 300)]
        merged = np.asarray(opened(file, "mergedimage.png").convert("RGB"))
        expected = below.copy()
        expected[11:31, 7:37] = 200
        assert np.array_equal(merged, expected)
        assert max(opened(file, "Thumbnails/thumbnail.png").size) == 256
    with pytest.raises(ExistingFileError):
        save_openraster(path, (400, 300), [Layer("photograph", below)])
    with pytest.raises(InputError, match="at least one layer"):
        save_openraster(tmp_path / "b.ora", (4, 4), [])
    with pytest.raises(InputError, match="suffix"):
        save_openraster(tmp_path / "b.png", (4, 4), [Layer("photograph", below)])
