"""Which files a prepared set consists of, so that nothing else is ever removed with it.

A set in a folder lists its pictures and label maps in ``SHA256SUMS``; the digest of that list is in ``dataset.json``.
An LMDB holds all in one file, whose metadata have the digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from semanticgan.data import lmdb_pairs
from semanticgan.data.encoding import Record, pair_digest
from semanticgan.data.storage import first_names
from semanticgan.errors import ExistingFileError, InputError

SUMS = "SHA256SUMS"
DESCRIPTION, REPORT, ATTRIBUTES, JOURNAL = "dataset.json", "report.json", "attributes.jsonl", "sources.jsonl"
LOCK = "lock.mdb"

_SUM = re.compile(r"([0-9a-f]{64})  (?:image|label)/(\d{5,}\.(?:png|jpg))")
_PAIR = re.compile(r"image/\d{5,}\.(png|jpg)|label/\d{5,}\.png")
_ASIDE = re.compile(r"((image|label)/)?\.(\d{5,}|dataset|report|attributes|SHA256SUMS|sources)-[\w.]+")
_NAMES = {
    "folder": (REPORT, ATTRIBUTES, SUMS, DESCRIPTION),
    "lmdb": (REPORT, LOCK, lmdb_pairs.FILE, DESCRIPTION),
}


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file, empty where there is none."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def files_of_set(folder: Path) -> list[str]:
    """Names of the files of a finished set, and no others; those that say which they are come last.

    Raises:
        ExistingFileError: ``folder`` is no prepared set, or holds other files too.
    """
    described = read_json(folder / DESCRIPTION) if not folder.is_symlink() else {}
    listed = _listed(folder, described)
    if listed is None:
        raise ExistingFileError(
            f"{str(folder)!r} exists and is not a prepared dataset, so it is not replaced. Choose another "
            "output, or move it."
        )
    names = [*listed, *_NAMES[described["output_format"]]]
    require_only(folder, set(names).__contains__, "a prepared dataset")
    return names


def require_only(folder: Path, belongs: Callable[[str], bool], what: str) -> None:
    """Check that a folder holds no files, links or further folders but those that belong there.

    Raises:
        ExistingFileError: it does; the message says that it holds more than ``what``.
    """
    others = sorted(name for name in _files_below(folder) if not belongs(name))
    if others:
        raise ExistingFileError(
            f"{str(folder)!r} holds more than {what} ({first_names(others)}), so it is not replaced. Choose another "
            "output, or move these files."
        )


def belongs_to_unfinished(name: str) -> bool:
    """Whether a file of this name is one that an unfinished preparation writes."""
    own = {JOURNAL, *_NAMES["folder"], *_NAMES["lmdb"]}
    return name in own or _PAIR.fullmatch(name) is not None or is_left_aside(name)


def is_left_aside(name: str) -> bool:
    """Whether a file of this name was being written aside by a process of a preparation."""
    return _ASIDE.fullmatch(name) is not None


def remove_files(folder: Path, names: Iterable[str]) -> None:
    """Remove the named files, then the folders that are empty without them."""
    for name in names:
        (folder / name).unlink(missing_ok=True)
    for emptied in (folder / "image", folder / "label", folder):
        with contextlib.suppress(OSError):
            emptied.rmdir()


def remove_set(folder: Path) -> None:
    """Remove a finished set, or what is left of one whose removal was cut off; other files stay, and the folder then.

    Raises:
        ExistingFileError: it holds other files too.
    """
    if {*_files_below(folder)} <= {DESCRIPTION}:  # removed last: without the list it says no more what was there
        remove_files(folder, [DESCRIPTION])
    else:
        remove_files(folder, files_of_set(folder))


def remove_pairs(folder: Path, keep: set[str]) -> None:
    """Remove stored pictures and label maps but ``keep`` from an unfinished set."""
    names = [name for name in _files_below(folder) if _PAIR.fullmatch(name) and name not in keep]
    for name in names:
        (folder / name).unlink()
    if not keep:
        for emptied in (folder / "image", folder / "label"):
            with contextlib.suppress(OSError):
                emptied.rmdir()


def files_left_aside(folder: Path) -> list[str]:
    """Names of what processes of an unfinished preparation were writing when they were killed."""
    return [name for name in _files_below(folder) if is_left_aside(name)]


def _listed(folder: Path, described: dict[str, Any]) -> list[str] | None:
    """Names of the stored pictures and label maps, None where the list is not that of a prepared set."""
    if described.get("output_format") == "lmdb":
        with contextlib.suppress(InputError):
            if lmdb_pairs.digest_of(folder) == described.get("digest"):
                return []
        return None
    if described.get("output_format") != "folder":
        return None
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    found = [_SUM.fullmatch(line) for line in lines]
    digest = hashlib.sha256()
    for image, labels in zip(found[::2], found[1::2], strict=False):
        if image is None or labels is None:
            return None
        digest.update(pair_digest(image[2], Record(image[1], labels[1], [])).encode())
    if len(found) % 2 or digest.hexdigest() != described.get("digest"):
        return None
    return [line.partition("  ")[2] for line in lines]


def _files_below(folder: Path) -> Iterator[str]:
    """Names of everything below a folder but ``image/`` and ``label/`` themselves, with "/"; links are not followed."""
    for where, folders, files in os.walk(folder):
        prefix = Path(where).relative_to(folder).as_posix() + "/" if Path(where) != folder else ""
        for name in list(folders):
            own = not prefix and name in ("image", "label") and not (folder / name).is_symlink()
            if not own:
                folders.remove(name)
                yield f"{prefix}{name}"
        yield from (prefix + name for name in files)
