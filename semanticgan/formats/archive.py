"""Opening a PyTorch file without trusting it: sizes, checksums and instructions are checked before PyTorch reads it.

New files are zips of one pickle and one entry per tensor, stored as they are; old ones are pickles in a row, then the
tensors.
"""

from __future__ import annotations

import os
import pickle
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch

from semanticgan.errors import WeightsError
from semanticgan.formats.pickles import STAND_INS, PickleProgram

_LARGEST_PROGRAM = 16_000_000  # bytes of the pickle of a zip
_MOST_ENTRIES = 50_000
_BYTES_OF_AN_ENTRY = 46  # in a zip's list of entries, at least
_LEGACY_PICKLES = 4  # magic number, protocol, system, content


def load_archive(path: Path) -> Any:
    """What a PyTorch file holds: tensors, plain containers and an argparse.Namespace. Nothing in it is run.

    Tensors of a zip are mapped: they take memory when they are read.

    Raises:
        WeightsError: it is damaged, has compressed entries, promises more than it has, or holds other things.
    """
    what = f"checkpoint {str(path)!r}"
    zipped = zipfile.is_zipfile(path)
    if zipped:
        _check_zip(path, what)
    else:
        _check_legacy(path, what)
    try:
        with torch.serialization.safe_globals(list(STAND_INS)), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on pickle protocols, which the user can do nothing about
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except pickle.UnpicklingError as error:
        lines = [line.strip() for line in str(error).splitlines()]
        reason = next((line for line in lines if "GLOBAL" in line or "Unsupported" in line), "")
        raise WeightsError(
            f"{what} holds more than tensors and arguments, or is damaged; nothing in it was run. Use a file from the "
            f"authors' release. {reason}".rstrip()
        ) from error
    except (  # what PyTorch raises for files that are cut or changed
        RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, MemoryError,
        AssertionError, RecursionError,
    ) as error:  # fmt: skip
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise WeightsError(f"{what} is damaged ({reason}). Download it again.") from error


def _check_zip(path: Path, what: str) -> None:
    """Sizes, the pickle's instructions, then all checksums, which PyTorch does not compare."""
    num_bytes = path.stat().st_size
    damaged = f"{what} is damaged"
    try:
        require_few_entries(path, what)
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check_entries(entries, num_bytes, what)
            programs = [entry for entry in entries if entry.filename.split("/")[-1] == "data.pkl"]
            if len(programs) != 1 or programs[0].file_size > _LARGEST_PROGRAM:
                raise WeightsError(f"{what} is a zip, but not one of PyTorch. Download the file again.")
            with archive.open(programs[0]) as stream:
                program = PickleProgram(what, num_bytes)
                program.check(stream)
            program.require_within_limit()
            broken = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError, ValueError) as error:
        if isinstance(error, WeightsError):
            raise
        crc = isinstance(error, zipfile.BadZipFile) and "CRC" in str(error)
        reason = "an entry of it is not what was saved" if crc else error
        raise WeightsError(f"{damaged} ({reason}). Download it again.") from error
    if broken is not None:
        raise WeightsError(f"{damaged} ({broken!r} in it is not what was saved). Download it again.")


def require_few_entries(path: Path, what: str) -> None:
    """Compare the size of a zip's list of entries, which Python would read whole, with the most that is allowed.

    Raises:
        WeightsError: it has more.
    """
    with open(path, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 70_000))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    claimed = int.from_bytes(tail[at + 10 : at + 12], "little") if at >= 0 else 0
    if claimed == 0xFFFF and (large := tail.rfind(b"PK\x06\x06")) >= 0:
        claimed = int.from_bytes(tail[large + 32 : large + 40], "little")
    length = int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0
    listed = 0 if length == 0xFFFFFFFF else length // (4 * _BYTES_OF_AN_ENTRY)  # names make an entry longer
    if max(claimed, listed) > _MOST_ENTRIES:
        raise WeightsError(f"{what} has more than {_MOST_ENTRIES:,} entries. Use a file from the authors' release.")


def _check_entries(entries: list[zipfile.ZipInfo], num_bytes: int, what: str) -> None:
    """Entries are stored uncompressed, each once, and have no more bytes than the file."""
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise WeightsError(
                f"{what} has compressed entries, which PyTorch never writes ({entry.filename!a}). Use the file as it "
                "was released, or save it again with torch.save."
            )
    if sum(entry.file_size for entry in entries) > num_bytes:
        raise WeightsError(f"{what} is damaged (its entries have more bytes than the file). Download it again.")
    if len({entry.filename for entry in entries}) < len(entries):
        raise WeightsError(f"{what} is damaged (two of its entries have the same name). Download it again.")


def _check_legacy(path: Path, what: str) -> None:
    program = PickleProgram(what, path.stat().st_size)
    with open(path, "rb") as stream:
        for _ in range(_LEGACY_PICKLES):
            program.check(stream)
    program.require_within_limit()
