"""A studio of the tiny model that listens on a free port of this computer, and a client that speaks plain HTTP."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from semanticgan.studio.app import create_app


@dataclass(frozen=True)
class Answer:
    """What the studio answers."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def sentence(self) -> str:
        """The one sentence of an error."""
        assert self.status >= 400 and set(self.json) == {"error"}, self.content[:300]
        assert "\n" not in self.json["error"] and self.json["error"].endswith((".", "?", "..."))
        return self.json["error"]


@dataclass(frozen=True)
class Client:
    """Asks a studio that listens on ``port``; ``state`` is its server-side state."""

    port: int
    state: Any

    @property
    def address(self) -> str:
        """Of the page."""
        return f"http://127.0.0.1:{self.port}/"

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=240)
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, content, dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.ask("GET", path, None, headers)

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
        return self.ask("POST", path, body, headers)

    def upload(self, content: bytes, **fields: str) -> Answer:
        parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
        parts.append(b'name="file"; filename="../../me.png"\r\nContent-Type: image/png\r\n\r\n' + content)
        body = b"".join(b"--edge\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts)
        headers = {"content-type": "multipart/form-data; boundary=edge"}
        return self.post("/api/photographs", body + b"--edge--\r\n", headers)


@contextmanager
def running(models: list[Path], **options: Any) -> Iterator[Client]:
    """A studio in a thread."""
    app = create_app(models, device="cpu", **options)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server ended before it began"
        time.sleep(0.01)
    try:
        yield Client(listening.getsockname()[1], app.state.studio)
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the server does not end"


@pytest.fixture(scope="session")
def studio(tiny_model_file: Path) -> Iterator[Client]:
    with running([tiny_model_file]) as client:
        yield client


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, for tests that are marked with NEEDS_BROWSER."""
    from tests.studio.browser import started  # skips the test where playwright is not installed

    with started() as opened:
        yield opened


@pytest.fixture
def start(tiny_model_file: Path) -> Callable[..., AbstractContextManager[Client]]:
    """``with start(token="...") as client:`` a studio of one's own."""
    return lambda **options: running([tiny_model_file], **options)


def script(seed: int = 3, *operations: Any) -> dict[str, Any]:
    """An edit script of a seed."""
    source = {"seed": seed, "truncation": 1.0}
    about = {"format": "semanticgan-edit", "format_version": 1, "model": "", "paste": "auto"}
    return {**about, "source": source, "operations": list(operations)}


def mix(seed: int, *regions: str, what: str = "both") -> dict[str, Any]:
    """The operation that takes regions from a seed."""
    return {
        "source": {"seed": seed, "truncation": 1.0},
        "regions": list(regions),
        "what": what,
        "include_base": False,
        "weight": 1.0,
    }
