"""The networks of the npm package @vladmandic/face-api (MIT), turned into one safe file of weights.

The package is a gzipped tar. Its members are read in memory by their names, and believed only when their hash is right.
A network is two members: a list of tensors, and their numbers back to back in that order. A tensor is stored in bytes
q, then value = q * scale + min in float64, rounded to float32; or as float32 itself, little-endian.

TensorFlow's shapes become PyTorch's: filters [H, W, in, out] -> [out, in, H, W], depthwise filters [H, W, ch, 1] ->
[ch, 1, H, W], matrices [in, out] -> [out, in]. The file's format is "semanticgan-face-api", its tensors lie under
NETWORK + "." + their names there, with dots for slashes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semanticgan.errors import WeightsError
from semanticgan.files import require_free
from semanticgan.formats.strict_json import loads
from semanticgan.formats.weights import write_weights

FORMAT = "semanticgan-face-api"
PACKAGE = "@vladmandic/face-api@1.7.15"
FILE_NAME = "vladmandic-face-api-1.7.15.tgz"
"""What `npm pack` calls it."""
LICENCE = "MIT, as the package @vladmandic/face-api states it"
DATA_LICENCE = (
    "that of the data sets: UTK, FGNET, Chalearn, Wiki, IMDB, CACD and MegaAge for age and gender; those of dlib's "
    "ResNet for identity; unnamed faces for landmarks and expression"
)


@dataclass(frozen=True)
class Member:
    """A file in the package.

    Attributes:
        num_bytes: its size.
        sha256: its hash.
    """

    num_bytes: int
    sha256: str


NETWORKS: Mapping[str, tuple[Member, Member]] = MappingProxyType(
    {
        "face_recognition": (
            Member(19_615, "cbaffa501b0b9275a12b63357a6843e7e30c054e1c9151e1a5f879b26e32986b"),
            Member(6_444_032, "b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589"),
        ),
        "age_gender": (
            Member(8_392, "74b60bf3ebf981bf4e661e9cca3a185614e10b25d797118b62e2a68d3ff2569f"),
            Member(429_708, "49f92bbc0afef2342c4385e4a2b0acb6d7a727c6f0aa539499719a81acf9abaa"),
        ),
        "face_expression": (
            Member(6_980, "5b349c17c7836da506e03422cd6461c74085d8bb2713ad4114647dc5d28174c8"),
            Member(329_468, "9a9840f2cf1f4c7eab95f197512569345c00d2426754d4608b92af30e0300f3d"),
        ),
        "face_landmark_68": (
            Member(8_485, "ca4886639f86e99b39fed0c155f81b63317225773bd9616716e887b0153389c9"),
            Member(356_840, "4611ef65c87d836d03d684b30eec4d195d8b219fa1dd58fc58945831c6b9299b"),
        ),
    }
)
"""Name -> list of tensors and their numbers, as the package has them."""

_MOST_BYTES = 2**26  # of the unpacked tar, which has 24 million
_MOST_MEMBERS = 2_000  # it has 254
_ADVICE = f"Get the package again: `npm pack {PACKAGE}`."


@dataclass(frozen=True)
class FaceApi:
    """What the package holds.

    Attributes:
        tensors: float32 by the names that the file of weights has.
    """

    tensors: Mapping[str, Tensor]

    @property
    def num_parameters(self) -> int:
        return sum(tensor.numel() for tensor in self.tensors.values())


def is_package(source: Path) -> bool:
    """Whether a file is gzipped, as the package is and no checkpoint."""
    with open(source, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


def read_package(source: Path) -> FaceApi:
    """The networks of a package.

    Raises:
        WeightsError: it is no such package, of another version, or damaged.
    """
    what = f"package {str(source)!r}"
    wanted = {
        name: member
        for network, (manifest, numbers) in NETWORKS.items()
        for name, member in zip(_names(network), (manifest, numbers), strict=True)
    }
    content = _read_members(source, wanted, what)
    tensors: dict[str, Tensor] = {}
    for network in NETWORKS:
        manifest, numbers = (content[name] for name in _names(network))
        decoded = decoded_tensors(loads(manifest, _names(network)[0]), numbers, what)
        tensors |= {f"{network}.{name}": tensor for name, tensor in to_torch(decoded).items()}
    return FaceApi(tensors)


def convert(
    source: Path, out: str | Path, texts: Mapping[str, str | None], precision: str = "float32", overwrite: bool = False
) -> FaceApi:
    """Turn a package into one file of weights.

    Args:
        source: the package.
        out: the ``.safetensors`` file to write.
        texts: description, licence and data_licence, in place of those of the package where they are given.
        precision, overwrite: as :func:`semanticgan.formats.weights.write_weights`.

    Raises:
        InputError: ``out`` exists or cannot be written.
        WeightsError: as :func:`read_package`.
    """
    require_free(out, overwrite)
    found = read_package(source)
    usual = {"description": f"networks of {PACKAGE}", "licence": LICENCE, "data_licence": DATA_LICENCE}
    given = {name: text for name, text in texts.items() if text}
    write_weights(out, FORMAT, found.tensors, {**usual, **given}, precision, overwrite)
    return found


def decoded_tensors(manifest: Any, numbers: bytes, what: str) -> dict[str, np.ndarray]:
    """The tensors of a network, float32 in TensorFlow's shapes, by TensorFlow's names.

    Args:
        manifest: a list of groups of tensors, each with name, shape and, where they are stored in bytes, quantization.
        numbers: of all groups, back to back.
        what: begins the messages.

    Raises:
        WeightsError: the manifest is of another form, or does not fit the numbers.
    """
    found: dict[str, np.ndarray] = {}
    start = 0
    try:
        for entry in (entry for group in manifest for entry in group["weights"]):
            shape, packing = [int(side) for side in entry["shape"]], entry.get("quantization")
            dtype = np.dtype(np.uint8 if packing else "<f4")
            if packing and packing["dtype"] != "uint8":
                raise ValueError(f"{packing['dtype']!a} is not read")
            stop = start + math.prod(shape) * dtype.itemsize
            values = np.frombuffer(numbers[start:stop], dtype).reshape(shape)
            if packing:
                values = values.astype(np.float64) * float(packing["scale"]) + float(packing["min"])
            found[str(entry["name"])] = values.astype(np.float32)
            start = stop
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise WeightsError(f"{what} has a list of tensors that does not fit its numbers: {error}. {_ADVICE}") from error
    if start != len(numbers):
        raise WeightsError(f"{what} has {len(numbers):,} bytes of numbers, its list names {start:,}. {_ADVICE}")
    return found


_LEAVES = {
    "filters": "weight",
    "weights": "weight",
    "biases": "bias",
    "bias": "bias",
    "fc": "fc.weight",
    "depthwise_filter": "depthwise.weight",
    "pointwise_filter": "pointwise.weight",
}


def to_torch(tensors: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """TensorFlow's names and shapes -> those of :mod:`semanticgan.perception.face_api_networks`."""
    found = {}
    for name, values in tensors.items():
        module, _, leaf = name.rpartition("/")
        ours = "pointwise.bias" if f"{module}/depthwise_filter" in tensors and leaf == "bias" else _LEAVES[leaf]
        tensor = torch.from_numpy(values)
        if tensor.ndim == 4:
            tensor = tensor.permute((2, 3, 0, 1) if leaf == "depthwise_filter" else (3, 2, 0, 1))
        elif tensor.ndim == 2:
            tensor = tensor.T
        found[".".join([*filter(None, module.split("/")), ours])] = tensor.contiguous()
    return found


