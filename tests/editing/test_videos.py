"""Videos last what is said, and one that could not be written whole leaves the old one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import torch
from PIL import Image

from semanticgan.editing.videos import save_video, seconds_of
from semanticgan.errors import InputError


def frames(count: int, step: int) -> list[torch.Tensor]:
    return [torch.full((3, 16, 16), (step * i) % 256, dtype=torch.uint8) for i in range(count)]


@pytest.mark.parametrize("rate", [1, 7, 24, 30, 60, 100])
@pytest.mark.parametrize(("count", "step"), [(1, 0), (2, 40), (49, 5), (12, 0)], ids=str)
def test_a_gif_lasts_what_is_said(rate: int, count: int, step: int, tmp_path: Path) -> None:
    """Equal frames, which are stored as one, too."""
    assert save_video(frames(count, step), tmp_path / "a.gif", rate) == count
    total = 0
    with Image.open(tmp_path / "a.gif") as gif:
        for frame in range(getattr(gif, "n_frames", 1)):
            gif.seek(frame)
            total += gif.info["duration"]
    assert total / 1000 == pytest.approx(seconds_of("a.gif", count, rate))
    assert abs(total / 1000 - count / rate) <= 0.0051


@pytest.mark.skipif(os.name != "posix", reason="the program is a shell script")
@pytest.mark.parametrize(
    ("program", "words"),
    [
        ('cat >/dev/null; printf half >"$last"; echo "av: No space left on device" >&2; exit 1', "No space left"),
        ('cat >/dev/null; printf junk >"$last"', "cannot be read again"),
        ("cat >/dev/null", "cannot be read again"),
        ("kill -9 $$", "signal 9"),
        ('head -c 10 >/dev/null; echo "a\rb" >&2; exit 3', "exit code 3"),
    ],
)
def test_an_ffmpeg_that_fails_is_one_line_and_the_old_video_stays(
    program: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("imageio_ffmpeg")
    path = tmp_path / "ffmpeg"
    reading = '[ "$last" = - ] && exit 0'  # the video is read again with "-" as its output
    path.write_text(f"#!/bin/sh\nfor last; do :; done\n{reading}\n{program}\n")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(path))
    (tmp_path / "a.mp4").write_text("old")
    with pytest.raises(InputError, match=words) as refused:
        save_video(frames(40, 5), tmp_path / "a.mp4", enlarge=16, overwrite=True)
    assert "\n" not in str(refused.value)
    assert (tmp_path / "a.mp4").read_text() == "old"
    assert sorted(found.name for found in tmp_path.iterdir()) == ["a.mp4", "ffmpeg"]
    assert capfd.readouterr() == ("", "")
