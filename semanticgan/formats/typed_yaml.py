"""YAML read by the types of dataclasses: a text key keeps the text as it was typed, a number key takes a number.

YAML alone guesses a value's type from its look: ``2024_01_05`` becomes 20240105, ``12:30`` becomes 750, ``on`` becomes
true. Here the key decides. Nothing in a text is evaluated: there are no interpolations, aliases or tags.

A value is read into a partial configuration, nested dictionaries of what was given; :func:`merged` lays one over
another, :func:`build` makes the dataclass.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Mapping
from typing import Any

import yaml

from semanticgan.errors import InputError, unknown_name
from semanticgan.formats.fields import refuse, types_of, without_none

_LARGEST_FILE = 2**18  # characters; the recipes of this package have 2,000
_DEEPEST = 20  # lists and pairs within each other
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_TAGS = ("null", "bool", "int", "float", "str", "timestamp", "merge", "value", "map", "seq")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # all but tabs and line ends


class _Loader(yaml.SafeLoader):
    """YAML without aliases, through which a small file could become a huge value."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise InputError("aliases (*name) are not supported")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise InputError(f"it is nested more than {_DEEPEST} levels deep")
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        if node is not None and node.tag.removeprefix("tag:yaml.org,2002:") not in _TAGS:
            raise InputError(f"the tag {node.tag!r} is not supported")
        return node


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def dump(config: Any) -> str:
    """A dataclass as YAML, read back by :func:`read`."""
    text: str = yaml.dump(dataclasses.asdict(config), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text


def read(text: str, section: type) -> dict[str, Any]:
    """A file's values for a dataclass, as a partial configuration.

    Raises:
        InputError: no YAML, an unknown key (the nearest known is named), a key that comes twice, or a value of
            another type than its key's.
    """
    node = _compose(text)
    return {} if node is None else _section(node, section, "")


def read_plain(text: str) -> Any:
    """A file's values by their looks, as lists, dictionaries and plain values.

    Raises:
        InputError: no YAML, or a key that comes twice.
    """
    node = _compose(text)
    return None if node is None else _value(node, Any, "")


def text_of(text: str, name: str) -> str | None:
    """The text of a file's key ``name``, before the other keys are known; None where it has none.

    Raises:
        InputError: no YAML.
    """
    node = _compose(text)
    pairs = _pairs(node, "") if isinstance(node, yaml.MappingNode) else []
    return next((child.value for key, child in pairs if key == name and isinstance(child, yaml.ScalarNode)), None)


def read_override(override: str, section: type) -> dict[str, Any]:
    """The value of ``a.b=value`` for a dataclass, as a partial configuration.

    Raises:
        InputError: no such pair, an unknown key (the nearest known is named), or a value of another type.
    """
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise InputError(f"override {override!r} is not a key=value pair, such as batch=8 or data.path=data/faces.")
    kind: Any = section
    names: list[Any] = []
    for name in key.strip().split("."):
        name, kind = _child(name, kind, "".join(f"{name}." for name in names))
        names.append(name)
    value = _typed(text, kind, key.strip())
    for name in reversed(names):
        value = {name: value}
    return typing.cast("dict[str, Any]", value)


def merged(first: Mapping[Any, Any], second: Mapping[Any, Any]) -> dict[Any, Any]:
    """``first`` with what ``second`` gives laid over it; pairs are joined, other values replaced."""
    result = dict(first)
    for name, value in second.items():
        both = isinstance(value, dict) and isinstance(result.get(name), dict)
        result[name] = merged(result[name], value) if both else value
    return result


def build(section: type, given: Mapping[str, Any]) -> Any:
    """The dataclass of a partial configuration; what is not given has its default."""
    kinds = types_of(section)
    return section(
        **{
            name: build(kinds[name], value) if dataclasses.is_dataclass(kinds[name]) else value
            for name, value in given.items()
        }
    )


def known_keys(section: type, prefix: str = "") -> list[str]:
    """All keys of a dataclass and its sections, such as ``data.path``."""
    known = []
    for name, kind in types_of(section).items():
        known.append(prefix + name)
        if dataclasses.is_dataclass(kind):
            known += known_keys(kind, f"{prefix}{name}.")  # type: ignore[arg-type]
    return known


def _compose(text: str) -> yaml.Node | None:
    if len(text) > _LARGEST_FILE:
        raise InputError(f"it has {len(text):,} characters, more than {_LARGEST_FILE:,}")
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the latter two of an escape that is no character
        if isinstance(error, InputError):
            raise
        raise InputError(" ".join(str(error).split())[:200]) from error
    return node


def _child(name: str, kind: Any, prefix: str) -> tuple[Any, Any]:
    """A key's name and type inside a section or a dictionary of type ``kind``."""
    if dataclasses.is_dataclass(kind):
        hints = types_of(typing.cast("Any", kind))
        if name not in hints:
            raise unknown_name("configuration key", prefix + name, known_keys(kind, prefix))  # type: ignore[arg-type]
        return name, hints[name]
    if typing.get_origin(kind) is dict:
        names, values = typing.get_args(kind)
        return _scalar(name, names, prefix + name), values
    if kind is Any:
        return name, Any
    raise InputError(f"configuration key {prefix.rstrip('.')!r} has no keys of its own, such as {prefix + name!r}.")


def _typed(text: str, kind: Any, key: str) -> Any:
    """What was typed after ``key=``."""
    plain, optional = without_none(kind)
    if plain is str:  # not YAML: a quote, a colon or a blank in it is part of it
        return None if optional and text in ("", "null") else _scalar(text, str, key)
    try:
        node = _compose(text)
    except InputError as error:
        raise InputError(f"configuration key {key!r}: {text[:60]!r} cannot be read: {error}.") from error
    if node is None:
        node = yaml.ScalarNode("tag:yaml.org,2002:null", "")
    return _value(node, kind, key)


def _section(node: yaml.Node, section: Any, key: str) -> dict[str, Any]:
    prefix = f"{key}." if key else ""
    if not isinstance(node, yaml.MappingNode):
        what = f"configuration key {key!r}" if key else "a recipe"
        raise InputError(
            f"{what} has keys of its own, such as {prefix}{next(iter(types_of(section)))}, got {_shown(node)}."
        )
    given: dict[str, Any] = {}
    for name, child in _pairs(node, key):
        _, kind = _child(name, section, prefix)
        _put(given, name, _value(child, kind, prefix + name), prefix + name)
    return given


def _value(node: yaml.Node, kind: Any, key: str) -> Any:
    """A node as the type of its key, which may be Any."""
    kind, optional = without_none(kind)
    origin = typing.get_origin(kind)
    if dataclasses.is_dataclass(kind):
        return _section(node, kind, key)
    if isinstance(node, yaml.ScalarNode):
        if node.tag.endswith(":null") and (optional or kind is Any):
            return None
        if origin is None:
            return _scalar(node.value, _guess(node) if kind is Any else kind, key)
    elif isinstance(node, yaml.SequenceNode) and (kind is Any or origin is list):
        item = Any if kind is Any else typing.get_args(kind)[0]
        return [_value(child, item, key) for child in node.value]
    elif isinstance(node, yaml.MappingNode) and (kind is Any or origin is dict):
        names, values = (str, Any) if kind is Any else typing.get_args(kind)
        given: dict[Any, Any] = {}
        for name, child in _pairs(node, key):
            full = f"{key}.{name}" if key else name
            _put(given, _scalar(name, names, full), _value(child, values, full), full)
        return given
    refuse(key, kind, _shown(node))


def _pairs(node: yaml.MappingNode, key: str) -> list[tuple[str, yaml.Node]]:
    for name, _ in node.value:
        if not isinstance(name, yaml.ScalarNode):
            raise InputError(f"configuration key {key!r} has a list or pairs in place of a name.")
    return [(name.value, child) for name, child in node.value]


def _put(given: dict[Any, Any], name: Any, value: Any, key: str) -> None:
    if name in given:
        raise InputError(f"configuration key {key!r} is given twice. Remove one of them.")
    given[name] = value


def _scalar(text: str, kind: Any, key: str) -> Any:
    """One text as str, int, float or bool."""
    if kind is str:
        if _UNPRINTABLE.search(text):
            raise InputError(f"configuration key {key!r} has a character that cannot be printed: {text[:60]!r}.")
        return text
    if kind is bool and text.lower() in (*_TRUE, *_FALSE):
        return text.lower() in _TRUE
    try:
        if kind is int and re.fullmatch(r"[-+]?[0-9][0-9_]*", text):
            return int(text)
        if kind is float:
            return float(re.sub(r"^([-+]?)\.(?=inf|nan)", r"\1", text.lower()))
    except ValueError:
        pass
    refuse(key, kind, repr(text[:60]))


def _guess(node: yaml.ScalarNode) -> type:
    """The type that a value without one of its own looks like."""
    for kind, looks in (
        (bool, r"true|false"),
        (int, r"[-+]?[0-9]{1,18}"),
        (float, r"[-+]?(\d*\.?\d+|\d+\.)(e[-+]?\d+)?"),
    ):
        if node.style is None and re.fullmatch(looks, node.value, re.IGNORECASE):
            return kind
    return str


def _shown(node: yaml.Node) -> str:
    """A node for an error message."""
    if isinstance(node, yaml.ScalarNode):
        return repr(node.value[:60]) if node.style else node.value[:60] or "nothing"
    if isinstance(node, yaml.SequenceNode):
        inner = [repr(item.value[:60]) if isinstance(item, yaml.ScalarNode) else "..." for item in node.value[:8]]
        return f"[{', '.join(inner)}]"
    return "pairs"
