"""``.safetensors`` files whose bytes follow from what is in them alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

_NUM_LENGTH_BYTES = 8  # a file begins with the length of its header, little-endian


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
