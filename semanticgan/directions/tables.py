"""Labels that are known by name: a CSV, or the attributes of CelebA and CelebAMask-HQ.

A CSV has a header; its first column names what the line is about (a picture's file name without regard to its suffix),
the others are attributes. ``CelebAMask-HQ-attribute-anno.txt`` has the number of pictures in its first line, the names
of the attributes in the second, then a file name and 1 or -1 for each.

An attribute whose values are only two is one that is there or not: the greater value stands for "there".
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from semanticgan.directions.labels import Attribute
from semanticgan.errors import InputError
from semanticgan.files import require_file


@dataclass(frozen=True, eq=False)
class Table:
    """Scores by name.

    Attributes:
        attributes: in the order of the columns.
        names: of the lines, without folder and suffix.
        scores: float32 [lines, A]; of an attribute that is there or not, 1 and -1.
    """

    attributes: tuple[Attribute, ...]
    names: tuple[str, ...]
    scores: Tensor

    def of(self, names: Sequence[str]) -> tuple[list[int], Tensor]:
        """Which of some names the table has, and their scores: positions in ``names``, float32 [that many, A].

        Raises:
            InputError: none of them.
        """
        line = {name: index for index, name in enumerate(self.names)}
        keys = [_key(name) for name in names]
        found = [index for index, key in enumerate(keys) if key in line]
        if not found:
            raise InputError(
                f"the table has no line for any of the {len(keys)} codes, such as {keys[0]!r}; its first line is about "
                f"{self.names[0]!r}. Name the lines as the pictures' files."
            )
        return found, self.scores[[line[keys[index]] for index in found]]


def read_table(path: str | Path) -> Table:
    """Read a CSV or CelebA's attributes.

    Raises:
        InputError: no such file, no text, no CSV, no attribute, a name that comes twice, a line of another length, or a
            value that is no finite number.
    """
    path = require_file(path, "table of labels")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"table of labels {str(path)!r} is not UTF-8 text. Save it as UTF-8.") from error
    lines = text.splitlines()
    if len(lines) > 2 and lines[0].strip().isdigit():
        header, rows = ["name", *lines[1].split()], [line.split() for line in lines[2:] if line.strip()]
        first = 3
    else:
        parsed = _csv_rows(text, path)
        header, rows, first = (parsed[0] if parsed else []), parsed[1:], 2
    names = [name.strip() for name in header[1:]]
    if not names or not rows or len(set(names)) < len(names):
        raise InputError(
            f"table of labels {str(path)!r} needs a header of a first column and different attributes, and lines below "
            f"it; got the header {header[:8]}."
        )
    keys = [_key(row[0]) for row in rows]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InputError(f"table of labels {str(path)!r} has two lines about {twice!r}. Keep one.")
    numbers = [_numbers(row, len(names), path, number) for number, row in enumerate(rows, first)]
    scores = torch.tensor(numbers, dtype=torch.float32)
    columns = [_column(name, scores[:, index]) for index, name in enumerate(names)]
    return Table(
        tuple(attribute for attribute, _ in columns), tuple(keys), torch.stack([each for _, each in columns], 1)
    )


def _csv_rows(text: str, path: Path) -> list[list[str]]:
    """Raises: InputError: what the reader refuses, such as a cell of more than 131,072 characters."""
    try:
        return [row for row in csv.reader(io.StringIO(text)) if row]
    except csv.Error as error:
        raise InputError(f"table of labels {str(path)!r} is no CSV ({error}). Save it anew.") from error


def _column(name: str, scores: Tensor) -> tuple[Attribute, Tensor]:
    """An attribute and its scores; two values become -1 and 1."""
    values = scores.unique()
    if len(values) > 2:
        return Attribute(name, True), scores
    return Attribute(name, False), torch.where(scores == values[-1], 1.0, -1.0)


def _numbers(row: Iterable[str], num: int, path: Path, line: int) -> list[float]:
    _, *cells = row
    if len(cells) != num:
        raise InputError(f"line {line} of {str(path)!r} has {len(cells)} values for {num} attributes. Correct it.")
    numbers = []
    for cell in cells:
        try:
            numbers.append(float(cell))
        except ValueError:
            numbers.append(math.nan)
    if not all(map(math.isfinite, numbers)):
        raise InputError(f"line {line} of {str(path)!r} has a value that is no finite number. Correct it.")
    return numbers


def _key(name: str) -> str:
    """A name without folder and suffix."""
    return PurePosixPath(name.strip().replace("\\", "/")).stem
