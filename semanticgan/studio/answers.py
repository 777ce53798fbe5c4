"""What clients are told when something is wrong: one sentence each, as JSON."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from semanticgan.errors import InputError
from semanticgan.studio.guard import error, too_large
from semanticgan.studio.store import NotThere
from semanticgan.studio.turns import Busy, ClientGone
from semanticgan.studio.uploads import TooLarge, TooSlow

_RETRY_S = 2
_CLIENT_GONE = 499  # nobody reads it
_SENTENCES: Mapping[int, str] = {
    404: "the studio has no such address. Open its first page.",
    405: "this address takes another kind of request. Open the studio's first page.",
}


_ANSWERS: Mapping[type[Exception], Callable[[Any], Response]] = {
    InputError: lambda raised: error(404 if isinstance(raised, NotThere) else 400, " ".join(str(raised).split())),
    Busy: lambda _: error(429, "the studio is busy with others. Try again in a moment.", retry_after=str(_RETRY_S)),
    TooLarge: lambda _: too_large(),
    TooSlow: lambda _: error(408, "the request took too long to arrive. Send it again.", connection="close"),
    ClientGone: lambda _: Response(status_code=_CLIENT_GONE),
    HTTPException: lambda raised: error(
        raised.status_code, _SENTENCES.get(raised.status_code, "the request cannot be read. Send it again.")
    ),
    Exception: lambda _: error(500, "the studio failed at this. The terminal says more; try something else."),
}


def add_error_answers(app: FastAPI) -> None:
    """Turn what routes raise into answers."""

    async def answer(kind: type[Exception], _: Request, raised: Exception) -> Response:
        return _ANSWERS[kind](raised)

    for kind in _ANSWERS:
        app.add_exception_handler(kind, functools.partial(answer, kind))
