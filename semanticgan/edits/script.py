"""Edits as JSON files.

    {"format": "semanticgan-edit", "format_version": 1, "model": DIGEST, "paste": "auto",
     "source": {"image": "me.jpg", "face": null, "aligned": false, "sha256": ...,
                "found": [{"code": [R][D], "alignment": [2][3], "method": "encoder"}]},
     "operations": [{"regions": ["hair"], "what": "both", "include_base": false, "weight": 1.0, "source": {"seed": 8}}]}

Unknown and missing keys, and values of other types, are refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from semanticgan.edits.edit import Edit, Operation
from semanticgan.edits.sources import Found, Source, alignment_of, matrix_of, rows_of
from semanticgan.errors import InputError, unknown_name
from semanticgan.files import require_file, user_path, written_aside
from semanticgan.formats.strict_json import loads
from semanticgan.wrong_arguments import LARGEST_FLOAT32

FORMAT, VERSION = "semanticgan-edit", 1

_MOST_OPERATIONS = 1000
_MOST_FACES = 1000
_MOST_ROWS, _MOST_CHANNELS = 4096, 4096


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
    content = {
        "format": FORMAT,
        "format_version": VERSION,
        "model": edit.model,
        "paste": edit.paste,
        "source": _source_to(edit.source),
        "operations": [
            {
                "regions": list(step.regions),
                "what": step.what,
                "include_base": step.include_base,
                "weight": step.weight,
                "source": _source_to(step.source),
            }
            for step in edit.operations
        ],
    }
    return json.dumps(content, ensure_ascii=False)


def _source_to(source: Source) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if source.image is not None:
        content = {"image": source.image, "face": source.face, "aligned": source.aligned, "sha256": source.sha256}
        if source.landmarks is not None:
            content["landmarks"] = [list(point) for point in source.landmarks]
    elif source.seed is not None:
        content = {"seed": source.seed, "truncation": source.truncation}
    elif source.latent is not None:
        content = {"latent": source.latent}
    if source.found:
        content["found"] = [
            {"code": found.code.tolist(), "alignment": matrix_of(found.alignment), "method": found.method}
            for found in source.found
        ]
    return content


def from_json(content: str | bytes, name: str) -> Edit:
    """The edit of a JSON text.

    Args:
        content: the text.
        name: of its file, for messages.

    Raises:
        InputError: it is not the JSON of an edit.
    """
    read = _Reader(name)
    top = read.mapping(loads(content, name), "the script")
    if top.get("format") != FORMAT:
        read.refuse('"format"', f'"{FORMAT}"', top.get("format"))
    if top.get("format_version") != VERSION:
        read.refuse('"format_version"', str(VERSION), top.get("format_version"))
    read.keys(top, ("format", "format_version", "model", "paste", "source", "operations"), "the script")
    operations = [
        _operation(read, item, f"operation {index}")
        for index, item in enumerate(read.items(top, "operations", _MOST_OPERATIONS))
    ]
    source = _source_from(read, top["source"], "the source")
    return Edit(source, operations, read.text(top, "paste"), read.text(top, "model"))


def _operation(read: _Reader, item: Any, where: str) -> Operation:
    values = read.mapping(item, where)
    read.keys(values, ("regions", "what", "include_base", "weight", "source"), where)
    regions = read.items(values, "regions", _MOST_OPERATIONS)
    if not all(isinstance(region, str) for region in regions):
        read.refuse(f'"regions" of {where}', "a list of names", regions)
    return Operation(
        tuple(regions),
        _source_from(read, values["source"], f"the source of {where}"),
        read.text(values, "what"),
        read.flag(values, "include_base"),
        read.number(values, "weight"),
    )


def _source_from(read: _Reader, item: Any, where: str) -> Source:
    values = read.mapping(item, where)
    found = tuple(_found(read, entry, where) for entry in read.items(values, "found", _MOST_FACES, missing=()))
    if "image" in values:
        read.keys(values, ("image", "face", "aligned", "sha256"), where, ("landmarks", "found"))
        face = values["face"]
        if face not in (None, "all") and (isinstance(face, bool) or not isinstance(face, int) or face < 1):
            read.refuse(f'"face" of {where}', 'a whole number from 1 on, "all" or null', face)
        landmarks = values.get("landmarks")
        points = None if landmarks is None else tuple((x, y) for x, y in read.table(landmarks, where, 5, 2))
        return Source(
            image=read.text(values, "image"),
            face=face,
            landmarks=points,
            aligned=read.flag(values, "aligned"),
            sha256=read.text(values, "sha256"),
            found=found,
        )
    if "seed" in values:
        read.keys(values, ("seed", "truncation"), where)
        if isinstance(values["seed"], bool) or not isinstance(values["seed"], int):
            read.refuse(f'"seed" of {where}', "a whole number from 0 to 2^63 - 1", values["seed"])
        return Source.of(values["seed"], truncation=read.number(values, "truncation"))
    if "latent" in values:
        read.keys(values, ("latent",), where)
        return Source(latent=read.text(values, "latent"))
    if len(found) != 1:
        read.refuse(where, '"image", "seed", "latent" or one code in "found"', sorted(values))
    read.keys(values, ("found",), where)
    return Source(found=found)


def _found(read: _Reader, item: Any, where: str) -> Found:
    values = read.mapping(item, f'"found" of {where}')
    read.keys(values, ("code", "alignment", "method"), f'"found" of {where}')
    code = read.table(values["code"], f'"code" of {where}')
    matrix = values["alignment"]
    if matrix is not None:
        matrix = read.table(matrix, f'"alignment" of {where}', 2, 3)
    return Found(rows_of(code), alignment_of(matrix), read.text(values, "method"))


class _Reader:
    """Reads values of the types that are wanted, and says which one is not."""

    def __init__(self, name: str) -> None:
        self.name = name

    def refuse(self, what: str, wanted: str, given: Any) -> NoReturn:
        shown = json.dumps(given, default=str)[:60]
        raise InputError(f"the edit script {self.name!r} has {shown} as {what}; {wanted} is needed. Correct it.")

    def mapping(self, value: Any, where: str) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self.refuse(where, "an object", value)
        return value

    def keys(
        self, values: Mapping[str, Any], wanted: tuple[str, ...], where: str, allowed: tuple[str, ...] = ()
    ) -> None:
        for key in values:
            if key not in (*wanted, *allowed):
                raise InputError(
                    f"{where} of the edit script {self.name!r}: {unknown_name('key', key, (*wanted, *allowed))}"
                )
        for key in wanted:
            if key not in values:
                raise InputError(f"{where} of the edit script {self.name!r} lacks {key!r}. Add it.")

    def _of(self, values: Mapping[str, Any], key: str, wanted: str, fits: Callable[[Any], bool]) -> Any:
        if key not in values or not fits(values[key]):
            self.refuse(f'"{key}"', wanted, values.get(key))
        return values[key]

    def text(self, values: Mapping[str, Any], key: str) -> str:
        return str(self._of(values, key, "a text", lambda value: isinstance(value, str)))

    def flag(self, values: Mapping[str, Any], key: str) -> bool:
        return bool(self._of(values, key, "true or false", lambda value: isinstance(value, bool)))

    def number(self, values: Mapping[str, Any], key: str) -> float:
        return float(self._of(values, key, "a number", _is_number))

    def items(
        self, values: Mapping[str, Any], key: str, most: int, missing: tuple[Any, ...] | None = None
    ) -> list[Any]:
        if missing is not None and key not in values:
            return list(missing)
        wanted = f"a list of at most {most}"
        return list(self._of(values, key, wanted, lambda value: isinstance(value, list) and len(value) <= most))

    def table(self, value: Any, where: str, rows: int | None = None, columns: int | None = None) -> list[list[float]]:
        """Rows of finite numbers, all of one length."""
        fits = isinstance(value, list) and 0 < len(value) <= _MOST_ROWS and all(isinstance(row, list) for row in value)
        fits = fits and 0 < len(value[0]) <= _MOST_CHANNELS and len({len(row) for row in value}) == 1
        fits = fits and all(_is_number(number) for row in value for number in row)
        fits = fits and (rows is None or (len(value), len(value[0])) == (rows, columns))
        if not fits:
            wanted = "rows of finite numbers" if rows is None else f"{rows} rows of {columns} finite numbers"
            self.refuse(where, wanted, value)
        return [[float(number) for number in row] for row in value]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LARGEST_FLOAT32
