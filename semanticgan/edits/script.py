"""Edits as JSON files.

    {"format": "semanticgan-edit", "format_version": 1, "model": DIGEST, "paste": "auto",
     "source": {"image": "me.jpg", "face": null, "aligned": false, "sha256": ...,
                "found": [{"code": [R][D], "alignment": [2][3], "method": "encoder"}]},
     "operations": [{"regions": ["hair"], "what": "both", "include_base": false, "weight": 1.0, "source": {"seed": 8}}]}

A composite has the key "composite_after", a number of operations, as :class:`semanticgan.edits.edit.Edit` says.
Each kind of operation has a key of its own ("source" above, of a swap); :mod:`semanticgan.edits.operations` lists them.
Unknown and missing keys, and values of other types, are refused by name.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from semanticgan.edits.edit import Edit
from semanticgan.edits.operation import Operation
from semanticgan.edits.operations import KINDS
from semanticgan.edits.reading import Reader
from semanticgan.edits.source_json import source_from, source_to
from semanticgan.errors import InputError, unknown_name
from semanticgan.files import require_file, user_path, written_aside
from semanticgan.formats.strict_json import loads

FORMAT, VERSION = "semanticgan-edit", 1

_MOST_OPERATIONS = 1000


def save_edit(edit: Edit, path: str | Path, overwrite: bool = False) -> None:
    """Write an edit, as :meth:`semanticgan.edits.edit.Edit.save` says."""
    path = user_path(path, "edit script")
    if path.suffix.lower() != ".json":
        raise InputError(f"an edit script ends in .json, got {str(path)!r}. Choose such a name.")
    with written_aside(path, overwrite) as aside:
        aside.write_text(to_json(edit) + "\n", encoding="utf-8")


def load_edit(path: str | Path) -> Edit:
    """Read an edit, as :meth:`semanticgan.edits.edit.Edit.load` says."""
    path = require_file(path, "edit script")
    return from_json(path.read_bytes(), str(path))


def to_json(edit: Edit) -> str:
    """The text of an edit."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "format_version": VERSION,
        "model": edit.model,
        "paste": edit.paste,
        "source": source_to(edit.source),
        "operations": [step.to_dict() for step in edit.operations],
    }
    if edit.composite_after is not None:
        content["composite_after"] = edit.composite_after
    return json.dumps(content, ensure_ascii=False)


def from_json(content: str | bytes, name: str) -> Edit:
    """The edit of a JSON text.

    Args:
        content: the text.
        name: of its file, for messages.

    Raises:
        InputError: it is not the JSON of an edit.
    """
    read = Reader(name)
    top = read.mapping(loads(content, name), "the script")
    if top.get("format") != FORMAT:
        read.refuse('"format"', f'"{FORMAT}"', top.get("format"))
    if top.get("format_version") != VERSION:
        read.refuse('"format_version"', str(VERSION), top.get("format_version"))
    keys = ("format", "format_version", "model", "paste", "source", "operations")
    read.keys(top, keys, "the script", ("composite_after",))
    operations = [
        _operation(read, item, f"operation {index}")
        for index, item in enumerate(read.items(top, "operations", _MOST_OPERATIONS))
    ]
    source = source_from(read, top["source"], "the source")
    return Edit(source, operations, read.text(top, "paste"), read.text(top, "model"), top.get("composite_after"))


def _operation(read: Reader, item: Any, where: str) -> Operation:
    values = read.mapping(item, where)
    kinds = [key for key in KINDS if key in values]
    if len(kinds) != 1:
        keys = sorted(set(values) - {"regions"})
        if unknown := [key for key in keys if not kinds and key not in KINDS]:
            raise InputError(f"{where} of the edit script {read.name!r}: {unknown_name('key', unknown[0], KINDS)}")
        read.refuse(where, f"one of the keys {', '.join(KINDS)}", sorted(values))
    return KINDS[kinds[0]].from_dict(read, values, where)
