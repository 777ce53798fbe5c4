"""JSON of other people's files, read strictly: no duplicate names, no NaN, no depth that ends Python."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from semanticgan.errors import InputError

_DEEPEST = 20  # levels of the JSON in metadata
_LARGEST = 2**24  # bytes; the region table of 255 regions has 20 kB, other tools' lists of labels some MB


def loads(content: str | bytes, name: str) -> Any:
    """The value of a JSON text, in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    Args:
        content: the text.
        name: of its file, for messages.

    Raises:
        InputError: no JSON, a name that comes twice in one object, a number that is not finite, a text that is nested
            too deeply or too long.
    """
    if len(content) > _LARGEST:
        raise InputError(f"{name!r} has {len(content):,} bytes; at most {_LARGEST:,} are read. Shorten it.")
    try:
        return _parse(content)
    except ValueError as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{name!r} is not JSON ({reason}). Correct or remove it.") from error


def parse_json(text: str, numbers_only: bool = True) -> Any:
    """The value of a JSON text in a file's metadata.

    Args:
        text: the JSON.
        numbers_only: refuse NaN and Infinity, which are not JSON; else they become None.

    Raises:
        ValueError: no JSON, a name that comes twice, or more than 20 levels.
    """
    value = _parse(text, numbers_only)
    _require_shallow(value)
    return value


def parse_object(text: str, numbers_only: bool = True) -> dict[str, Any]:
    """As :func:`parse_json`, of a JSON object."""
    value = parse_json(text, numbers_only)
    if not isinstance(value, dict):
        raise ValueError(f"a JSON object is needed, got {type(value).__name__}")
    return value


def _parse(content: str | bytes, numbers_only: bool = True) -> Any:
    try:
        return json.loads(
            content,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant if numbers_only else lambda _: None,
            parse_float=_finite_number if numbers_only else float,
        )
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:60]!r} comes twice in one object")
    return values


def _finite_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:60]} is too large a number")
    return number


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number in JSON")


def _require_shallow(value: Any, levels: int = _DEEPEST) -> None:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if inside and not levels:
        raise ValueError(f"it is nested more than {_DEEPEST} levels deep")
    for item in inside:
        _require_shallow(item, levels - 1)