def _names(network: str) -> tuple[str, str]:
    """The members of a network: list of tensors, numbers."""
    return f"package/model/{network}_model-weights_manifest.json", f"package/model/{network}_model.bin"


class _Bounded(io.RawIOBase):
    """What a gzipped file unpacks to, up to a number of bytes: a small file can unpack to terabytes."""

    def __init__(self, stream: gzip.GzipFile, most: int) -> None:
        self._stream, self._left = stream, most

    def read(self, size: int = -1) -> bytes:
        content = self._stream.read(self._left + 1 if size < 0 else min(size, self._left + 1))
        self._left -= len(content)
        if self._left < 0:
            raise ValueError(f"it unpacks to more than {_MOST_BYTES:,} bytes")
        return content


def _read_members(source: Path, wanted: Mapping[str, Member], what: str) -> dict[str, bytes]:
    """The members that are wanted, each of its size and hash; nothing is written to the disk."""
    found: dict[str, bytes] = {}
    try:
        with gzip.open(source) as stream, tarfile.open(fileobj=_Bounded(stream, _MOST_BYTES), mode="r|") as archive:
            for count, entry in enumerate(archive):
                if count >= _MOST_MEMBERS:
                    raise ValueError(f"it has more than {_MOST_MEMBERS:,} members")
                if (member := wanted.get(entry.name)) is None:
                    continue
                content = archive.extractfile(entry) if entry.isreg() and entry.size == member.num_bytes else None
                if content is None or entry.name in found:
                    raise ValueError(f"{entry.name!a} is not a file of {member.num_bytes:,} bytes, or comes twice")
                found[entry.name] = content.read()
                if (digest := hashlib.sha256(found[entry.name]).hexdigest()) != member.sha256:
                    raise ValueError(f"{entry.name!a} has the SHA-256 {digest}, needed is {member.sha256}")
    except (
        tarfile.TarError, zlib.error, OSError, EOFError, ValueError, OverflowError, RecursionError, MemoryError,
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise WeightsError(f"{what} is not {PACKAGE}: {reason}. {_ADVICE}") from error
    if missing := [name for name in wanted if name not in found]:
        raise WeightsError(f"{what} is not {PACKAGE}: it lacks {missing[0]!r}. {_ADVICE}")
    return found
