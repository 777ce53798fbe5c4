"""The studio as a process: listens, says where, and ends by Ctrl-C."""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

import uvicorn

from semanticgan.errors import InputError
from semanticgan.studio.app import create_app
from semanticgan.studio.guard import is_local

_KEEP_ALIVE_S, _CLOSING_S = 15, 2
_MOST_CONNECTIONS = 256


def serve(
    models: Sequence[str | Path],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    device: str = "auto",
    say: Callable[[str], None],
) -> None:
    """Run the studio until it is stopped.

    Args:
        models: names and paths; the first is the default.
        host: where to listen.
        port: 0 takes a free one.
        token: None for none on this computer alone, and a random one elsewhere.
        device: where models compute.
        say: told the address once connections are accepted.

    Raises:
        InputError: a host or port that cannot be had, or as :func:`semanticgan.studio.app.create_app`.
    """
    if token is None:
        token = "" if is_local(host) else secrets.token_urlsafe(16)
    app = create_app(models, host=host, token=token, device=device)
    listening = _listen(host, port)
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    say(f"http://{shown}:{listening.getsockname()[1]}/" + (f"?token={quote(token, safe='')}" if token else ""))
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_CLOSING_S,
        limit_concurrency=_MOST_CONNECTIONS,
    )
    uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens there."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen()
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "is taken" if taken else f"cannot be had ({error.strerror})"
        raise InputError(
            f"port {port} of {host!r} {why}. Give another one with --port, or 0 for a free one."
        ) from error
    return listening
