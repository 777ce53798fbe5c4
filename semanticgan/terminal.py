"""What may reach a terminal: escaped text, on streams whose reader may go away at any time."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import sys
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any, TextIO

# Letters and marks that are drawn as nothing but count as printable: fillers, joiners, selectors of variants.
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
# How tqdm moves before it draws a bar: to the start of the line, lines down or lines up.
_MOVES = re.compile(r"(?:\r|\n|\x1b\[A)*")


def printable(text: str, keep: str = "") -> str:
    r"""``text`` with every character escaped that a terminal would obey or hide.

    Control characters (C0, DEL, C1), bidirectional and zero-width characters, lone surrogates, line and paragraph
    separators become ``\x1b`` or ``\u202e``.

    Args:
        text: may hold names from files and metadata.
        keep: control characters that are meant, such as a newline.
    """
    if text.isprintable() and not _INVISIBLE.search(text):
        return text
    return "".join(_shown(character, keep) for character in text)


def _shown(character: str, keep: str) -> str:
    if character in keep or (character.isprintable() and not _INVISIBLE.match(character)):
        return character
    return (
        character.encode("ascii", "backslashreplace").decode() if ord(character) > 0x7F else f"\\x{ord(character):02x}"
    )


def json_line(values: Any) -> str:
    """``values`` as one line of valid JSON in printable ASCII; a number that is not finite becomes null."""
    return json.dumps(_finite(values), allow_nan=False).replace("\x7f", "\\u007f")


def _finite(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _finite(value) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [_finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values


class GuardedStream:
    """A stream for people: what is written is escaped, and a reader that went away is no error.

    A progress bar's own moves at the beginning of what it writes are kept, so names in its description are escaped
    like all else. Everything but writing is the stream's own.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        start = len(text) if _MOVES.fullmatch(text) else int(text.startswith("\r"))
        with contextlib.suppress(OSError, ValueError):  # no reader, no room, or closed
            self._stream.write(text[:start] + printable(text[start:], keep="\n\t"))
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def guarded_streams() -> Iterator[None]:
    """Within the block stderr is a :class:`GuardedStream`, and there is a stdout even where it was closed before.

    Python's own report of an exception that leaves the program is escaped, too.
    """
    _open_missing()
    before = sys.stderr
    sys.stderr = GuardedStream(before)
    sys.excepthook = _report
    try:
        yield
    finally:
        sys.stderr = before
        for stream in (sys.stdout, before):
            with contextlib.suppress(OSError, ValueError):
                _flush(stream)


def say(text: str) -> None:
    """Write text to stdout at once; a reader that went away is no error.

    Raises:
        OSError: it cannot be written for another reason, such as a full disk.
    """
    try:
        with contextlib.suppress(BrokenPipeError, ValueError):
            try:
                sys.stdout.write(text)
            finally:
                _flush(sys.stdout)
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from error


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    GuardedStream(sys.stderr).write("".join(traceback.format_exception(kind, error, trace)))


def _open_missing() -> None:
    """Give a process that began with closed streams the null device, so that no file takes their place."""
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(handle, True)
    os.close(handle)
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115


def _flush(stream: TextIO) -> None:
    """Flush a stream; where that fails, point it at the null device, or Python would complain at its end."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
        raise
