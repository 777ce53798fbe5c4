"""What clients are told when something is wrong: one sentence each, as JSON."""

from __future__ import annotations

from collections.abc import Mapping

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


def add_error_answers(app: FastAPI) -> None:
    """Turn what routes raise into answers."""

    @app.exception_handler(InputError)
    async def mistake(_: Request, raised: InputError) -> Response:
        return error(404 if isinstance(raised, NotThere) else 400, " ".join(str(raised).split()))

    @app.exception_handler(Busy)
    async def busy(_: Request, raised: Busy) -> Response:
        return error(429, "the studio is busy with others. Try again in a moment.", retry_after=str(_RETRY_S))

    @app.exception_handler(TooLarge)
    async def large(_: Request, raised: TooLarge) -> Response:
        return too_large()

    @app.exception_handler(TooSlow)
    async def slow(_: Request, raised: TooSlow) -> Response:
        return error(408, "the request took too long to arrive. Send it again.", connection="close")

    @app.exception_handler(ClientGone)
    async def gone(_: Request, raised: ClientGone) -> Response:
        return Response(status_code=_CLIENT_GONE)

    @app.exception_handler(HTTPException)
    async def refused(_: Request, raised: HTTPException) -> Response:
        return error(
            raised.status_code, _SENTENCES.get(raised.status_code, "the request cannot be read. Send it again.")
        )

    @app.exception_handler(Exception)
    async def defect(_: Request, raised: Exception) -> Response:
        return error(500, "the studio failed at this. The terminal says more; try something else.")
