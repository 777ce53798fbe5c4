"""Uploads are decoded in a process of their own: it is limited in time and memory, and the studio outlives it."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from semanticgan.errors import InputError
from semanticgan.studio.decoding import Decoder
from semanticgan.studio.uploads import read_picture


def slow(content: bytes) -> Image.Image:
    if content == b"slow":
        time.sleep(60)
    return Image.new("RGB", (1, 1), (os.getpid() % 251, 0, 0))


def breaking(content: bytes) -> Image.Image:
    if content == b"break":
        os.abort()
    if content == b"large":
        np.ones(3_000_000_000, np.uint8)
    return Image.new("RGB", (2, 1), (7, 8, 9))


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    made = Decoder()
    yield made
    made.close()


def test_a_picture_is_decoded_in_another_process(decoder: Decoder) -> None:
    drawn = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(drawn).save(buffer, "PNG")
    assert np.array_equal(np.asarray(decoder.decode(buffer.getvalue())), drawn)
    for content, words in ((b"GIF89a", "not a PNG, JPEG or WebP"), (buffer.getvalue()[:40], "that you chose")):
        with pytest.raises(InputError, match=words) as expected:
            read_picture(content)
        with pytest.raises(InputError, match=words) as found:
            decoder.decode(content)
        assert str(found.value) == str(expected.value)


def test_what_takes_too_long_is_ended() -> None:
    decoder = Decoder(seconds=20, read=slow)
    try:
        decoder.decode(b"")  # starts the process
        decoder._seconds = 0.5
        start = time.monotonic()
        with pytest.raises(InputError, match=r"within 0\.5 seconds"):
            decoder.decode(b"slow")
        assert time.monotonic() - start < 10
        decoder._seconds = 60
        assert decoder.decode(b"").size == (1, 1)
    finally:
        decoder.close()


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="limits of memory are measured by Linux")
def test_what_takes_too_much_memory_or_breaks_the_process_ends_in_a_sentence() -> None:
    decoder = Decoder(seconds=60, read=breaking)
    try:
        assert decoder.decode(b"").size == (2, 1)
        with pytest.raises(InputError, match="too much memory"):
            decoder.decode(b"large")
        assert decoder.decode(b"").size == (2, 1)
        decoder._seconds = 3
        with pytest.raises(InputError, match="could not be read"):
            decoder.decode(b"break")
        decoder._seconds = 60
        assert decoder.decode(b"").size == (2, 1)
    finally:
        decoder.close()
