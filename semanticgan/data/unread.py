"""Files that lie among the data and are not read, named once when the data are opened."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from semanticgan.data import pictures
from semanticgan.data.entries import is_note
from semanticgan.data.storage import Storage, first_names
from semanticgan.errors import DataWarning


def has_picture_suffix(name: str) -> bool:
    """Whether a file is read as a picture, by its name."""
    return PurePosixPath(name).suffix.lower() in pictures.PICTURE_SUFFIXES


def warn_of_unread(storage: Storage, names: Sequence[str], read: str) -> None:
    """A :class:`DataWarning` with the count, suffixes and first names of files that are not read.

    Args:
        storage: where they are.
        names: of the files; those of texts about the pictures are passed over.
        read: what is read, a sentence.
    """
    names = [name for name in names if not is_note(name)]
    if names:
        suffixes = Counter(PurePosixPath(name).suffix.lower() or "no suffix" for name in names)
        counts = ", ".join(f"{count} {suffix}" for suffix, count in suffixes.most_common(8))
        warn(storage, f"{_files(len(names))} not read ({counts}): {first_names(names)}. {read}")


def warn(storage: Storage, message: str) -> None:
    """A :class:`DataWarning` about a folder or zip."""
    warnings.warn(f"in {str(storage.path)!r}: {message}", DataWarning, stacklevel=2)


def _files(count: int) -> str:
    return "1 file is" if count == 1 else f"{count} files are"
