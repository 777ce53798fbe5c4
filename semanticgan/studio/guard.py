"""Who may ask: Host, Origin and token are checked before anything else, and every answer gets its headers.

A page of another site must not reach the studio through the browser of the person who runs it: by a name that it
resolves to this computer (Host), or by a form or script of its own (Origin, Sec-Fetch-Site).
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import socket
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from semanticgan.studio import uploads

COOKIE = "semanticgan_studio"
_LOCAL = ("127.0.0.1", "localhost", "::1")
_MOST_DRAINED, _DRAINING_S = 4 * uploads.MAX_BODY, 5.0
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


def is_local(host: str) -> bool:
    """Whether only this computer reaches a server that listens there."""
    return host in _LOCAL or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def error(status: int, sentence: str, **headers: str) -> JSONResponse:
    """An error as every client gets it: one sentence."""
    return JSONResponse({"error": sentence}, status, {name.replace("_", "-"): text for name, text in headers.items()})


class Guard:
    """ASGI middleware.

    Args:
        app: what is guarded.
        host: where the server listens.
        token: that requests must bring, as ``Authorization: Bearer TOKEN`` or, from the page, as a cookie; "" for none.
    """

    def __init__(self, app: ASGIApp, host: str, token: str) -> None:
        self.app, self.token = app, token
        self.local = is_local(host)
        self.names = {*_LOCAL, host.lower()} | (set() if self.local else {socket.gethostname().lower()})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        length = headers.get("content-length", "0")
        if refusal is None and (not length.isdecimal() or int(length) > uploads.MAX_BODY):
            refusal = too_large()
            await _drain(receive)
        if refusal is not None:
            await refusal(scope, receive, send_with_headers)
        else:
            await self.app(scope, _limited(receive), send_with_headers)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """What is answered in place of the app; None where the request may pass."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_own(hosts[0]):
            return error(400, "this address is not the studio's. Open the one that the terminal shows.")
        origins = headers.getlist("origin")
        foreign = any(origin.lower() != f"{scope['scheme']}://{hosts[0].lower()}" for origin in origins)
        opened = scope["method"] == "GET" and scope["path"] == "/"  # by a link of another page, which may be
        if foreign or (headers.get("sec-fetch-site") in ("cross-site", "same-site") and not opened):
            return error(403, "the studio answers its own page only. Open the address that the terminal shows.")
        return self._without_token(scope, headers) if self.token else None

    def _is_own(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        return name in self.names or (not self.local and _is_address(name))

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("token", []) if scope["path"] == "/" else []
        if any(self._fits(token) for token in asked):  # out of the address, so that no history keeps it
            response = RedirectResponse("/", 303)
            response.set_cookie(COOKIE, self.token, httponly=True, samesite="strict", path="/")
            return response
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._fits(given.strip()):
            return None
        if any(self._fits(cookie) for cookie in _cookies(headers.getlist("cookie"))):
            return None
        return error(401, "the studio needs its token. Open the address that the terminal shows, with ?token=...")

    def _fits(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token.encode())


def too_large() -> Response:
    return error(413, f"a request has at most {uploads.MAX_BODY // 1_000_000} MB. Reduce the picture and try again.")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _cookies(headers: Iterable[str]) -> list[str]:
    found = []
    for header in headers:
        try:
            cookies = SimpleCookie(header)
        except CookieError:
            continue
        found += [cookies[COOKIE].value] if COOKIE in cookies else []
    return found


def _limited(receive: Receive) -> Receive:
    """The same body, whatever its headers say: raises :class:`TooLarge` or :class:`TooSlow` where it is."""
    arrived, more = 0, True
    ends = asyncio.get_running_loop().time() + uploads.SLOWEST_S

    async def receive_limited() -> Message:
        nonlocal arrived, more
        if not more:  # the client's going away, which may take as long as it likes
            return await receive()
        message = await uploads.in_time(receive(), ends - asyncio.get_running_loop().time())
        arrived, more = arrived + len(message.get("body", b"")), message.get("more_body", False)
        if arrived > uploads.MAX_BODY:
            await _drain(receive)
            raise uploads.TooLarge
        return message

    return receive_limited


async def _drain(receive: Receive) -> None:
    """Read what a client still sends, within limits: it looks for the answer only afterwards."""

    async def read() -> None:
        drained, more = 0, True
        while more and drained < _MOST_DRAINED:
            message = await receive()
            drained, more = drained + len(message.get("body", b"")), message.get("more_body", False)

    try:
        await uploads.in_time(read(), _DRAINING_S)
    except uploads.TooSlow:
        return
