"""What reaches a terminal: no control characters, and no end because nobody reads."""

from __future__ import annotations

import io
import json

import pytest
from tqdm import tqdm

from semanticgan.terminal import GuardedStream, json_line, printable

OBEYED = {
    "escape": "\x1b[2J",
    "C1": "\x9b2J",
    "carriage return": "\r",
    "backspace": "\b",
    "NUL": "\0",
    "DEL": "\x7f",
    "bidirectional": "\u202e",
    "isolate": "\u2066",
    "zero width": "\u200b",
    "byte order mark": "\ufeff",
    "line separator": "\u2028",
    "surrogate": "\udcff",
    "tag": "\U000e0041",
    "filler": "\u3164",
    "variant": "\ufe0f",
}


@pytest.mark.parametrize("kind", OBEYED)
def test_what_a_terminal_obeys_or_hides_is_escaped(kind: str) -> None:
    shown = printable(f"a{OBEYED[kind]}b")
    assert shown.isprintable() and shown.isascii() and "\\" in shown
    assert shown.startswith("a") and shown.endswith("b")


def test_ordinary_text_stays() -> None:
    for text in ("Müller, 山田, 😀 100 %", "", "a\\x1b"):
        assert printable(text) == text
    assert printable("a\n\tb", keep="\n\t") == "a\n\tb"


@pytest.mark.parametrize("kind", OBEYED)
def test_json_on_stdout_is_valid_and_printable(kind: str) -> None:
    values = {f"n{OBEYED[kind]}": [OBEYED[kind], float("nan"), float("-inf"), 0.5, None, (1, 2)]}
    line = json_line(values)
    assert line.isprintable() and line.isascii()
    assert json.loads(line) == {f"n{OBEYED[kind]}": [OBEYED[kind], None, None, 0.5, None, [1, 2]]}


def test_a_bar_keeps_its_moves_and_its_description_is_escaped() -> None:
    written = io.StringIO()
    bar = tqdm(total=2, desc="a\x1b[A\rb", file=GuardedStream(written), ascii=True)  # type: ignore[arg-type]
    bar.update(2)
    bar.close()
    said = written.getvalue()
    assert said.startswith("\r") and "a\\x1b[A\\x0db" in said
    assert "\x1b" not in said.replace("\x1b[A", "", said.count("\n\x1b[A")) and "\r" not in said.replace("\ra", "a")


class Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


def test_a_reader_that_went_away_is_no_error() -> None:
    stream = GuardedStream(Gone())
    assert stream.write("words") == 5
    stream.flush()
    closed = io.StringIO()
    closed.close()
    GuardedStream(closed).write("words")
