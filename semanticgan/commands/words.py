"""What the words of a command line must be before they are parsed: the same for every verb."""

from __future__ import annotations

import argparse
import re
import unicodedata
from collections.abc import Sequence

from semanticgan.errors import InputError

_LONGEST_SHOWN = 60


def require_usable(words: Sequence[str], parser: argparse.ArgumentParser) -> None:
    """Check what a shell gives for an unset variable (``--out ""``), and what argparse cannot take.

    Raises:
        InputError: an empty value, ``--`` as a value, a word that is not Unicode or has a zero byte, or control
            characters in KEY=VALUE.
    """
    valued = {
        option
        for action in parser._actions  # argparse tells its options in no other way
        if action.nargs != 0
        for option in action.option_strings
    }
    before = ""
    for word in words:
        if "\0" in word or any(unicodedata.category(character) == "Cs" for character in word):
            raise InputError(
                f"the argument {ascii(word)[:_LONGEST_SHOWN]} has a zero byte or is not Unicode. Type another."
            )
        name, equals, value = word.partition("=")
        named = name if equals and re.fullmatch(r"-{0,2}[\w.-]+", name) else ""
        if named and not named.startswith("-") and any(unicodedata.category(character) == "Cc" for character in value):
            raise InputError(f"the value of {named}, {ascii(value)[:_LONGEST_SHOWN]}, has control characters.")
        if word == "--":
            if before in valued:
                raise InputError(f"{before} has no value. Give one, or leave {before} out.")
        elif named and (not value.strip() or (named.startswith("-") and value.strip() == "--")):
            raise InputError(f"the value of {named} is {value.strip() or 'empty'}. Give one, or leave {named} out.")
        elif not word.strip():
            what = f"the value of {before}" if before in valued else "an argument"
            raise InputError(f"{what} is empty. Give one, or leave {before if before in valued else 'it'} out.")
        before = word
