"""Who may ask, and what may be sent."""

from __future__ import annotations

import io
import socket
import struct
import time
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from PIL import Image

from semanticgan.errors import InputError
from semanticgan.studio import uploads
from semanticgan.studio.app import create_app
from semanticgan.studio.results import png_of
from tests.studio.conftest import Client, mix, script

Start = Callable[..., AbstractContextManager[Client]]


def png(size: tuple[int, int] = (40, 40)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (200, 150, 120)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "a@b:c:d", "10.0.0.1"]
)
def test_a_foreign_host_is_refused(studio: Client, host: str) -> None:
    answer = studio.get("/api/models", {"host": host})
    assert answer.status == 400 and "the terminal shows" in answer.sentence


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:9", "[::1]:8000", "LOCALHOST"])
def test_own_names_are_answered(studio: Client, host: str) -> None:
    assert studio.get("/api/models", {"host": host}).status == 200


def test_a_foreign_origin_is_refused(studio: Client) -> None:
    own = f"127.0.0.1:{studio.port}"
    for origin in ("https://evil.example", "null", f"https://{own}", f"http://127.0.0.1:{studio.port + 1}"):
        answer = studio.post("/api/render", {"seed": 3}, {"origin": origin})
        assert answer.status == 403 and answer.sentence
    assert studio.post("/api/render", {"seed": 3}, {"origin": f"http://{own}"}).status == 200
    assert studio.get("/api/models", {"sec-fetch-site": "cross-site"}).status == 403
    assert studio.get("/", {"sec-fetch-site": "cross-site"}).status == 200


def test_a_token_is_asked_for_where_others_listen(start: Start) -> None:
    with pytest.raises(InputError, match="--token"):
        create_app(["portraits-64"], host="0.0.0.0")
    with start(host="0.0.0.0", token="a-long-secret") as client:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"cookie": "semanticgan_studio=wrong"}):
            for path in ("/", "/main.js", "/api/models"):
                answer = client.get(path, headers)
                assert answer.status == 401 and "token" in answer.sentence
        assert client.get("/?token=wrong").status == 401
        assert client.get("/api/models", {"authorization": "Bearer a-long-secret"}).status == 200
        opened = client.get("/?token=a-long-secret")
        assert (opened.status, opened.headers["location"]) == (303, "/")
        cookie = opened.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie
        assert client.get("/", {"cookie": cookie.partition(";")[0]}).status == 200
        assert client.get("/", {"host": "evil.example", "cookie": cookie.partition(";")[0]}).status == 400


def test_a_body_of_11_megabytes_is_refused(studio: Client) -> None:
    answer = studio.post("/api/edit", b" " * 11_000_000)
    assert answer.status == 413 and "10 MB" in answer.sentence
    assert studio.upload(b"\0" * 11_000_000).status == 413


def test_a_body_without_a_length_is_counted(studio: Client) -> None:
    with socket.create_connection(("127.0.0.1", studio.port), 30) as connection:
        connection.sendall(b"POST /api/edit HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        try:
            for _ in range(11):
                connection.sendall(chunk)
            connection.sendall(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert b" 413 " in connection.recv(4096).split(b"\r\n")[0] + b" "


def test_a_slow_client_is_given_up(studio: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "SLOWEST_S", 0.3)
    with socket.create_connection(("127.0.0.1", studio.port), 30) as connection:
        connection.sendall(b"POST /api/edit HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{")
        began = time.monotonic()
        assert b" 408 " in connection.recv(4096)
        assert time.monotonic() - began < 20


def test_a_huge_picture_is_refused_before_it_is_decoded(studio: Client) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 13_000, 13_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * (13_000 * 3 + 1) * 64)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    began = time.monotonic()
    answer = studio.upload(content)
    assert answer.status == 400 and "13000x13000" in answer.sentence and "25 megapixels" in answer.sentence
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html><script>alert(1)</script></html>",
        b"GIF89a/*" + b"\0" * 40 + b"*/=1;alert(1)",
        b"\x89PNG\r\n\x1a\n<script>alert(1)</script>",
        b"\xff\xd8\xff" + b"PK\x03\x04" * 20,
        b"%PDF-1.4 " + png(),
        b"RIFF\0\0\0\0WEBP" + b"\0" * 50,
        b"BM" + b"\0" * 60,
    ],
    ids=["empty", "page", "gif-script", "png-page", "jpeg-zip", "pdf-png", "webp", "bmp"],
)
def test_what_is_no_picture_is_refused_by_its_content(studio: Client, content: bytes) -> None:
    answer = studio.upload(content)
    assert answer.status == 400 and answer.sentence


