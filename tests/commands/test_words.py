"""Words that no verb can use: empty values, ``--`` as a value, zero bytes, what is not Unicode."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from semanticgan.commands import VERBS, build_parser
from semanticgan.commands.words import require_usable
from semanticgan.errors import InputError

Command = Callable[..., Any]


def valued(verb: str) -> list[str]:
    """The options of a verb that take a value."""
    actions = build_parser(verb, "x")._actions
    return [action.option_strings[-1] for action in actions if action.option_strings and action.nargs != 0]


@pytest.mark.parametrize("verb", VERBS)
def test_no_option_takes_nothing(verb: str, command: Command, tmp_path: Path) -> None:
    for option in valued(verb):
        for words in ((option, ""), (option, " "), (f"{option}=",), (f"{option}= ",)):
            assert f"the value of {option} is empty" in command(verb, *words).complaint
        assert f"the value of {option} is --" in command(verb, f"{option}=--").complaint
        for words in ((option, "--"), (option, "--", "x")):
            assert f"{option} has no value" in command(verb, *words).complaint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("words", [("",), (" ",), ("a\0b",), ("--out", "a\0b"), ("\udcff",), ("--\ud800",), ("--",)])
def test_no_verb_ends_in_a_traceback(verb: str, words: tuple[str, ...], command: Command, tmp_path: Path) -> None:
    if verb == "generate" and words == ("--",):
        return  # the end of the options, and nothing follows: the bundled model is rendered
    if words == ("--",) and verb in ("components", "benchmark", "evaluate", "interpolate"):
        return
    assert "Type another" in command(verb, *words).complaint or words[0] in ("", " ", "--")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tiny", "run_dir="), "the value of run_dir is empty"),
        (("tiny", "run_dir=x", "data.path="), "the value of data.path is empty"),
        (("tiny", "run_dir=x", "loss.parser= "), "the value of loss.parser is empty"),
        (("tiny", "run_dir=a\nb"), r"the value of run_dir, 'a\\nb', has control characters"),
    ],
)
def test_no_key_takes_nothing(words: tuple[str, ...], said: str, command: Command, tmp_path: Path) -> None:
    assert said.replace("\\\\", "\\") in command("train", *words).complaint
    assert list(tmp_path.iterdir()) == []


def test_what_is_usable_passes() -> None:
    parser = build_parser("train", "x")
    require_usable(["tiny", "--metrics", "fid", "run_dir=a=b", "--", "x=-1", "data.path=~/ü"], parser)
    require_usable(["--out", "-", "--", "-x"], build_parser("report", "x"))
    with pytest.raises(InputError):
        require_usable(["--out", ""], build_parser("report", "x"))
