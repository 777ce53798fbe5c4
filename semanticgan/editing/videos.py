"""Videos as files: whole, checked by reading them again, or not at all."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image
from torch import Tensor

from semanticgan import extras
from semanticgan.editing.outputs import require_suffix, to_image
from semanticgan.errors import InputError, UnwritableError
from semanticgan.files import SYSTEM_REASONS, written_aside

VIDEO_SUFFIXES = (".mp4", ".gif")

_QUALITY = 5  # H.264's constant rate factor, 0 to 51: keeps skin free of blocks
_FRAMES = re.compile(rb"frame=\s*(\d+)")
_LONGEST_REASON = 200


def require_video_writer(path: str | Path) -> Path:
    """Return ``path`` if it ends in .mp4 or .gif and what writes that is installed; ask before long work starts.

    Raises:
        InputError: another suffix, or the extra ``video`` is missing.
    """
    path = require_suffix(path, VIDEO_SUFFIXES)
    if path.suffix.lower() == ".mp4":
        extras.require("mp4")
        _ffmpeg()
    return path


def save_video(
    frames: Iterable[Tensor], path: str | Path, frames_per_second: int = 24, enlarge: int = 1, overwrite: bool = False
) -> int:
    """Write a video, .mp4 (H.264) or .gif, that repeats for ever where the format can.

    Args:
        frames: uint8 [3, S, S] each, taken one at a time.
        enlarge: repeat each pixel this often in both directions, smoothed.

    Returns:
        The number of frames.

    Raises:
        InputError: no frame, or as :func:`require_video_writer` and :func:`semanticgan.files.require_free`.
        UnwritableError: it could not be written whole; an existing file stays.
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
            found = _frames_of_mp4(aside) if num_frames else 0
        else:
            _write_gif(pictures(), aside, frames_per_second)
            found = _frames_of_gif(aside, frames_per_second) if num_frames else 0
        if not num_frames:
            raise InputError("a video needs at least one frame.")
        if found != num_frames:
            raise UnwritableError(
                f"the video {str(path)!r} has {found} of {num_frames} frames when it is read again. Nothing was "
                "replaced. Make room, then run this again."
            )
    return num_frames


def seconds_of(path: str | Path, num_frames: int, frames_per_second: int) -> float:
    """How long a video of :func:`save_video` lasts; a GIF counts in hundredths of a second."""
    if Path(path).suffix.lower() == ".gif":
        return _hundredths(num_frames, frames_per_second) / 100
    return num_frames / frames_per_second


def _hundredths(num_frames: int, frames_per_second: int) -> int:
    """When frame ``num_frames`` begins in a GIF, in hundredths of a second."""
    return round(100 * num_frames / frames_per_second)


def _write_mp4(pictures: Iterator[Image.Image], path: Path, frames_per_second: int) -> None:
    """Frames into ffmpeg, whose words are kept for the one line that says why it failed."""
    first = next(pictures, None)
    if first is None:
        return
    command = [_ffmpeg(), "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{first.width}x{first.height}"]
    command += ["-r", str(frames_per_second), "-i", "-", "-an", "-vcodec", "libx264", "-pix_fmt", "yuv420p"]
    # H.264 needs even sides.
    command += ["-crf", str(_QUALITY), "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-v", "warning", str(path)]
    with tempfile.TemporaryFile() as said:
        process = _started(command, said)
        assert process.stdin is not None
        try:
            with process.stdin as frames:
                frames.write(np.asarray(first).tobytes())
                for picture in pictures:
                    frames.write(np.asarray(picture).tobytes())
        except BrokenPipeError:  # it ended early, and says why below
            pass
        except BaseException:
            process.kill()
            raise
        finally:
            code = process.wait()
        if code:
            raise UnwritableError(f"ffmpeg could not write the video ({_reason(said, code)}). Nothing was replaced.")


def _frames_of_mp4(path: Path) -> int:
    """Frames in a video, read again."""
    command = [_ffmpeg(), "-i", str(path), "-map", "0:v:0", "-c", "copy", "-f", "null", "-"]
    with tempfile.TemporaryFile() as said:
        process = _started(command, said)
        assert process.stdin is not None
        process.stdin.close()
        try:
            code = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        said.seek(0)
        found = _FRAMES.findall(said.read())
        if code or not found:
            raise UnwritableError(
                f"the video that ffmpeg wrote cannot be read again ({_reason(said, code)}). Nothing was replaced."
            )
    return int(found[-1])


def _started(command: list[str], said: IO[bytes]) -> subprocess.Popen[bytes]:
    """ffmpeg under way, in a group of its own so that Ctrl-C reaches this process alone."""
    try:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True
        )
    except OSError as error:
        raise UnwritableError(f"{_NO_FFMPEG} It cannot be started: {error.strerror}. {_CURE}") from error


_NO_FFMPEG = "writing .mp4 needs ffmpeg."
_CURE = 'Run `pip install "semanticgan[video]"`, set IMAGEIO_FFMPEG_EXE to an ffmpeg, or choose a name in .gif.'


def _ffmpeg() -> str:
    """The program."""
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (RuntimeError, OSError) as error:
        raise InputError(f"{_NO_FFMPEG} None was found. {_CURE}") from error


def _reason(said: IO[bytes], code: int) -> str:
    """The line of ffmpeg that has the system's reason, or its last one, or how it ended."""
    said.seek(0)
    lines = said.read().decode(errors="replace").split("\n")
    words = [" ".join(line.split()) for line in lines if line.strip()]
    ended = f"signal {-code}" if code < 0 else f"exit code {code}"
    of_the_system = [line for line in words if any(reason in line for reason in SYSTEM_REASONS)]
    return f"{ended}: {(of_the_system or words)[-1][:_LONGEST_REASON]}" if words else ended


def _write_gif(pictures: Iterator[Image.Image], path: Path, frames_per_second: int) -> None:
    """Each frame lasts a whole number of hundredths of a second; their sum is right at every frame."""

    def timed() -> Iterator[Image.Image]:
        for index, picture in enumerate(pictures):
            begin, end = (_hundredths(frame, frames_per_second) for frame in (index, index + 1))
            picture.info["duration"] = 10 * (end - begin)
            yield picture

    frames = timed()
    first = next(frames, None)
    if first is not None:
        first.save(path, save_all=True, append_images=frames, loop=0)


def _frames_of_gif(path: Path, frames_per_second: int) -> int:
    """Frames that a GIF, read again, has time for: equal ones that follow each other are stored as one."""
    total = 0
    try:
        with Image.open(path, formats=["GIF"]) as gif:
            for frame in range(getattr(gif, "n_frames", 1)):
                gif.seek(frame)
                total += gif.info.get("duration", 0)
    except (OSError, EOFError, SyntaxError) as error:
        raise UnwritableError("the GIF that was written cannot be read again. Nothing was replaced.") from error
    return round(total / 1000 * frames_per_second)
