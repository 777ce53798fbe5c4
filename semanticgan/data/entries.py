"""Names of files and folders: which are data, and in which form a name is compared.

Systems, network drives and synchronisers put files of their own among a user's pictures. None of them is data.
"""

from __future__ import annotations

import contextlib
import re
import unicodedata
import zipfile
from pathlib import PurePosixPath

from semanticgan.errors import InputError

_SYSTEM_NAMES = frozenset(
    (
        # Windows
        "thumbs.db",
        "ehthumbs.db",
        "ehthumbs_vista.db",
        "desktop.ini",
        "$recycle.bin",
        "recycler",
        "system volume information",
        # macOS; most of its files begin with a dot
        "__macosx",
        "icon\r",
        "network trash folder",
        "temporary items",
        # Synology and QNAP
        "@eadir",
        "@tmp",
        "@recycle",
        "@recently-snapshot",
        "#recycle",
        "#snapshot",
        # Linux
        "lost+found",
    )
)
ICLOUD_PLACEHOLDER = re.compile(r"\.(.+)\.icloud")  # of a file that is not on this disk, with its name
_NOTES_SUFFIXES = frozenset(
    (
        *(".txt", ".md", ".rst", ".html", ".pdf", ".log"),
        *(".json", ".jsonl", ".csv", ".tsv", ".xml", ".yaml", ".yml", ".toml"),
        *(".md5", ".sha1", ".sha256"),
    )
)
_NOTES_NAMES = frozenset(("readme", "license", "licence", "copying", "sha256sums", "md5sums"))
_UTF8_FLAG = 0x800


def is_system_name(name: str) -> bool:
    """Whether a file or folder of this name is hidden or the system's own, such as ``.DS_Store`` or ``@eaDir``."""
    return name.startswith(".") or name.casefold() in _SYSTEM_NAMES


def is_note(name: str) -> bool:
    """Whether a file beside pictures is text about them, such as a caption, a table or a licence."""
    path = PurePosixPath(name)
    return path.suffix.lower() in _NOTES_SUFFIXES or path.name.lower() in _NOTES_NAMES


def comparable(name: str) -> str:
    """A name in composed form (NFC): macOS decomposes names, and both forms look the same."""
    return unicodedata.normalize("NFC", name)


def name_of_entry(entry: zipfile.ZipInfo) -> str:
    """The name of a zip's entry: relative, composed, with "/" between folders and at the end of a folder.

    Backslashes and ``./`` are understood. Names without the flag for UTF-8 that are UTF-8 nevertheless, as macOS
    writes them, are read as such.

    Raises:
        InputError: the name is absolute or leads out of the zip.
    """
    name = entry.filename
    if not entry.flag_bits & _UTF8_FLAG and not name.isascii():
        with contextlib.suppress(UnicodeError):  # what is not UTF-8 has the old encoding
            name = name.encode("cp437").decode("utf-8")
    name = name.replace("\\", "/")
    parts = name.split("/")
    if name.startswith("/") or re.match("[A-Za-z]:", name) or ".." in parts:
        raise InputError(
            f"the zip has an entry {name!r}, whose name leads out of it. Pack the folder again, with names relative to "
            "it: `zip -r data.zip image label`."
        )
    kept = [part for part in parts if part not in ("", ".")]
    return comparable("/".join(kept)) + ("/" if kept and parts[-1] in ("", ".") else "")
