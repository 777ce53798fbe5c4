"""Keys of a configuration: default, meaning and bounds beside each field of a dataclass, and the check that reads them.

    every: int = key(16, "steps between two R1 steps; 0 switches R1 off", ge=0)

Not pydantic: a key's type decides how its YAML is read (:mod:`semanticgan.formats.typed_yaml`) before there is a value
to validate, and pydantic comes only with the studio.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

from semanticgan.errors import InputError, unknown_name
from semanticgan.files import user_path

T = TypeVar("T")
LARGEST = 10**15  # of a number that has no bound of its own
LARGEST_SIDE = 4096


@dataclass(frozen=True)
class Key:
    """What a field means, and which values it may have.

    Bounds hold for each number of pairs, choices for each text of a list.

    Attributes:
        meaning: one sentence or more, for the documentation.
        ge: least value.
        gt: bound below every value.
        le: largest value.
        lt: bound above every value.
        unit: of the number, for the message of ``gt``.
        side: a resolution, which is a power of two from 4 to 4096; of pairs, their names are resolutions.
        choices: the allowed texts.
        path: PATH if the text is a path (or a name), KIND:PATH if it is a kind, alone or with a path.
    """

    meaning: str = ""
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    unit: str = ""
    side: bool = False
    choices: tuple[str, ...] = ()
    path: str = ""


def key(default: T, meaning: str, **allowed: Any) -> T:
    """A field of a dataclass; ``allowed`` are attributes of :class:`Key`. A list or dictionary is copied.

    A dictionary is left out of the hash of a frozen dataclass.
    """
    metadata = {"key": Key(meaning, **allowed)}
    if isinstance(default, (list, dict)):
        hashed = False if isinstance(default, dict) else None
        return field(default_factory=lambda: copy.copy(default), metadata=metadata, hash=hashed)
    return field(default=default, metadata=metadata)


def key_of(item: dataclasses.Field[Any]) -> Key:
    """What was given to :func:`key`; a plain field has no bounds and no meaning."""
    found: Key = item.metadata.get("key", Key())
    return found


@functools.cache
def types_of(section: Any) -> dict[str, Any]:
    """The type of each field of a dataclass, by name."""
    hints = typing.get_type_hints(section)
    return {item.name: hints[item.name] for item in dataclasses.fields(section)}


def without_none(kind: Any) -> tuple[Any, bool]:
    """``str | None`` -> str, True."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        (kind,) = (part for part in typing.get_args(kind) if part is not type(None))
        return kind, True
    return kind, False


def values(config: Any, prefix: str = "") -> Iterator[tuple[Any, dataclasses.Field[Any], str]]:
    """(section, field, key) of every value of a dataclass and of its sections, such as (..., ``data.path``)."""
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if dataclasses.is_dataclass(value):
            yield from values(value, f"{prefix}{item.name}.")
        else:
            yield config, item, prefix + item.name


def find_paths(config: Any) -> None:
    """Replace ``~`` by the home folder where a key takes a path.

    Raises:
        InputError: there is no such home folder.
    """
    for section, item, name in values(config):
        form, value = key_of(item).path, getattr(section, item.name)
        if not form or value is None:
            continue
        kind, colon, path = value.partition(":") if form == "KIND:PATH" else ("", "", value)
        if colon or not kind:
            found = str(user_path(path, name))
            setattr(section, item.name, kind + colon + (found if path.startswith(("~", "./~")) else path))


def check(config: Any, prefix: str = "") -> None:
    """Check every value of a dataclass and of its sections.

    Raises:
        InputError: a value of another type than its field's, or one that its :class:`Key` does not allow.
    """
    for section, item, name in values(config, prefix):
        kind: Any = type(section)
        _check(getattr(section, item.name), types_of(kind)[item.name], key_of(item), name)


def refuse(name: str, kind: Any, text: str) -> NoReturn:
    """Raises: InputError: a value, shown as ``text``, of another type than its key's."""
    origin = typing.get_origin(kind)
    if origin is dict:
        raise InputError(f"configuration key {name!r} takes pairs such as {name}.NAME=VALUE, got {text}.")
    kinds = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    what = f"a list such as {name}=[A,B]" if origin is list else kinds.get(kind, "another value")
    raise InputError(f"configuration key {name!r} takes {what}, got {text}.")


def _check(value: Any, kind: Any, allowed: Key, name: str, at: str = "") -> None:
    """One value; ``at`` is the full key of one that stands in pairs named by numbers."""
    kind, optional = without_none(kind)
    origin = typing.get_origin(kind) or kind
    if kind is Any or origin is tuple or (optional and value is None):
        return
    python: Any = {float: (int, float), dict: Mapping}.get(origin, origin)
    if not isinstance(value, python) or (isinstance(value, bool) and kind is not bool):
        refuse(name, kind, shown(value))
    if origin is dict:
        names, inner = typing.get_args(kind)
        for one, number in value.items():
            if allowed.side:
                _check(one, int, Key(side=True), f"a side in {name}")
            where = (name, f" for {name}.{one}") if names is int else (f"{name}.{one}", "")
            _check(number, inner, dataclasses.replace(allowed, side=False), *where)
    elif kind in (int, float):
        _check_number(value, kind, allowed, name, f"got {shown(value)}{at}.")
    elif origin is list:
        for one in value:
            _check(one, typing.get_args(kind)[0], allowed, name)
    elif allowed.choices and value not in allowed.choices:
        raise unknown_name(name, value, allowed.choices)


def _check_number(value: float, kind: type, allowed: Key, name: str, got: str) -> None:
    if allowed.side and (value < 4 or int(value) & (int(value) - 1)):
        raise InputError(f"{name} must be a power of two, at least 4, {got}")
    bounds = [bound for bound in (allowed.le, allowed.lt, LARGEST_SIDE if allowed.side else None) if bound is not None]
    largest = bounds[0] if bounds else LARGEST
    too_small = allowed.ge is not None and not allowed.ge <= value < math.inf
    too_large = not abs(value) <= largest or value == allowed.lt
    if kind is float and allowed.ge is not None and bounds and (too_small or too_large):
        raise InputError(f"{name} must lie between {allowed.ge} and {largest}, {got}")
    if too_small:
        raise InputError(f"{name} must be {allowed.ge} or more, {got}")
    if allowed.gt is not None and not allowed.gt < value < math.inf:
        raise InputError(f"{name} must be more than {allowed.gt} {allowed.unit} and finite, {got}")
    if too_large:
        raise InputError(f"{name} must be a number of at most {largest}, {got}")


def shown(value: Any) -> str:
    """Short text of a value; one of a file may be a number of thousands of digits."""
    if isinstance(value, int) and value.bit_length() > 200:
        return "a number of more than 60 digits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
