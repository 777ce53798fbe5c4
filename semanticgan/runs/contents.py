"""What a run's folder may hold: files and folders of its own, which are opened without following links.

A run may come from somebody else. A link in it could make a training write outside of it, and a pipe could block it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from semanticgan.errors import InputError
from semanticgan.places import open_plain, require_kind

CONFIG_FILE = "config.yaml"
LOCK_FILE = ".lock"
STATS_FILE = "stats.jsonl"
SHEETS_FOLDER = "sheets"
TENSORBOARD_FOLDER = "tensorboard"
FEATURES_FOLDER = "features"
WANDB_ID_FILE = ".wandb-id"

_FILES = (CONFIG_FILE, LOCK_FILE, STATS_FILE, WANDB_ID_FILE)
_FOLDERS = re.compile(rf"{SHEETS_FOLDER}|{TENSORBOARD_FOLDER}|{FEATURES_FOLDER}|wandb|step-\d{{7,}}")
_LARGEST_CONFIG = 1 << 18  # bytes; what is written has a few thousand
_LONGEST_LINE = 1 << 20  # characters of a line of the log


def require_plain(run_dir: Path) -> None:
    """Check that what a run's folder holds under the run's own names is what the run put there, links excluded.

    Raises:
        InputError: something is a link, a pipe, a device, a file in place of a folder or the other way round, or the
            configuration is too large.
    """
    for name in _FILES:
        require_kind(run_dir / name, stat.S_IFREG)
    for entry in _entries(run_dir):
        if _FOLDERS.fullmatch(entry.name):
            require_kind(entry, stat.S_IFDIR)
            if entry.name in (SHEETS_FOLDER, TENSORBOARD_FOLDER, FEATURES_FOLDER) or entry.name.startswith("step-"):
                for inner in _entries(entry):
                    if not stat.S_ISDIR(inner.lstat().st_mode):
                        require_kind(inner, stat.S_IFREG)
    if (run_dir / CONFIG_FILE).exists():
        read_text(run_dir / CONFIG_FILE)  # not too large; its reader limits depth and aliases


def _entries(folder: Path) -> list[Path]:
    """What a folder holds; nothing where it is gone meanwhile."""
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def is_plain_file(path: Path) -> bool:
    """Whether there is a file of this name, and no link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def read_text(path: Path, largest: int = _LARGEST_CONFIG) -> str:
    """The text of a small file of a run's folder.

    Raises:
        InputError: no file, too large, or no text.
    """
    with open(open_plain(path, os.O_RDONLY), "rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise InputError(f"{str(path)!r} is larger than {largest} bytes. Give the folder of a run.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{str(path)!r} is not text. Give the folder of a run.") from error


def read_lines(path: Path) -> Iterator[str]:
    """Lines of a log with their newlines, each as it is read; one that is too long comes in pieces.

    Raises:
        InputError: no file.
    """
    with open(open_plain(path, os.O_RDONLY), encoding="utf-8", errors="replace", newline="\n") as file:
        while line := file.readline(_LONGEST_LINE):
            yield line
