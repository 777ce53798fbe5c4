"""What clients send: bodies limited in size and time, JSON, and pictures known by their content."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from PIL import Image
from starlette.requests import Request

from semanticgan.data.decoding import converted, decode, read_header
from semanticgan.errors import InputError
from semanticgan.formats.strict_json import loads

MAX_BODY = 10_000_000
MAX_MEGAPIXELS = 25.0
SLOWEST_S = 60.0
"""How long a body may take to arrive."""

_NAME = "that you chose"

T = TypeVar("T")


class TooLarge(Exception):
    """A body of more than :data:`MAX_BODY` bytes."""


class TooSlow(Exception):
    """A body that takes longer than :data:`SLOWEST_S` seconds."""


async def in_time(arriving: Awaitable[T], seconds: float) -> T:
    """What arrives within so many seconds.

    Raises:
        TooSlow: it takes too long.
    """
    try:
        return await asyncio.wait_for(arriving, seconds)
    except asyncio.TimeoutError as error:
        raise TooSlow from error


async def read_json(request: Request) -> dict[str, Any]:
    """The JSON object of a body; an empty body is an empty object.

    Raises:
        InputError: no JSON object.
    """
    body = await request.body()
    value = loads(body, "the request") if body.strip() else {}
    if not isinstance(value, dict):
        raise InputError('a request is a JSON object, such as {"seed": 3}.')
    return value


def kind_of(content: bytes) -> str | None:
    """ "PNG", "JPEG" or "WebP" by the first bytes; None for anything else."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if content.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    return "WebP" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None


def read_picture(content: bytes) -> Image.Image:
    """An uploaded picture as RGB. What comes back to clients is always encoded anew, never these bytes.

    Raises:
        InputError: no PNG, JPEG or WebP, a damaged one, or one of more than 25 megapixels.
    """
    if kind_of(content) is None:
        raise InputError("the file is not a PNG, JPEG or WebP picture. Choose another file.")
    width, height = read_header(content, _NAME).size
    if width * height > MAX_MEGAPIXELS * 1e6:
        raise InputError(
            f"the picture has {width}x{height} pixels, and the studio takes at most {MAX_MEGAPIXELS:g} megapixels. "
            "Reduce it and try again."
        )
    return converted(decode(content, _NAME, MAX_MEGAPIXELS).image, "RGB", _NAME)
