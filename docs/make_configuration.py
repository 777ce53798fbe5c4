"""Writes docs/configuration.md: every configuration key with its default and meaning, from the fields.

python docs/make_configuration.py
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Collection, Iterator
from pathlib import Path

from semanticgan.files import written_aside
from semanticgan.formats.fields import key_of, types_of
from semanticgan.training.config import METHOD_CONFIGS, TrainingConfig
from semanticgan.training.sections import CommonConfig

PAGE = Path(__file__).parent / "configuration.md"
INTRODUCTION = """\
# Configuration keys

For anyone who trains: every key of a recipe (`configs/*.yaml`) and of `KEY=VALUE` on the command line of `train`.

A value on the command line replaces the recipe's; `null` empties a key that may be empty. An unknown key or a value of
another type stops the command with the nearest known key. Widths by resolution and weights by name are pairs:
`generator.channels.128=24`, `loss.owned.eye=1`. This page is made from the code: `python docs/make_configuration.py`.
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
    yield "| key | default | meaning |\n|---|---|---|\n"
    for item in dataclasses.fields(section):
        if item.name in without:
            continue
        if dataclasses.is_dataclass(kinds[item.name]):
            inner.append((kinds[item.name], item.name))
            continue
        yield f"| `{prefix}{item.name}` | `{_default(item)}` | {known[item.name].replace('|', 'or')} |\n"
    for kind, name in inner:
        yield from _tables(kind, f"{prefix}{name}.", f"`{name}`", mark=mark)


def _default(item: dataclasses.Field[object]) -> str:
    """As it is written in YAML."""
    value = item.default if item.default_factory is dataclasses.MISSING else item.default_factory()
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value).replace("'", "") or '""'


if __name__ == "__main__":
    with written_aside(PAGE, overwrite=True) as aside:
        aside.write_text(page(), encoding="utf-8")
