"""Untrusted ``.npy`` arrays: never a pickle, and no more than the file holds."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from semanticgan.errors import InputError


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
