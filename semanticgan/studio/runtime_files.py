"""The runtime of the static page: onnxruntime-web, of which two files of one version are used, known by their SHA-256.

It is not part of this package: ``npm pack`` gets its folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from semanticgan.errors import InputError, MissingFileError
from semanticgan.files import user_path

PACKAGE = "onnxruntime-web"
VERSION = "1.30.0"
MODULE = "ort.wasm.bundle.min.mjs"
BINARY = "ort-wasm-simd-threaded.wasm"
DIGESTS: Mapping[str, str] = MappingProxyType(
    {
        MODULE: "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
        BINARY: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    }
)
"""SHA-256 of the files in ``dist`` that the page needs."""
HOW_TO_GET = f"Run `npm pack {PACKAGE}@{VERSION} && tar xzf {PACKAGE}-{VERSION}.tgz`, then give --runtime package."

_LARGEST = 64 << 20  # bytes of a file that is read


def read_runtime(folder: str | Path) -> dict[str, bytes]:
    """The files of :data:`DIGESTS`, read from the npm package's folder.

    Args:
        folder: that of ``package.json`` and ``dist``.

    Raises:
        MissingFileError: no such folder, or one that lacks a file.
        InputError: another package or version, or a file with another content.
    """
    folder = user_path(folder, "runtime")
    what = f"runtime {str(folder)!r}"
    if not folder.is_dir():
        raise MissingFileError(f"{what} is no folder. {HOW_TO_GET}")
    found = _version(folder / "package.json")
    if found is None:
        raise InputError(f"{what} is not the folder of the npm package {PACKAGE}. {HOW_TO_GET}")
    if found != VERSION:
        raise InputError(f"{what} holds version {found} of {PACKAGE}; the page needs {VERSION}. {HOW_TO_GET}")
    return {name: _content(folder / "dist" / name, digest, what) for name, digest in DIGESTS.items()}


def _version(path: Path) -> str | None:
    """The version that a ``package.json`` says; None where it is not that of the package."""
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(described, dict) or described.get("name") != PACKAGE:
        return None
    return str(described.get("version"))[:40]


def _content(path: Path, digest: str, what: str) -> bytes:
    if not path.is_file():
        raise MissingFileError(f"{what} lacks dist/{path.name}. {HOW_TO_GET}")
    if path.stat().st_size > _LARGEST:
        raise InputError(f"{what}: dist/{path.name} is not the file of {PACKAGE} {VERSION}: too large. {HOW_TO_GET}")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise InputError(
            f"{what}: dist/{path.name} is not the file of {PACKAGE} {VERSION}: its SHA-256 differs. {HOW_TO_GET}"
        )
    return content
