"""The package's own errors: mistakes in what the user gave, each one clear line.

The command line turns an :class:`InputError`, or what the system refuses (a full disk, a file that may not be read),
into one line and exit code 2, a :class:`TrainingDiverged` into one line and exit code 1; every other exception is a
defect of this package and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something the user gave cannot be used. The message says what was given, what is allowed and what to do next."""


class MissingFileError(InputError, FileNotFoundError):
    """A file or folder that the user named does not exist."""


class ExistingFileError(InputError, FileExistsError):
    """An output exists already and overwriting was not asked for."""


class UnwritableError(InputError, PermissionError):
    """An output cannot be written where the user wants it."""


class WeightsError(InputError):
    """A file of weights is damaged, unsafe, or no file of weights at all."""


class DataWarning(UserWarning):
    """Data are used, but not all of them, or not as their owner may expect; the message is one sentence.

    Raised by ``warnings.warn`` in the process that opens the data. The command line prints each as one line on stderr
    that begins with ``warning:``.
    """


class TrainingDiverged(RuntimeError):
    """A loss is no longer finite; the last published state is untouched."""


class Cancelled(Exception):
    """A long function was asked to end by its :class:`~semanticgan.progress.Progress`; it left nothing half written."""


class OutOfMemory(InputError, MemoryError):
    """Memory ran out; the message says what can be made smaller."""


# Words of the CPU's allocator, CUDA and MPS, cuBLAS and cuDNN, OpenCV, C++, Windows, the loader of libraries, threads.
_NO_MEMORY = (
    "allocate memory",
    "out of memory",
    "alloc_failed",
    "insufficient memory",
    "bad_alloc",
    "not enough memory",
    "failed to map segment",
    "can't start new thread",
    # Sizes that no machine has are refused in other words by NumPy, torch and Python.
    "array is too big",
    "maximum allowed dimension exceeded",
    "storage size calculation overflowed",
    "into an index-sized integer",
)


def is_of_memory(error: BaseException) -> bool:
    """Whether memory ran out. Few libraries have a class for it; the others are known by their words."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    said = str(error).lower()
    return isinstance(error, Exception) and any(words in said for words in _NO_MEMORY)


def unknown_name(kind: str, given: str, allowed: Iterable[str]) -> InputError:
    """The error for a name that is not among the known ones, naming the nearest and all that are allowed."""
    names = list(allowed)
    nearest = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    return InputError(f"unknown {kind} {given!r}.{hint} Known: {', '.join(names)}.")
