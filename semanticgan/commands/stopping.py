"""Signals that end a program, as exceptions, so that a verb leaves nothing behind when it is ended."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

_SAME_STOP_SECONDS = 3.0  # schedulers tell a whole group, and launchers pass it on


class Stopped(KeyboardInterrupt):
    """A signal asked the program to end; ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def signals_as_interrupts() -> Iterator[None]:
    """Within the block SIGTERM and SIGHUP raise :class:`Stopped` in the main thread, as Ctrl-C raises its parent.

    One that is ignored, as ``nohup`` does, stays ignored. A second one that follows at once does not disturb the end
    that the first began.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    last = -_SAME_STOP_SECONDS

    def stop(number: int, frame: Any) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if last - before > _SAME_STOP_SECONDS:
            raise Stopped(number)

    names = ("SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    numbers = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    handlers = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
