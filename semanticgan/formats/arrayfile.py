"""Untrusted ``.npy`` and ``.npz`` arrays: never a pickle, and no more than the file holds."""

from __future__ import annotations

import io
import math
import tokenize
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from semanticgan.errors import InputError, WeightsError
from semanticgan.formats.archive import require_few_entries

_MOST_COMPRESSION = 50
"""How many times its own size an ``.npz`` may unpack to; weights are hardly compressible."""


def read_npy(path: Path) -> Tensor:
    """A latent code of a ``.npy`` file as float32; an array [B + 2K, D] becomes [1, B + 2K, D].

    The array is mapped, not read: a header that promises more than the file has is found before anything is reserved.

    Raises:
        InputError: no array of floating numbers, or a damaged file.
    """
    what = f"the latent code {str(path)!r}"
    with open(path, "rb") as file:
        start = file.read(6)
    try:
        if start != b"\x93NUMPY":
            raise ValueError("it does not begin as one")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's own on products of sides that overflow
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, TypeError, OSError, EOFError, OverflowError, MemoryError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{what} is not a readable .npy array ({reason}). Use another file.") from error
    if array.dtype.kind != "f" or array.dtype.itemsize not in (2, 4, 8):
        raise InputError(
            f"{what} holds no floating numbers of 16, 32 or 64 bits, but {array.dtype}. Use an array [N, B + 2K, D]."
        )
    if array.ndim not in (2, 3):
        raise InputError(f"{what} has the shape {list(array.shape)}. Use an array [N, B + 2K, D] or [B + 2K, D].")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which is refused
        tensor = torch.from_numpy(np.array(array, dtype=np.float32, order="C"))
    return tensor[None] if tensor.ndim == 2 else tensor


def read_npz(path: Path) -> dict[str, Tensor]:
    """The arrays of an ``.npz`` by name, float32.

    Each array is as long as its header says, and all of them are as long as the zip's list says, before they are read.

    Raises:
        WeightsError: it is damaged, holds something else than floating numbers, or unpacks to far more than its size.
    """
    what = f"the file {str(path)!r}"
    try:
        require_few_entries(path, what)
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries):
                raise WeightsError(f"{what} is compressed in a way that numpy never writes. Save it with numpy.savez.")
            if sum(entry.file_size for entry in entries) > _MOST_COMPRESSION * path.stat().st_size:
                raise WeightsError(f"{what} unpacks to more than {_MOST_COMPRESSION} times its size. Save it again.")
            names = [entry.filename.removesuffix(".npy") for entry in entries]
            if len(set(names)) < len(names):
                raise WeightsError(f"{what} holds two arrays of the same name. Save it again with numpy.savez.")
            return {
                name: _array(archive.read(entry), f"the array {name!a} in {what}")
                for name, entry in zip(names, entries, strict=True)
            }
    except (
        zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, MemoryError, ValueError, TypeError, KeyError,
        SyntaxError, OverflowError, tokenize.TokenError,
    ) as error:  # fmt: skip
        if isinstance(error, WeightsError):
            raise
        reason = " ".join(str(error).split())[:120]
        raise WeightsError(f"{what} is no readable .npz of arrays ({reason}). Save it with numpy.savez.") from error


def _array(content: bytes, what: str) -> Tensor:
    """One array from the bytes of its ``.npy`` file.

    Raises:
        WeightsError: no floating numbers.
        ValueError: it is damaged.
    """
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{what} is of another version of numpy's format")
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks on headers of Python 2
        shape, fortran, dtype = read_header(stream)
    if dtype.kind != "f" or dtype.itemsize not in (2, 4, 8):
        raise WeightsError(f"{what} holds no floating numbers of 16, 32 or 64 bits, but {dtype}. Leave it out.")
    if math.prod(shape) * dtype.itemsize != len(content) - stream.tell():
        raise ValueError(f"{what} has not as many numbers as its shape {list(shape)}")
    array = np.frombuffer(content, dtype, offset=stream.tell()).reshape(shape, order="F" if fortran else "C")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
        return torch.from_numpy(np.array(array, dtype=np.float32, order="C"))
