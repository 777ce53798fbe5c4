"""Progress of a long function, which takes ``progress: Progress | bool``: a bar, a callback, a way to end it early."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from semanticgan.errors import Cancelled

Item = TypeVar("Item")


@dataclass(frozen=True)
class Progress:
    """Who is told how far a function is, and who may end it.

    Attributes:
        bar: show a bar on stderr, where that is a terminal.
        report: called with the steps done, the steps in all (None where unknown) and what is done, first with 0 steps.
        cancel: once it is set, the next step raises :class:`~semanticgan.errors.Cancelled`.
    """

    bar: bool = False
    report: Callable[[int, int | None, str], None] | None = None
    cancel: threading.Event | None = None

    @contextmanager
    def steps(
        self, what: str, total: int | None, unit: str = "picture", first: int = 0, **look: Any
    ) -> Iterator[Callable[..., None]]:
        """Yields ``step(count=1, note="")``, to be called after each step; ``note`` ends the bar.

        Args:
            total: steps in all, None where unknown.
            unit: name of one step.
            first: steps done before.
            look: of the bar, as ``tqdm`` takes it.

        Raises:
            Cancelled: the function was asked to end. The bar is wiped after any error.
        """
        from tqdm import tqdm

        look.setdefault("disable", None if self.bar else True)  # None: where stderr is no terminal
        with tqdm(desc=what, total=total, unit=unit, initial=first, **look) as bar:
            done = first

            def step(count: int = 1, note: str = "") -> None:
                nonlocal done
                done += count
                if note:
                    bar.set_postfix_str(note, refresh=False)
                bar.update(count)
                if self.report is not None:
                    self.report(done, total, what)
                if self.cancel is not None and self.cancel.is_set():
                    raise Cancelled(f"{what} was cancelled after {done} of {total or 'unknown'} steps.")

            try:
                step(0)
                yield step
            except Exception:
                bar.leave = False
                raise

    def over(self, items: Iterable[Item], what: str, total: int | None, unit: str = "picture") -> Iterator[Item]:
        """The items, each a step that is done when the next one is asked for."""
        with self.steps(what, total, unit) as step:
            for item in items:
                yield item
                step()


def to_progress(given: Progress | bool) -> Progress:
    """``progress=True`` as a :class:`Progress` with a bar."""
    return given if isinstance(given, Progress) else Progress(bar=given)
