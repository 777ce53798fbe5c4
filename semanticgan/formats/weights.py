"""Tensors in a ``.safetensors`` file with a digest of each, verified on reading; what they mean is up to the caller.

The metadata, all text, have the caller's entries and these:

==================  ==================================================================================
format              what kind of file it is
format_version      "1"
description         one line
precision           "float32", or "float16" for files kept small; either is loaded as float32
sha256              JSON of the SHA-256 of every tensor's stored bytes
metadata_sha256     SHA-256 of all entries above
==================  ==================================================================================
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from semanticgan.errors import InputError, WeightsError, unknown_name
from semanticgan.files import require_file, require_free, user_path, written_aside
from semanticgan.formats.strict_json import parse_object
from semanticgan.formats.tensorfile import LARGEST_HEADER, TensorFile, open_tensors, save_tensors

FORMAT_VERSION = "1"
PRECISIONS: Mapping[str, torch.dtype] = {"float32": torch.float32, "float16": torch.float16}
"""Of stored weights."""

_LIBRARY_HEADER = 100_000_000  # what the safetensors library reads at most


def write_weights(
    path: str | Path,
    file_format: str,
    tensors: Mapping[str, Tensor],
    texts: Mapping[str, str],
    precision: str = "float32",
    overwrite: bool = False,
) -> None:
    """Write tensors and what is said of them, with all that :func:`read_weights` verifies.

    Args:
        path: a ``.safetensors`` file.
        file_format: what kind of file it is, the metadata's ``format``.
        tensors: by name, stored in ``precision`` whatever they are.
        texts: the rest of the metadata; a ``description`` is made one line.
        precision: "float32" or "float16".

    Raises:
        InputError: another suffix, an unknown precision, weights that are not finite, an existing file.
    """
    path = user_path(path, "file of weights")
    if path.suffix != ".safetensors":
        raise InputError(f"a file of weights ends in .safetensors, got {str(path)!r}. Choose such a name.")
    if precision not in PRECISIONS:
        raise unknown_name("precision", precision, PRECISIONS)
    require_free(path, overwrite)
    stored = {name: _stored(name, tensor, PRECISIONS[precision]) for name, tensor in tensors.items()}
    metadata = {
        "format": file_format,
        "format_version": FORMAT_VERSION,
        **texts,
        "description": " ".join(texts.get("description", "").split()),
        "precision": precision,
        "sha256": json.dumps({name: sha256_of_tensor(tensor) for name, tensor in stored.items()}),
    }
    metadata["metadata_sha256"] = metadata_sha256(metadata)
    if (length := len(json.dumps(metadata))) > LARGEST_HEADER // 2:
        raise InputError(f"the metadata have {length:,} bytes, at most {LARGEST_HEADER // 2:,} are written.")
    with written_aside(path, overwrite) as aside:
        save_tensors(stored, aside, metadata)


def read_weights(
    path: str | Path, file_format: str, required: Iterable[str]
) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and float32 tensors of a file that :func:`write_weights` wrote, every tensor verified.

    Args:
        file_format: the kind of file that is wanted.
        required: names that its metadata must have beside those that every file has.

    Raises:
        MissingFileError: no such file.
        WeightsError: it is damaged, unsafe, of another version or of another kind.
    """
    file = open_weights(path)
    require_intact(file, file_format, (*required, "precision", "sha256"))
    content = file.read()
    require_digests(file, content)
    require_finite(file, content)
    return dict(file.metadata), {name: file.tensor(name, content).to(torch.float32, copy=True) for name in file.entries}


