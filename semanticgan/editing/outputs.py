"""Pictures, label maps and videos as files: lossless, and whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from semanticgan import extras
from semanticgan.errors import InputError
from semanticgan.files import user_path, written_aside
from semanticgan.regions import RegionScheme

VIDEO_SUFFIXES = (".mp4", ".gif")


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


def save_picture(picture: Image.Image, path: str | Path, overwrite: bool = False) -> None:
    """Write a picture as PNG.

    Raises:
        InputError: another suffix, an existing file without ``overwrite``, a folder that cannot be written.
    """
    path = require_suffix(path)
    with written_aside(path, overwrite) as aside:
        picture.save(aside)


def require_video_writer(path: str | Path) -> Path:
    """Return ``path`` if it ends in .mp4 or .gif and what writes that is installed; ask before long work starts.

    Raises:
        InputError: another suffix, or the extra ``video`` is missing.
    """
    path = require_suffix(path, VIDEO_SUFFIXES)
    if path.suffix.lower() == ".mp4":
        extras.require("mp4")
    return path


def save_video(
    frames: Iterable[Tensor], path: str | Path, frames_per_second: int = 24, enlarge: int = 1, overwrite: bool = False
) -> int:
    """Write a video, .mp4 (H.264) or .gif, that repeats for ever where the format can.

    Args:
        frames: uint8 [3, S, S] each, taken one at a time.
        path: the file.
        frames_per_second: how fast.
        enlarge: repeat each pixel this often in both directions, smoothed.
        overwrite: replace an existing file.

    Returns:
        The number of frames.

    Raises:
        InputError: no frame, or as :func:`require_video_writer` and :func:`semanticgan.files.require_free`.
    """
    path = require_video_writer(path)
    num_frames = 0

    def pictures() -> Iterator[Image.Image]:
        nonlocal num_frames
        for frame in frames:
            num_frames += 1
            picture = to_image(frame)
            side = picture.width * enlarge
            yield picture if enlarge == 1 else picture.resize((side, side), Image.Resampling.BICUBIC)

    with written_aside(path, overwrite) as aside:
        if path.suffix.lower() == ".mp4":
            _write_mp4(pictures(), aside, frames_per_second)
        else:
            _write_gif(pictures(), aside, frames_per_second)
        if not num_frames:
            raise InputError("a video needs at least one frame.")
    return num_frames


def _write_mp4(pictures: Iterator[Image.Image], path: Path, frames_per_second: int) -> None:
    from imageio.v2 import get_writer

    # macro_block_size 2: H.264 needs even sides, not multiples of 16; quality 9 keeps skin free of blocks.
    writer: Any = get_writer(path, fps=frames_per_second, codec="libx264", quality=9, macro_block_size=2)
    with writer:
        for picture in pictures:
            writer.append_data(np.asarray(picture))


def _write_gif(pictures: Iterator[Image.Image], path: Path, frames_per_second: int) -> None:
    first = next(pictures, None)
    if first is not None:
        duration = round(1000 / frames_per_second)
        first.save(path, save_all=True, append_images=pictures, duration=duration, loop=0)
