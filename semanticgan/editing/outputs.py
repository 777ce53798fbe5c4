"""Pictures and label maps as files: lossless, and whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.files import user_path, written_aside
from semanticgan.formats.provenance import Mark, save_marked
from semanticgan.model import Model
from semanticgan.regions import RegionScheme


def to_image(picture: Tensor) -> Image.Image:
    """uint8 [3, S, S] -> PIL."""
    return Image.fromarray(np.ascontiguousarray(picture.permute(1, 2, 0).cpu().numpy()))


def label_picture(labels: Tensor, regions: RegionScheme) -> Image.Image:
    """A label map, uint8 [S, S], as a palette picture whose indices are the labels."""
    picture = Image.fromarray(labels.cpu().numpy())
    picture.putpalette(regions.palette())
    return picture


def require_suffix(path: str | Path, allowed: Sequence[str] = (".png",)) -> Path:
    """Return ``path`` if its name ends in one of the allowed suffixes.

    Raises:
        InputError: another suffix.
    """
    path = user_path(path, "output")
    if path.suffix.lower() not in allowed:
        raise InputError(f"output {str(path)!r} has the suffix {path.suffix!r}. Give a name in {' or '.join(allowed)}.")
    return path


def mark_of(model: Model, kind: str = "generated", script: str = "") -> Mark:
    """The mark of a picture that this model made; ``script`` is the JSON of its edit."""
    return Mark(kind, model.metadata.description, model.metadata.digest, script)


def save_picture(picture: Image.Image, path: str | Path, overwrite: bool = False, mark: Mark | None = None) -> None:
    """Write a picture as PNG.

    Args:
        picture: any.
        path: a name in .png.
        overwrite: replace an existing file.
        mark: what the file says of its making; None for label maps and other data.

    Raises:
        InputError: another suffix, an existing file without ``overwrite``, a folder that cannot be written.
    """
    path = require_suffix(path)
    with written_aside(path, overwrite) as aside:
        save_marked(picture, aside, mark)