def file_kind(path: Path) -> str:
    """What the first bytes of a file look like: "safetensors", "pickle", or a phrase for a message.

    Phrases: "an empty file", "an HTML page", "a git-lfs pointer", "not a file of weights".
    """
    with open(path, "rb") as file:
        start = file.read(512)
    if not start:
        return "an empty file"
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= _LIBRARY_HEADER:
        return "safetensors"
    if start.startswith(b"version https://git-lfs"):
        return "a git-lfs pointer"
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "an HTML page"
    if start.startswith(b"PK\x03\x04") or (start[0] == 0x80 and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")):
        return "pickle"
    return "not a file of weights"


_CURES = {
    "an empty file": "Download it again.",
    "an HTML page": "Download the file itself, not the page that shows it.",
    "a git-lfs pointer": "Run `git lfs pull` where it came from, or download the file itself.",
    "pickle": "Make a checkpoint of the authors safe: semanticgan convert-checkpoint FILE.pt OUT.safetensors --trust",
    "not a file of weights": "Give a .safetensors file written by semanticgan, or download it again.",
}


def open_weights(path: str | Path) -> TensorFile:
    """The file with its header checked.

    Raises:
        MissingFileError: no such file.
        WeightsError: it is no file of weights, damaged or truncated.
    """
    path = require_file(path, "file of weights")
    kind = file_kind(path)
    if kind != "safetensors":
        kind_name = "a PyTorch pickle, which is never opened as weights" if kind == "pickle" else kind
        raise WeightsError(f"file of weights {str(path)!r} is {kind_name}. {_CURES[kind]}")
    return open_tensors(path, f"file of weights {str(path)!r}")


def require_intact(file: TensorFile, file_format: str, required: Iterable[str]) -> None:
    """Check the metadata's format, version, entries and checksum."""
    raw, what = file.metadata, file.what
    if raw.get("format") != file_format:
        raise WeightsError(f"{what} is a .safetensors file of something else. Give one written by semanticgan.")
    if raw.get("format_version") != FORMAT_VERSION:
        raise WeightsError(
            f"{what} has format version {str(raw.get('format_version'))[:20]!a}, this version of semanticgan reads "
            f"{FORMAT_VERSION}. Update semanticgan, or write the file again."
        )
    missing = [name for name in required if name not in raw]
    if missing or raw.get("metadata_sha256") != metadata_sha256(raw):
        reason = f"lacks {', '.join(missing)}" if missing else "its checksum differs"
        raise WeightsError(f"metadata of {what} is damaged ({reason}). Download or write it again.")
    if raw["precision"] not in PRECISIONS:
        problem = unknown_name("precision", raw["precision"], PRECISIONS)
        raise WeightsError(f"metadata of {what} cannot be used: {problem}")


def require_digests(file: TensorFile, content: memoryview) -> None:
    """Raises: WeightsError: a tensor is missing, unknown, of another type, or not what was saved."""
    what = file.what
    try:
        hashes = parse_object(file.metadata["sha256"])
    except ValueError as error:
        raise WeightsError(f"metadata of {what} cannot be used: {error}") from error
    dtype = {"float32": "F32", "float16": "F16"}[file.metadata["precision"]]
    for name in sorted(hashes.keys() - file.entries.keys()):
        raise WeightsError(f"{what} lacks the tensor {name!r}. Download or write it again.")
    for name, entry in file.entries.items():
        if name not in hashes:
            raise WeightsError(f"{what} holds the unknown tensor {name!r}. Download or write it again.")
        digest = hashlib.sha256(content[entry.start : entry.end]).hexdigest()
        if entry.dtype != dtype or digest != hashes[name]:
            raise WeightsError(f"{what} is damaged: tensor {name!r} is not what was saved. Download or write it again.")


def require_finite(file: TensorFile, content: memoryview) -> None:
    """Raises: WeightsError: a tensor holds numbers that are not finite."""
    # The least and the largest number tell, in a tenth of the time of ``isfinite``.
    dtype = PRECISIONS[file.metadata["precision"]]
    if content and not all(math.isfinite(bound) for bound in torch.frombuffer(content, dtype=dtype).aminmax()):
        broken = next(name for name in file.entries if not bool(file.tensor(name, content).isfinite().all()))
        raise WeightsError(f"{file.what}: tensor {broken!r} holds numbers that are not finite. Use another file.")


def _stored(name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    stored = tensor.detach().to("cpu", dtype).clone(memory_format=torch.contiguous_format)
    if not bool(torch.isfinite(stored).all()):
        reason = "exceeds float16; use float32" if bool(torch.isfinite(tensor).all()) else "is not finite: not saved"
        raise InputError(f"weights cannot be saved: tensor {name!r} {reason}.")
    return stored


def sha256_of_tensor(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.contiguous().view(-1).view(torch.uint8).numpy().data).hexdigest()


def metadata_sha256(metadata: Mapping[str, str]) -> str:
    entries = {name: value for name, value in metadata.items() if name != "metadata_sha256"}
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()
