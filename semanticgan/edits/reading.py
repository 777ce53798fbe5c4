"""Reads the JSON of an edit: values of the types that are wanted, and an error that says which one is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from semanticgan.errors import InputError, unknown_name
from semanticgan.wrong_arguments import LARGEST_FLOAT32

_MOST_NAMES = 4096
_MOST_ROWS, _MOST_CHANNELS = 4096, 4096


class Reader:
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

    def names(self, values: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
        """A list of texts."""
        names = self.items(values, key, _MOST_NAMES)
        if not all(isinstance(name, str) for name in names):
            self.refuse(f'"{key}" of {where}', "a list of names", names)
        return tuple(names)

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