def test_a_polyglot_is_its_pixels_alone() -> None:
    """A PNG with a page behind it is refused, or only its pixels are kept."""
    content = png() + b"<script>alert(1)</script>"
    try:
        picture = uploads.read_picture(content)
    except InputError:
        return
    assert picture.size == (40, 40) and b"script" not in png_of(picture)


def test_a_photograph_is_inverted_and_can_be_cancelled(studio: Client) -> None:
    answer = studio.upload(png(), aligned="true")
    assert answer.status == 202 and "me.png" not in answer.json["id"]
    address = f"/api/photographs/{answer.json['id']}"
    job = studio.state.photographs.store.get(answer.json["id"])
    assert "not inverted yet" in studio.post(f"{address}/result", {"script": script()}).sentence
    assert studio.ask("DELETE", address).json == {"cancelled": True}
    end = time.monotonic() + 240
    while not job.ended:
        assert time.monotonic() < end, "it goes on"
        time.sleep(0.02)
    assert job.state == "cancelled"
    assert studio.get(f"{address}/events").status == 404


HOSTILE = [
    "../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "....//....//etc/passwd", "/etc/passwd",
    "//etc/passwd", "app.py", "../app.py", "page/index.html", "index.html%00.png", "index.html/", "%00", ".", "..",
    "__init__.py", "~root", "C:%5cwindows%5cwin.ini", "..%5c..%5capp.py", "%c0%ae%c0%ae/app.py", "index.html%20",
    "INDEX.HTML", "studio.css/../app.py", "'%20or%201=1", "%3Cscript%3E", "a" * 3000, "%F0%9F%92%A9", "${7*7}",
    "{{7*7}}", "-", "0",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_reach_nothing(studio: Client, name: str) -> None:
    name = name.replace("{", "%7B").replace("}", "%7D")
    addresses = [
        f"/{name}",
        f"/api/results/{name}/picture.png",
        f"/api/results/x/{name}",
        f"/api/photographs/{name}/events",
    ]
    for address in (*addresses, f"/api/models/{name}"):
        answer = studio.get(address)
        if answer.status == 307:  # a slash at the end
            continue
        page = address in ("/.", "/..", "//")
        assert answer.status == 404 or page, (address, answer.content[:100])
        assert b"root:" not in answer.content and b"import" not in answer.content


@pytest.mark.parametrize(
    ("body", "about"),
    [
        (b"{", "JSON"),
        (b"[1]", "JSON object"),
        ({}, "script"),
        ({"code": "nothing"}, "no result"),
        ({"code": 3}, "script"),
        ({"script": 3}, "object"),
        ({**script(), "source": {"image": "/etc/passwd", "face": None, "aligned": True, "sha256": ""}}, "no files"),
        ({**script(), "source": {"latent": "/etc/passwd.npy"}}, "no files"),
        (script(3, {**mix(1, "hair"), "source": {"latent": "code.safetensors"}}), "no files"),
        (script(3, {"paint": "/etc/passwd", "regions": [], "free_base": False}), "paint"),
        (script(3, {"text": "red hair", "regions": ["hair"], "what": "both"}), "text"),
        (script(3, mix(1, "beak")), "beak"),
        (script(-1), "seed"),
        (script(3, *[mix(1, "hair")] * 300), "200 operations"),
        ({"script": script(), "model": "../secret"}, "no such model"),
        ({**script(), "model": "another"}, "another model"),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence(studio: Client, body: Any, about: str) -> None:
    answer = studio.post("/api/edit", body)
    assert answer.status in (400, 404) and about in answer.sentence


def test_other_mistakes_are_one_sentence(studio: Client) -> None:
    assert "regions" in studio.post("/api/variations", {"script": script(), "regions": "hair"}).sentence
    assert "shuffle" in studio.post("/api/steps/1", {"shuffle": -1}).sentence
    assert "steps 1 to 4" in studio.post("/api/steps/5", {}).sentence
    assert studio.get("/api/edit").sentence
    assert "seed" in studio.post("/api/render", {"seed": "three"}).sentence
    assert "multipart" in studio.post("/api/photographs", {"file": 1}).sentence
