"""``.safetensors`` files: written with bytes that follow from the content alone, read with a check of the header first.

A header says how many numbers of which type follow. It is not believed: the library compares it with the file's length
before a tensor is read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from semanticgan.errors import WeightsError

LARGEST_HEADER = 4_000_000
"""Bytes of names, shapes and metadata that are read; the bundled models have 40,000."""

_NUM_LENGTH_BYTES = 8  # a file begins with the length of its header, little-endian
_FLOATS: Mapping[str, torch.dtype] = MappingProxyType(
    {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
)


@dataclass(frozen=True)
class Entry:
    """A tensor as the header describes it.

    Attributes:
        dtype: name of its type, "F32".
        shape: its shape.
        start: its first byte, counted from the end of the header.
        end: the byte after its last.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class TensorFile:
    """A file whose header fits its length.

    Attributes:
        path: where it is.
        what: what it is, with its name, for messages.
        metadata: what it says of itself.
        entries: its tensors by name.
        data_start: number of the byte at which the tensors begin.
    """

    path: Path
    what: str
    metadata: Mapping[str, str]
    entries: Mapping[str, Entry]
    data_start: int

    def read(self) -> memoryview:
        """The bytes of all tensors, read once; :meth:`tensor` reads from them without a copy.

        Raises:
            WeightsError: the file is shorter than a moment ago, or larger than the memory.
        """
        num_bytes = max((entry.end for entry in self.entries.values()), default=0)
        try:
            content = bytearray(num_bytes)
        except (MemoryError, OverflowError) as error:
            raise WeightsError(f"{self.what} has {num_bytes:,} bytes, more than there is memory.") from error
        with open(self.path, "rb") as file:
            file.seek(self.data_start)
            if file.readinto(content) != num_bytes:
                raise WeightsError(f"{self.what} is truncated or damaged. Download or write it again.")
        return memoryview(content)

    def tensor(self, name: str, content: memoryview) -> Tensor:
        """A tensor of floating numbers by its name, a view of what :meth:`read` gave.

        Raises:
            WeightsError: its type is none of float16, bfloat16, float32 and float64.
        """
        entry = self.entries[name]
        if entry.dtype not in _FLOATS:
            raise WeightsError(
                f"{self.what}: tensor {name!r} has the type {entry.dtype}. Allowed are {', '.join(_FLOATS)}. Write the "
                "file again in one of them."
            )
        dtype = _FLOATS[entry.dtype]
        if entry.start == entry.end:
            return torch.empty(entry.shape, dtype=dtype)
        block = content[entry.start : entry.end]
        if entry.start % dtype.itemsize:
            block = memoryview(bytearray(block))  # the library pads the header, other writers may not
        return torch.frombuffer(block, dtype=dtype).reshape(entry.shape)


def open_tensors(path: Path, what: str) -> TensorFile:
    """Check the header of a ``.safetensors`` file; no tensor is read.

    Args:
        what: what it is, with its name; begins the messages.

    Raises:
        WeightsError: it is damaged, truncated, or its header is larger than :data:`LARGEST_HEADER`.
    """
    from safetensors import SafetensorError, safe_open

    damaged = f"{what} is truncated or damaged"
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > os.fstat(file.fileno()).st_size - 8:
            raise WeightsError(f"{damaged}. Download or write it again.")
        if length > LARGEST_HEADER:
            raise WeightsError(
                f"{what} has a header of {length:,} bytes; at most {LARGEST_HEADER:,} are read. Give a file written by "
                "semanticgan."
            )
        header = file.read(length)
    try:
        with safe_open(path, framework="pt") as checked:  # offsets, shapes and types against the file's length
            metadata = checked.metadata() or {}
        described = json.loads(header)
        described.pop("__metadata__", None)
        entries = {name: _entry(entry) for name, entry in described.items()}
    except (SafetensorError, OSError, RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(f"{damaged} ({error}). Download or write it again.") from error
    return TensorFile(path, what, metadata, entries, 8 + length)


def _entry(described: Mapping[str, Any]) -> Entry:
    start, end = described["data_offsets"]
    return Entry(described["dtype"], tuple(described["shape"]), start, end)


def save_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """Write tensors and texts; equal ones give equal bytes, in every process.

    The library writes the metadata in an order that differs from process to process. Here its header is written again
    with the names sorted, in the same place: https://huggingface.co/docs/safetensors, "Format".
    """
    from safetensors.torch import save_file

    save_file(dict(tensors), path, dict(metadata))
    with open(path, "r+b") as file:
        length = int.from_bytes(file.read(_NUM_LENGTH_BYTES), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        ordered = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        assert len(ordered) <= length, "the same JSON takes more bytes"
        file.seek(_NUM_LENGTH_BYTES)
        file.write(ordered.ljust(length))  # spaces fill a header up, as the format says
