"""Files of latent codes: ``.safetensors`` with the names of the rows, ``.npy`` without; never a pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.files import require_file, user_path, written_aside
from semanticgan.formats.arrayfile import read_npy
from semanticgan.formats.strict_json import parse_json
from semanticgan.formats.tensorfile import open_tensors, save_tensors
from semanticgan.regions import RegionScheme
from semanticgan.rows import Rows
from semanticgan.wrong_arguments import require_type

_FORMAT = {"format": "semanticgan-latent-code", "format_version": "1"}
_ROWS = ("regions", "num_base", "num_layers")  # keys of Rows.to_dict, each one of the metadata


def require_suffix(path: str | Path) -> str:
    """The suffix of a file of a latent code.

    Raises:
        InputError: it is neither .safetensors nor .npy.
    """
    suffix = user_path(path, "latent code").suffix.lower()
    if suffix not in (".safetensors", ".npy"):
        raise InputError(f"latent code {str(path)!r} ends in {suffix or 'no suffix'!r}. Use .safetensors or .npy.")
    return suffix


def write_code(tensor: Tensor, rows: Rows, path: str | Path, overwrite: bool = False) -> None:
    """Write a code [N, R, D] as float32, as :meth:`semanticgan.latents.LatentCode.save` says."""
    suffix = require_suffix(path)
    array = tensor.detach().to("cpu", torch.float32).contiguous()
    with written_aside(path, overwrite) as aside:
        if suffix == ".npy":
            np.save(aside, array.numpy(), allow_pickle=False)
        else:
            described = {key: json.dumps(value) for key, value in rows.to_dict().items()}
            save_tensors({"latent_code": array}, aside, {**_FORMAT, **described})


def read_code(path: str | Path, wanted: Rows | RegionScheme | None, num_base: int | None) -> tuple[Tensor, Rows]:
    """A code [N, R, D] and its rows, as :meth:`semanticgan.latents.LatentCode.load` says.

    Raises:
        InputError: no such file, a damaged or unsafe file, or one that does not have the wanted rows.
    """
    path = require_file(path, "latent code")
    what = f"the latent code {str(path)!r}"
    written: Rows | None = None
    if require_suffix(path) == ".npy":
        if wanted is None:
            raise InputError(f"{str(path)!r} does not name its regions or layers. Give rows=, such as model.rows.")
        tensor = read_npy(Path(path))
    else:
        tensor, written = _read_safetensors(Path(path), what)
    if not bool(torch.isfinite(tensor).all()):
        raise InputError(f"{what} holds numbers that are not finite. Use another file.")
    rows = written if wanted is None else _as_rows(wanted, num_base, written, tensor.shape[1])
    assert rows is not None, "without wanted rows the file names its own"
    if written is not None and written.names != rows.names:
        raise InputError(f"{what} has {written}; needed are {rows}. Use a code of the same model.")
    if tensor.shape[1] != len(rows):
        raise InputError(
            f"{what} has {tensor.shape[1]} rows; {rows.counted} make {len(rows)}: [N, {len(rows)}, "
            f"{tensor.shape[2]}] is needed. Use a code of the same model; w [N, D] becomes a code by model.code(w)."
        )
    return tensor, rows


def _as_rows(wanted: Any, num_base: int | None, written: Rows | None, num_rows: int) -> Rows:
    """The wanted rows; of a region scheme with the base rows asked for, else with those that the file has."""
    if isinstance(wanted, RegionScheme):
        if num_base is None and written is not None:
            num_base = written.num_base
        return Rows.of_code(wanted, num_rows) if num_base is None else Rows.of_regions(wanted, num_base)
    require_type("rows", wanted, Rows, "Rows or a RegionScheme, such as model.rows")
    assert isinstance(wanted, Rows)
    return wanted


def _read_safetensors(path: Path, what: str) -> tuple[Tensor, Rows]:
    file = open_tensors(path, what)
    if any(file.metadata.get(key) != value for key, value in _FORMAT.items()):
        raise InputError(f"{str(path)!r} is not a latent code. Use a file of LatentCode.save or --save-latent.")
    if list(file.entries) != ["latent_code"]:
        raise InputError(f"{what} is damaged: it holds no tensor 'latent_code', or others too. Use another file.")
    tensor = file.tensor("latent_code", file.read())
    try:
        described = {key: parse_json(file.metadata[key]) for key in _ROWS if key in file.metadata}
        if list(described) == ["regions"]:  # older files lack the number of base rows
            rows = Rows.of_code(RegionScheme.from_dict(described["regions"]), tensor.shape[1])
        else:
            rows = Rows.from_dict(described)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{what} is damaged: its rows cannot be used ({error}). Use another file.") from error
    if tensor.ndim != 3 or tensor.shape[1] != len(rows):
        raise InputError(f"{what} is damaged: {list(tensor.shape)} is not a code of {rows.counted}. Use another file.")
    return tensor.float(), rows
