"""Models by name: bundled ones, paths, and released ones fetched once from a server of the test's own."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from semanticgan import registry
from semanticgan.checkpoint import load_model, read_metadata
from semanticgan.errors import InputError, MissingFileError, WeightsError
from semanticgan.model import load
from semanticgan.registry import RELEASES, Release, bundled, cache_folder, resolve
from tests.networks.fixtures import CHECKPOINT, needs_fixtures


@dataclass
class Server:
    """Answers by path, and the paths that were asked for."""

    address: str = ""
    answers: dict[str, tuple[int, bytes, int | None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            code, body, announced = state.answers.get(self.path, (404, b"<html>no</html>", None))
            self.send_response(code)
            self.send_header("Content-Length", str(len(body) if announced is None else announced))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.address = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    folder = tmp_path / "home"
    monkeypatch.setenv("SEMANTICGAN_HOME", str(folder))
    return folder


def publish(monkeypatch: pytest.MonkeyPatch, address: str, **facts: Any) -> None:
    """Make "tiny-64" a released model."""
    release = Release(f"{address}/tiny.pt", "a tiny model", "none", **facts)
    monkeypatch.setattr(registry, "RELEASES", {**RELEASES, "tiny-64": release})


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_released_models() -> None:
    assert set(RELEASES) == {"celebamask-hq-512", "bitmoji-512", "metfaces-512", "toonify-512"}
    for release in RELEASES.values():
        assert release.address.startswith("https://github.com/seasonSH/SemanticStyleGAN/releases/download/1.0.0/")
        assert release.file_name.endswith("-512x512.pt")
        assert release.description and release.data_licence


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEMANTICGAN_HOME", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("SEMANTICGAN_HOME")
    monkeypatch.setattr(registry.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "semanticgan"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "semanticgan"
    monkeypatch.setattr(registry.sys, "platform", "darwin")
    assert cache_folder() == Path.home() / "Library" / "Caches" / "semanticgan"


def test_bundled_models() -> None:
    for name, path in bundled().items():
        assert resolve(name) == path
        metadata = read_metadata(path)
        assert metadata.licence and metadata.data_licence
        assert {"images", "hours", "hardware", "mean_iou", "scores_by"} <= metadata.training.keys()
        assert path.stat().st_size < 20_000_000
    if registry.DEFAULT in bundled():
        assert resolve() == bundled()[registry.DEFAULT]


def test_an_installation_without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "bundled", dict)
    with pytest.raises(MissingFileError, match=r"not in this installation.*celebamask-hq-512"):
        resolve()


def test_paths(tiny_model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve(tiny_model_file) == tiny_model_file
    assert resolve(str(tiny_model_file)) == tiny_model_file
    for missing in ("none.safetensors", "folder/none", tmp_path / "none.safetensors"):
        with pytest.raises(MissingFileError, match=r"does not exist.*celebamask-hq-512"):
            resolve(missing)
    with pytest.raises(MissingFileError, match="is a folder"):
        resolve(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").write_bytes(tiny_model_file.read_bytes())
    assert resolve("weights") == Path("weights")


@pytest.mark.parametrize("address", ["https://x/y", "http://x/model.safetensors", "S3://x/y", "file:///model"])
def test_addresses_are_not_opened(address: str) -> None:
    for given in (address, Path(address)):
        with pytest.raises(InputError, match=r"a model is a name.*are not opened\. Download the file"):
            resolve(given)


def test_unknown_names_name_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown model 'celebamask-512'. Did you mean 'celebamask-hq-512'\?"):
        resolve("celebamask-512")
    with pytest.raises(InputError, match=r"Known: .*toonify-512"):
        load("zzz", device="cpu")


@needs_fixtures
def test_a_released_model_is_fetched_once(
    server: Server, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = CHECKPOINT.read_bytes()
    server.answers["/tiny.pt"] = (200, whole, None)
    publish(monkeypatch, server.address, num_bytes=len(whole), sha256=hashlib.sha256(whole).hexdigest())
    model = load("tiny-64", device="cpu")
    assert model.size == 64 and model.metadata.description == "a tiny model"
    assert files_below(home) == ["downloads/tiny.pt", "models/tiny-64.safetensors"]
    captured = capsys.readouterr()
    assert captured.out == "" and "tiny.pt" in captured.err
    assert resolve("tiny-64") == home / "models" / "tiny-64.safetensors"
    assert server.asked == ["/tiny.pt"]


@needs_fixtures
def test_a_file_placed_by_hand_needs_no_network(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(InputError) as caught:
        resolve("tiny-64")
    message = str(caught.value)
    assert "\n" not in message and "http://127.0.0.1:9/tiny.pt" in message
    place = home / "downloads" / "tiny.pt"
    assert str(place) in message
    assert files_below(home) == []
    place.parent.mkdir(parents=True)
    place.write_bytes(CHECKPOINT.read_bytes())
    assert load_model(resolve("tiny-64")).generator.config.size == 64
    assert place.read_bytes() == CHECKPOINT.read_bytes()


@pytest.mark.parametrize(
    ("answer", "facts", "message"),
    [
        ((404, b"<html>", None), {}, "answered 404.*by hand"),
        ((200, b"<!DOCTYPE html><html></html>", None), {}, "the answer is an HTML page"),
        ((200, b"", None), {}, "the answer is an empty file"),
        ((200, b"PK\x03\x04 too few", None), {}, "bytes are too few"),
        ((200, b"PK\x03\x04" + bytes(2_000_000), None), {"num_bytes": 3_000_000}, "2,000,004 bytes came, 3,000,000"),
        (
            (200, b"PK\x03\x04" + bytes(2_000_000), 2_500_000),
            {},
            "2,000,004 bytes came, 2,500,000|broken|IncompleteRead",
        ),
        ((200, b"PK\x03\x04" + bytes(2_000_000), None), {"sha256": "0" * 64}, "SHA-256 is [0-9a-f]{64}, known is 0000"),
    ],
    ids=["404", "html", "empty", "short", "size", "cut", "hash"],
)
def test_wrong_answers_leave_nothing(
    server: Server,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: tuple[int, bytes, int | None],
    facts: dict[str, Any],
    message: str,
) -> None:
    server.answers["/tiny.pt"] = answer
    publish(monkeypatch, server.address, **facts)
    with pytest.raises(InputError, match=message) as caught:
        resolve("tiny-64")
    assert "\n" not in str(caught.value)
    assert files_below(home) == []


def test_a_download_that_is_no_checkpoint(server: Server, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers["/tiny.pt"] = (200, b"PK\x03\x04" + bytes(2_000_000), None)
    publish(monkeypatch, server.address)
    with pytest.raises(WeightsError, match=r"damaged.*remove it to download it again"):
        resolve("tiny-64")
    assert files_below(home) == ["downloads/tiny.pt"]
