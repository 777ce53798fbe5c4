"""Square pictures from files and folders, as networks take them.

S side of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from semanticgan.data.decoding import MAX_MEGAPIXELS, read_header
from semanticgan.data.pictures import PICTURE_SUFFIXES, read_picture, resize_picture
from semanticgan.errors import InputError
from semanticgan.files import require_file, user_path


def pictures_in(
    paths: Sequence[str | Path], suffixes: Sequence[str] = PICTURE_SUFFIXES, what: str = "picture"
) -> list[Path]:
    """The pictures among files and folders, those of a folder by name.

    Args:
        paths: of files and folders.
        suffixes: what is taken from a folder.
        what: what they are called in messages.

    Raises:
        InputError: a path that is neither, a folder without pictures, or two pictures of one name.
    """
    found: list[Path] = []
    for given in paths:
        path = user_path(given, what)
        if path.is_dir():
            inside = [item for item in sorted(path.iterdir()) if item.suffix.lower() in suffixes and item.is_file()]
            inside = [item for item in inside if not item.name.startswith(".")]
            if not inside:
                raise InputError(f"the folder {str(path)!r} has no {what}s ({', '.join(suffixes)}). Give another.")
            found += inside
        else:
            found.append(require_file(path, what))
    names: dict[str, Path] = {}
    for path in found:
        other = names.setdefault(path.stem, path)
        if other is not path:
            raise InputError(
                f"{str(other)!r} and {str(path)!r} would have one name in the output folder. Rename one, or write "
                "them into two folders."
            )
    return found


def require_square(paths: Sequence[Path]) -> None:
    """Check the shapes of pictures by their headers.

    Raises:
        InputError: one that is not square, or no picture.
    """
    for path in paths:
        width, height = read_header(path.read_bytes(), str(path)).size
        if width != height:
            raise InputError(
                f"picture {str(path)!r} is {width}x{height}, not square. Crop it, or add --crop to use the middle "
                "square of each picture."
            )


def read_squares(paths: Sequence[Path], size: int, max_megapixels: float = MAX_MEGAPIXELS) -> Tensor:
    """The middle squares of pictures, uint8 [N, 3, size, size].

    Raises:
        InputError: a file that is damaged, too large, or no picture.
    """
    levels = [resize_picture(read_picture(path, max_megapixels=max_megapixels), size) for path in paths]
    return torch.stack([torch.tensor(one).permute(2, 0, 1) for one in levels])


def to_floats(levels: Tensor) -> Tensor:
    """uint8 0..255 -> float32 in [-1, 1], as networks take pictures."""
    return levels.float() / 127.5 - 1.0
