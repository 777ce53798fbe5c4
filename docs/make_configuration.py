"""Writes docs/configuration.md: every configuration key with its values, default and meaning, from the fields.

python docs/make_configuration.py
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Collection, Iterator
from pathlib import Path

from semanticgan.files import written_aside
from semanticgan.formats.fields import LARGEST_SIDE, Key, key_of, types_of, without_none
from semanticgan.training.config import METHOD_CONFIGS, TrainingConfig
from semanticgan.training.sections import CommonConfig

PAGE = Path(__file__).parent / "configuration.md"
INTRODUCTION = """\
# Configuration keys

For anyone who trains: every key of a recipe (`configs/*.yaml`) and of `KEY=VALUE` on the command line of `train`.

A value on the command line replaces the recipe's; `null` empties a key that may be empty. An unknown key or a value of
another type stops the command with the nearest known key. Pairs are widths by resolution and weights by name:
`generator.channels.128=24`, `loss.owned.eye=1`. The page [training](training.md) explains how to use them. This page is
made from the code: `python docs/make_configuration.py`.
"""


def meanings(section: type) -> dict[str, str]:
    """Key -> meaning, for the keys of a section that are no sections."""
    return {item.name: key_of(item).meaning for item in dataclasses.fields(section) if key_of(item).meaning}


def page() -> str:
    """The whole page."""
    parts = list(_tables(CommonConfig, "", "Top level of every method"))
    for name, kind in sorted(METHOD_CONFIGS.items(), key=lambda item: (item[1] is not TrainingConfig, item[0])):
        if kind.__module__.startswith("semanticgan."):
            parts.append(
                f"\n## `method: {name}`\n\nBeside what all methods have: the top level, data, ema and so on.\n"
            )
            parts += _tables(kind, "", f"Top level of `{name}`", _common(), "###")
    return INTRODUCTION + "".join(parts)


def _common() -> set[str]:
    """The keys that all methods have."""
    return {item.name for item in dataclasses.fields(CommonConfig)}


def _tables(section: type, prefix: str, title: str, without: Collection[str] = (), mark: str = "##") -> Iterator[str]:
    kinds, known, inner = types_of(section), meanings(section), []
    yield f"\n{mark} {title}\n\n{(inspect.getdoc(section) or '').partition(chr(10))[0]}\n\n"
    yield "| key | values | default | meaning |\n|---|---|---|---|\n"
    for item in dataclasses.fields(section):
        if item.name in without:
            continue
        if dataclasses.is_dataclass(kinds[item.name]):
            inner.append((kinds[item.name], item.name))
            continue
        values, meaning = allowed(kinds[item.name], key_of(item)), known[item.name].replace("|", "or")
        yield f"| `{prefix}{item.name}` | {values} | `{_default(item)}` | {meaning} |\n"
    for kind, name in inner:
        yield from _tables(kind, f"{prefix}{name}.", f"`{name}`", mark=mark)


NAMES = {int: "whole number", float: "number", bool: "true, false", str: "text", typing.Any: "any"}


def allowed(kind: typing.Any, key: Key) -> str:
    """The values that a key may have: ``number, 0 to 1``."""
    kind, optional = without_none(kind)
    inner = typing.get_args(kind)
    if typing.get_origin(kind) is dict:
        names = "resolution" if key.side else "name"
        text = f"pairs, {names}: {allowed(inner[1], dataclasses.replace(key, side=False))}"
    elif typing.get_origin(kind) is list:
        text = f"list: {allowed(inner[0], key)}"
    elif key.choices:
        text = ", ".join(key.choices)
    elif key.side:
        text = f"power of two, 4 to {LARGEST_SIDE}"
    else:
        text = {"PATH": "path", "KIND:PATH": "name or KIND:PATH"}.get(key.path, NAMES[kind]) + _bounds(key)
    return f"{text}, or null" if optional else text


def _bounds(key: Key) -> str:
    """As ``, 0 to 1``; nothing where there are none."""
    if key.ge is not None and key.le is not None:
        return f", {key.ge} to {key.le}"
    bounds = (("at least", key.ge), ("above", key.gt), ("at most", key.le), ("below", key.lt))
    return "".join(f", {word} {bound}" for word, bound in bounds if bound is not None)


def _default(item: dataclasses.Field[object]) -> str:
    """As it is written in YAML."""
    value = item.default if item.default_factory is dataclasses.MISSING else item.default_factory()
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value).replace("'", "") or '""'


if __name__ == "__main__":
    with written_aside(PAGE, overwrite=True) as aside:
        aside.write_text(page(), encoding="utf-8")
